#include "store/store_testlib.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

struct st_waiter {
  struct bl_store_waiter waiter;
  struct st *st;
};

static void toy_forget(struct st_toy *toy) {
  memset(toy->at, 0, sizeof(toy->at));
  toy->last_offset = -1;
}

static const char *snapshot_path(const struct st_toy *toy) {
  static char path[300];
  snprintf(path, sizeof(path), "%s/bolide/toy.snapshot", toy->dir);
  return path;
}

static struct st_toy *toy_of(struct bl_follower *follower) {
  return (struct st_toy *)(void *)follower;
}

static bl_err toy_load(struct bl_follower *follower, int64_t *out_covered_offset,
                       struct bl_why *why) {
  (void)why;
  struct st_toy *toy = toy_of(follower);
  toy_forget(toy);
  *out_covered_offset = 0;
  struct bl_arena arena;
  bl_arena_init(&arena);
  struct bl_slice bytes;
  if (bl_disk_read_file(toy->disk, snapshot_path(toy), 1 << 20, &arena, &bytes) == BL_OK) {
    assert_int_equal(bytes.len, 8 + sizeof(toy->at));
    *out_covered_offset = (int64_t)bl_load_u64(bytes.ptr);
    memcpy(toy->at, bytes.ptr + 8, sizeof(toy->at));
  }
  bl_arena_fini(&arena);
  toy->covered = *out_covered_offset;
  return BL_OK;
}

static void toy_discard(struct bl_follower *follower) {
  toy_of(follower)->discards++;
  toy_forget(toy_of(follower));
}

static void toy_on_record(struct bl_follower *follower, const struct bl_record *record) {
  struct st_toy *toy = toy_of(follower);
  int64_t number = record->queue_offset;
  assert_in_range(number, 0, ST_MESSAGES_MAX - 1);
  if (toy->at[number] != 0 && toy->at[number] != record->log_offset + 1) toy->replaced++;
  toy->at[number] = record->log_offset + 1;
  toy->last_offset = record->log_offset;
  toy->shown++;
}

static bool toy_snapshot_step(struct bl_follower *follower, struct bl_snapshot *snapshot) {
  struct st_toy *toy = toy_of(follower);
  if (!snapshot->started) toy->step = 0;
  if (++toy->step < toy->steps) return true;
  struct bl_snapshot_file *file = bl_snapshot_add(snapshot, snapshot_path(toy), true);
  bl_buf_put_u64(&file->bytes, (uint64_t)snapshot->covered_offset);
  bl_buf_put(&file->bytes, toy->at, sizeof(toy->at));
  return false;
}

static void toy_snapshot_done(struct bl_follower *follower, const struct bl_snapshot *snapshot,
                              bl_err err) {
  if (err == BL_OK) toy_of(follower)->snapshots_done++;
  if (err == BL_OK) toy_of(follower)->covered = snapshot->covered_offset;
  if (err != BL_OK) toy_of(follower)->snapshots_failed++;
}

static int64_t toy_needs_from(struct bl_follower *follower) {
  return toy_of(follower)->covered;
}

static void toy_log_min_moved(struct bl_follower *follower, int64_t min_offset) {
  toy_of(follower)->min_offset = min_offset;
}

static const struct bl_follower_ops toy_ops = {
    .name = "toy",
    .load = toy_load,
    .discard = toy_discard,
    .on_record = toy_on_record,
    .snapshot_step = toy_snapshot_step,
    .snapshot_done = toy_snapshot_done,
    .needs_from = toy_needs_from,
    .log_min_moved = toy_log_min_moved,
};

enum bl_write_mode st_write_mode;

__attribute__((constructor)) static void take_mode(void) {
  const char *mode = getenv("BOLIDE_TEST_LOG_MODE");
  if (mode != NULL && strcmp(mode, "direct") == 0) st_write_mode = BL_WRITE_DIRECT;
}

int st_run(const struct CMUnitTest *tests, size_t count) {
  st_write_mode = BL_WRITE_BUFFERED;
  int failed = _cmocka_run_group_tests("buffered", tests, count, NULL, NULL);
  st_write_mode = BL_WRITE_DIRECT;
  return failed + _cmocka_run_group_tests("direct", tests, count, NULL, NULL);
}

static void take_note(void *context, const char *line) {
  struct st *st = context;
  st->notes++;
  snprintf(st->note, sizeof(st->note), "%s", line);
}

void st_init(struct st *st) {
  memset(st, 0, sizeof(*st));
  st->fake = bl_disk_fake_new();
  st->disk = bl_disk_fake_disk(st->fake);
  bl_clock_fake_init(&st->clock, 1700000000000);
  bl_timers_init(&st->timers);
  st->flush = bl_worker_new_inline();
  st->pool = bl_worker_new_inline();
  st->toy.follower.ops = &toy_ops;
  st->toy.steps = 1;
  st->followers[0] = &st->toy.follower;
  st->settings = (struct bl_store_settings){
      .dir = ST_DIR,
      .segment_bytes = 65536,
      .ring_bytes = 65536,
      .flush_mode = BL_FLUSH_SYNC,
      .write_mode = st_write_mode,
      .zero_ahead_bytes = 65536,
      .flush_interval_ms = 500,
      .flush_bytes = 1 << 20,
      .snapshot_interval_ms = 30000,
      .snapshot_bytes = 1 << 20,
      .append_crc = true,
      .note = take_note,
      .note_context = st,
  };
}

void st_fini(struct st *st) {
  if (st->store != NULL) st_close(st);
  bl_worker_free(st->flush);
  bl_worker_free(st->pool);
  bl_timers_fini(&st->timers);
  bl_disk_fake_free(st->fake);
}

bl_err st_try_open(struct st *st, struct bl_why *why) {
  st->toy.disk = st->disk;
  st->toy.dir = st->settings.dir;
  bl_err err = bl_store_open(&st->settings, st->disk, &st->clock.clock, &st->timers, st->flush,
                             st->pool, st->followers, 1, &st->store, why);
  if (err != BL_OK) st->store = NULL;
  return err;
}

void st_open(struct st *st) {
  struct bl_why why = {""};
  bl_err err = st_try_open(st, &why);
  if (err != BL_OK) fail_msg("open: %s: %s", bl_err_name(err), why.text);
}

void st_close(struct st *st) {
  bl_store_close(st->store);
  st->store = NULL;
}

void st_kill(struct st *st) {
  bl_disk_fake_kill(st->fake);
  st_close(st);
  bl_disk_fake_restart(st->fake);
}

void st_power_loss(struct st *st, uint64_t seed) {
  bl_disk_fake_power_loss(st->fake, seed);
  st_close(st);
  bl_disk_fake_restart(st->fake);
}

static void on_done(struct bl_store_waiter *waiter, bl_err err) {
  struct st_waiter *self = BL_CONTAINER(waiter, struct st_waiter, waiter);
  if (err == BL_OK) {
    self->st->acked++;
  } else {
    self->st->refused++;
    self->st->refused_err = err;
  }
  free(self);
}

/* Bytes that depend on the number, so that a wrong place is seen. */
static void fill_body(char *body, uint32_t bytes, int64_t number) {
  for (uint32_t i = 0; i < bytes; i++) body[i] = (char)('a' + (number * 7 + i) % 26);
}

bl_err st_append(struct st *st, uint32_t body_bytes) {
  char *body = malloc(body_bytes + 1);
  assert_non_null(body);
  fill_body(body, body_bytes, st->next);
  struct bl_record record = {
      .queue_id = 3,
      .queue_offset = st->next,
      .born_ms = 5,
      .born_host = {{127, 0, 0, 1}, 4, 1000},
      .store_host = {{127, 0, 0, 1}, 4, 10911},
      .topic = BL_SLICE("TopicTest"),
      .body = bl_slice_of(body, body_bytes),
      .properties = BL_SLICE("TAGS\001A\002"),
  };
  bl_err err = bl_store_append(st->store, &record);
  free(body);
  if (err != BL_OK) return err;
  st->next++;
  struct st_waiter *self = calloc(1, sizeof(*self));
  assert_non_null(self);
  self->st = st;
  self->waiter.done = on_done;
  bl_store_wait(st->store, &self->waiter, record.log_offset + record.size_bytes);
  return BL_OK;
}

void st_settle(struct st *st) {
  size_t did;
  do {
    did = bl_store_end_turn(st->store) ? 1 : 0;
    did += bl_worker_drain(st->flush);
    did += bl_worker_drain(st->pool);
  } while (did > 0);
}

void st_send(struct st *st, uint32_t body_bytes) {
  bl_err err = st_append(st, body_bytes);
  for (int i = 0; i < 3 && err == BL_ERR_BUSY; i++) {
    st_settle(st);
    err = st_append(st, body_bytes);
  }
  assert_int_equal(err, BL_OK);
}

void st_pass(struct st *st, int64_t ms) {
  st->clock.now_mono_ns += ms * 1000000;
  st->clock.now_wall_ms += ms;
  bl_timers_run(&st->timers, bl_clock_mono_ms(&st->clock.clock), 100);
  st_settle(st);
}

void st_check_message(struct st *st, int64_t number) {
  if (st->toy.at[number] == 0) fail_msg("message %d is not known", (int)number);
  int64_t offset = st->toy.at[number] - 1;
  char size[4];
  assert_int_equal(bl_store_read_blocking(st->store, offset, 4, size), BL_OK);
  uint32_t len = bl_load_u32(size);
  assert_in_range(len, 1, 1 << 20);
  char *bytes = malloc(len);
  assert_int_equal(bl_store_read_blocking(st->store, offset, len, bytes), BL_OK);
  struct bl_record record;
  assert_int_equal(bl_record_decode(bl_slice_of(bytes, len), BL_RECORD_CHECKED, &record), BL_OK);
  assert_int_equal(record.log_offset, offset);
  assert_int_equal(record.queue_offset, number);
  assert_true(bl_slice_is(record.topic, "TopicTest"));
  char *body = malloc(record.body.len + 1);
  fill_body(body, (uint32_t)record.body.len, number);
  assert_memory_equal(body, record.body.ptr, record.body.len);
  free(body);
  free(bytes);
}

int64_t st_check_prefix(struct st *st, int64_t at_least) {
  int64_t count = 0;
  while (count < ST_MESSAGES_MAX && st->toy.at[count] != 0) count++;
  if (count < at_least) fail_msg("%d messages are there, %d were acked", (int)count, (int)at_least);
  for (int64_t i = 0; i < count; i++) {
    st_check_message(st, i);
    if (i > 0) assert_true(st->toy.at[i] > st->toy.at[i - 1]);
  }
  for (int64_t i = count; i < ST_MESSAGES_MAX; i++) assert_int_equal(st->toy.at[i], 0);
  return count;
}

void st_damage(struct st *st, int64_t offset, const void *bytes, size_t len) {
  char path[200];
  int64_t size = st->settings.segment_bytes;
  snprintf(path, sizeof(path), ST_DIR "/commitlog/%020lld", (long long)(offset / size * size));
  int file = -1;
  assert_int_equal(st->disk->ops->open(st->disk, path, BL_OPEN_WRITE, &file, NULL), BL_OK);
  assert_int_equal(st->disk->ops->write(st->disk, file, bytes, len, offset % size), BL_OK);
  assert_int_equal(st->disk->ops->sync(st->disk, file), BL_OK);
  st->disk->ops->close(st->disk, file);
}
