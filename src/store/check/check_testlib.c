#include "store/check/check_testlib.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32.h"
#include "store/dedup/dedup_internal.h"
#include "wire/properties.h"

/* Tables that hold one number each. */
static void table_apply(void *context, struct bl_slice name, const struct bl_json *json,
                        int64_t log_offset) {
  (void)context, (void)name, (void)json, (void)log_offset;
}

static bl_err table_replace(void *context, const struct bl_json *root, struct bl_why *why) {
  (void)context, (void)root, (void)why;
  return BL_OK;
}

static bool table_write_step(void *context, struct bl_buf *out, void **progress) {
  (void)progress;
  bl_buf_printf(out, "{\"table\":{\"rows\":%d}}", *(const int *)context);
  return false;
}

static void take_note(void *context, const char *line) {
  struct ct *ct = context;
  snprintf(ct->note, sizeof(ct->note), "%s", line);
}

void ct_init(struct ct *ct) {
  memset(ct, 0, sizeof(*ct));
  ct->fake = bl_disk_fake_new();
  ct->disk = bl_disk_fake_disk(ct->fake);
  bl_clock_fake_init(&ct->clock, 1700000000000);
  bl_timers_init(&ct->timers);
  ct->worker = bl_worker_new_inline();
  ct->settings = (struct bl_store_settings){
      .dir = CT_DIR,
      .segment_bytes = CT_SEGMENT_BYTES,
      .ring_bytes = 65536,
      .flush_mode = BL_FLUSH_SYNC,
      .flush_interval_ms = 500,
      .flush_bytes = 1 << 20,
      .snapshot_interval_ms = 30000,
      .snapshot_bytes = 1 << 20,
      .append_crc = true,
      .note = take_note,
      .note_context = ct,
  };
}

void ct_fini(struct ct *ct) {
  if (ct->store != NULL) ct_close(ct);
  bl_worker_free(ct->worker);
  bl_timers_fini(&ct->timers);
  bl_disk_fake_free(ct->fake);
}

static void settle(struct ct *ct) {
  size_t did;
  do {
    did = bl_store_end_turn(ct->store) ? 1 : 0;
    did += bl_worker_drain(ct->worker);
  } while (did > 0);
}

static int64_t window_ms(void *context, struct bl_slice topic) {
  (void)context;
  return bl_slice_is(topic, "Small") ? 3600000 : 0;
}

static bool moves_of(void *context, struct bl_slice topic) {
  (void)context;
  return bl_slice_is(topic, "Small");
}

void ct_open(struct ct *ct) {
  static int rows[3] = {4, 5, 6};
  static const char *const files[] = {"topics.json", "subscriptionGroup.json",
                                      "consumerOffset.json"};
  static const char *const names[] = {"topic", "group", "offset"};
  struct bl_why why = {""};
  ct->queues = bl_queues_new(CT_DIR, ct->disk, ct->worker);
  ct->keys = bl_keys_new(CT_DIR, ct->disk, ct->worker);
  bl_keys__set_block_entries(ct->keys, 24);
  ct->meta = bl_meta_new(CT_DIR, ct->disk);
  for (int i = 0; i < 3; i++) {
    struct bl_meta_table table = {.name = names[i],
                                  .file_name = files[i],
                                  .context = &rows[i],
                                  .apply = table_apply,
                                  .replace = table_replace,
                                  .write_step = table_write_step};
    bl_meta_register(ct->meta, &table);
  }
  ct->followers[0] = bl_queues_follower(ct->queues);
  ct->followers[1] = bl_keys_follower(ct->keys);
  ct->followers[2] = bl_meta_follower(ct->meta);
  struct bl_dedup_topics windows = {&ct->active, window_ms, NULL};
  struct bl_expiry_topics moves = {&ct->active, moves_of, NULL};
  bl_list_init(&ct->active);
  bl_list_add_last(&ct->active, &ct->topic);
  ct->dedup = bl_dedup_new(CT_DIR, ct->disk, ct->worker, &ct->clock.clock, &windows, 1);
  bl_dedup__set_close_entries(ct->dedup, 30);
  ct->expiry = bl_expiry_new(CT_DIR, ct->disk, &moves, 1000);
  ct->followers[3] = bl_dedup_follower(ct->dedup);
  ct->followers[4] = bl_expiry_follower(ct->expiry);
  bl_err err = bl_store_open(&ct->settings, ct->disk, &ct->clock.clock, &ct->timers, ct->worker,
                             ct->worker, ct->followers, 5, &ct->store, &why);
  if (err != BL_OK) fail_msg("open: %s", why.text);
  assert_int_equal(bl_meta_replay_done(ct->meta, bl_store_marks(ct->store).appended, &why), BL_OK);
}

void ct_close(struct ct *ct) {
  bl_store_close(ct->store);
  ct->store = NULL;
  bl_queues_free(ct->queues);
  bl_keys_free(ct->keys);
  bl_meta_free(ct->meta);
  bl_dedup_free(ct->dedup);
  bl_expiry_free(ct->expiry);
  bl_list_remove(&ct->topic);
}

void ct_send(struct ct *ct, size_t body_bytes) {
  char body[4096];
  char properties[128];
  memset(body, 'a' + (int)(ct->sent % 26), sizeof(body));
  int len = snprintf(properties, sizeof(properties),
                     "TAGS\001A\002KEYS\001k%d\002UNIQ_KEY\0017F00000100002A9F%08X\002%s",
                     (int)ct->sent, (unsigned)ct->sent, ct->expires ? "__EXPIRES_AT\0019\002" : "");
  struct bl_record record = {
      .queue_id = (int32_t)(ct->sent % 2),
      .born_ms = 5,
      .born_host = {{127, 0, 0, 1}, 4, 1000},
      .store_host = {{127, 0, 0, 1}, 4, 10911},
      .topic = BL_SLICE("Small"),
      .body = bl_slice_of(body, body_bytes),
      .properties = bl_slice_of(properties, (size_t)len),
  };
  struct bl_queue *queue = NULL;
  assert_int_equal(bl_queues_open_queue(ct->queues, record.topic, record.queue_id, &queue), BL_OK);
  bl_err err = bl_store_can_append(ct->store, 4096);
  for (int i = 0; err == BL_ERR_BUSY && i < 5; i++) {
    settle(ct);
    err = bl_store_can_append(ct->store, 4096);
  }
  record.queue_offset = bl_queue_assign(queue, 1);
  assert_int_equal(bl_store_append(ct->store, &record), BL_OK);
  ct->ends[ct->sent++] = record.log_offset + record.size_bytes;
  ct->clock.now_wall_ms += 10;
}

void ct_fill(struct ct *ct, int count) {
  ct_open(ct);
  for (int i = 0; i < count; i++) ct_send(ct, 40);
  settle(ct);
  /* Two snapshots without news in a queue: its tail becomes a chunk. */
  for (int i = 0; i < 3; i++) {
    bl_store_snapshot_now(ct->store);
    settle(ct);
    if (i < 2) ct_send(ct, 16);
    settle(ct);
  }
  ct_close(ct);
  char text[128];
  int len = snprintf(text, sizeof(text), "bolide identity 1\nbrokerName=b\n");
  len += snprintf(text + len, 40, "checksum=%u\n", bl_crc32(0, text, (size_t)len));
  assert_int_equal(bl_disk_replace_file(ct->disk, CT_DIR "/bolide/identity",
                                        bl_slice_of(text, (size_t)len), false, NULL),
                   BL_OK);
}

static void take(char *to, size_t size, struct bl_slice text) {
  snprintf(to, size, "%.*s", BL_FMT(text));
}

static void on_finding(void *context, const struct bl_finding *finding) {
  struct ct *ct = context;
  assert_true(finding->what != NULL && finding->what[0] != 0);
  if (finding->level != BL_FINDING_DAMAGE) return;
  size_t len = strlen(ct->kinds);
  snprintf(ct->kinds + len, sizeof(ct->kinds) - len, "%s ", finding->kind);
  if (ct->first_file[0] != 0) return;
  take(ct->first_file, sizeof(ct->first_file), bl_slice_text(finding->file));
  take(ct->first_topic, sizeof(ct->first_topic), finding->topic);
  take(ct->first_id, sizeof(ct->first_id), bl_slice_text(finding->message_id));
  ct->first_offset = finding->file_offset;
  ct->first_bytes = finding->bytes;
  ct->first_queue_offset = finding->queue_offset;
}

int64_t ct_verify(struct ct *ct) {
  struct bl_source source;
  struct bl_why why = {""};
  struct bl_verify_settings settings = {.finding = on_finding, .context = ct};
  ct->first_file[0] = 0;
  ct->kinds[0] = 0;
  bl_err err = bl_source_open(&source, ct->disk, CT_DIR, 0, &why);
  if (err == BL_OK) err = bl_verify(&source, &settings, &ct->totals, &why);
  if (err != BL_OK) fail_msg("verify: %s", why.text);
  bl_source_close(&source);
  return ct->totals.damage;
}

static int open_file(struct ct *ct, const char *name) {
  char path[300];
  int file = -1;
  snprintf(path, sizeof(path), CT_DIR "/%s", name);
  bl_err err = ct->disk->ops->open(ct->disk, path, BL_OPEN_READ | BL_OPEN_WRITE, &file, NULL);
  if (err != BL_OK) fail_msg("%s: %s", path, bl_err_name(err));
  return file;
}

void ct_read(struct ct *ct, const char *name, int64_t offset, void *to, size_t len) {
  int file = open_file(ct, name);
  size_t got = 0;
  assert_int_equal(ct->disk->ops->read(ct->disk, file, to, len, offset, &got), BL_OK);
  assert_int_equal(got, len);
  ct->disk->ops->close(ct->disk, file);
}

void ct_write(struct ct *ct, const char *name, int64_t offset, const void *from, size_t len) {
  int file = open_file(ct, name);
  assert_int_equal(ct->disk->ops->write(ct->disk, file, from, len, offset), BL_OK);
  ct->disk->ops->close(ct->disk, file);
}

void ct_flip(struct ct *ct, const char *name, int64_t bit) {
  char byte;
  ct_read(ct, name, bit / 8, &byte, 1);
  byte = (char)(byte ^ 1 << bit % 8);
  ct_write(ct, name, bit / 8, &byte, 1);
}

int64_t ct_size(struct ct *ct, const char *name) {
  int file = open_file(ct, name);
  int64_t size = 0;
  assert_int_equal(ct->disk->ops->size(ct->disk, file, &size), BL_OK);
  ct->disk->ops->close(ct->disk, file);
  return size;
}
