/* bolide log dump DIR */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/jsonline.h"
#include "cli/log/tool.h"
#include "cli/verb.h"
#include "wire/msgid.h"
#include "wire/properties.h"

#define SETTLE_MS 50
#define FLUSH_BYTES 65536

struct dump {
  struct bl_logtool tool;
  struct bl_scan scan;
  struct bl_buf out;
  int64_t from;
  int64_t to;
  int64_t count;
  int64_t segment_bytes;
  const char *topic;
  int64_t queue;
  const char *key;
  bool json;
  bool body;
  int64_t shown;
  bool damage;
};

static bool has_key(struct bl_slice properties, const char *key) {
  if (bl_slice_is(bl_properties_get(properties, BL_PROP_UNIQ_KEY), key)) return true;
  struct bl_slice keys = bl_properties_get(properties, BL_PROP_KEYS);
  while (keys.len > 0) {
    if (bl_slice_is(bl_slice_cut(&keys, ' '), key)) return true;
  }
  return false;
}

static bool is_wanted(const struct dump *dump, const struct bl_record *record) {
  if (dump->topic != NULL && !bl_slice_is(record->topic, dump->topic)) return false;
  if (dump->queue >= 0 && record->queue_id != dump->queue) return false;
  return dump->key == NULL || has_key(record->properties, dump->key);
}

static void put_word(struct bl_buf *out, const char *name, struct bl_slice text) {
  if (text.len == 0) return;
  bl_buf_printf(out, " %s=", name);
  bool quoted = memchr(text.ptr, ' ', text.len) != NULL;
  if (quoted) bl_buf_put_char(out, '"');
  bl_logtool_put_text(out, text);
  if (quoted) bl_buf_put_char(out, '"');
}

static void put_record(struct dump *dump, const struct bl_record *record) {
  struct bl_buf *out = &dump->out;
  char host[BL_HOST_TEXT_MAX];
  bl_host_text(&record->born_host, host);
  bl_buf_printf(out, "%" PRId64 " %" PRIu32 " ", record->log_offset, record->size_bytes);
  bl_logtool_put_text(out, record->topic);
  bl_buf_printf(out, " %" PRId32 "@%" PRId64 " ", record->queue_id, record->queue_offset);
  bl_logtool_put_time(out, record->store_ms);
  bl_buf_printf(out, " from=%s", host);
  put_word(out, "tags", bl_properties_get(record->properties, BL_PROP_TAGS));
  put_word(out, "keys", bl_properties_get(record->properties, BL_PROP_KEYS));
  put_word(out, "id", bl_properties_get(record->properties, BL_PROP_UNIQ_KEY));
  bl_buf_printf(out, " sysflag=0x%x body=%zu%s\n", (unsigned)record->sys_flag, record->body.len,
                record->with_crc ? "" : " no-crc");
  if (!dump->body) return;
  bl_buf_put_text(out, "  ");
  bl_logtool_put_text(out, record->body);
  bl_buf_put_char(out, '\n');
}

static const char *compression_of(const struct bl_record *record) {
  static const char *const names[] = {"zlib", "lz4", "zstd", "zlib"};
  if ((record->sys_flag & BL_SYS_COMPRESSED) == 0) return NULL;
  return names[(record->sys_flag >> 8) & 3];
}

/* The lines of `bolide consume --json`, and what only the log knows. */
static void put_record_json(struct dump *dump, const struct bl_record *record) {
  char host[BL_HOST_TEXT_MAX];
  char store_host[BL_HOST_TEXT_MAX];
  char id[BL_MSGID_TEXT_MAX];
  bl_host_text(&record->born_host, host);
  bl_host_text(&record->store_host, store_host);
  bl_msgid_text(&record->store_host, record->log_offset, id);
  struct bl_json_writer w = bl_json_writer_of(&dump->out, false);
  bl_json_open_object(&w);
  bl_json_member_i64(&w, "logOffset", record->log_offset);
  bl_json_member_i64(&w, "size", record->size_bytes);
  bl_logtool_put_member(&w, "topic", record->topic);
  bl_json_member_i64(&w, "queueId", record->queue_id);
  bl_json_member_i64(&w, "queueOffset", record->queue_offset);
  bl_json_member_i64(&w, "storeTimestamp", record->store_ms);
  bl_json_member_i64(&w, "bornTimestamp", record->born_ms);
  bl_json_member_text(&w, "bornHost", bl_slice_text(host));
  bl_json_member_text(&w, "storeHost", bl_slice_text(store_host));
  bl_json_member_text(&w, "offsetMsgId", bl_slice_text(id));
  bl_logtool_put_member(&w, "msgId", bl_properties_get(record->properties, BL_PROP_UNIQ_KEY));
  bl_logtool_put_member(&w, "tags", bl_properties_get(record->properties, BL_PROP_TAGS));
  bl_logtool_put_member(&w, "keys", bl_properties_get(record->properties, BL_PROP_KEYS));
  bl_json_member_i64(&w, "sysFlag", record->sys_flag);
  bl_json_member_i64(&w, "flag", record->flag);
  bl_json_member_i64(&w, "reconsumeTimes", record->reconsume_times);
  bl_json_member_i64(&w, "bodyBytes", (int64_t)record->body.len);
  bl_json_member_bool(&w, "propertyCrc", record->with_crc);
  bl_logtool_put_member(&w, "compression", bl_slice_text(compression_of(record)));
  if (dump->body) bl_jsonline_put_body(&w, record->body, compression_of(record) != NULL);
  bl_json_close_object(&w);
  bl_buf_put_char(&dump->out, '\n');
}

static void put_range(struct dump *dump, const struct bl_scan_item *item) {
  const char *kind = item->kind == BL_SCAN_GAP ? "damaged" : "tail";
  dump->damage = true;
  if (!dump->json) {
    bl_buf_printf(
        &dump->out, "%" PRId64 " %" PRId64 " *** %s: %s\n", item->from, item->to - item->from, kind,
        item->kind == BL_SCAN_GAP ? bl_err_text(item->err) : "bytes behind the end of the log");
    return;
  }
  struct bl_json_writer w = bl_json_writer_of(&dump->out, false);
  bl_json_open_object(&w);
  bl_json_member_i64(&w, "logOffset", item->from);
  bl_json_member_i64(&w, "size", item->to - item->from);
  bl_json_member_text(&w, "damage", bl_slice_text(kind));
  bl_json_member_text(&w, "why", bl_slice_text(bl_err_text(item->err)));
  bl_json_close_object(&w);
  bl_buf_put_char(&dump->out, '\n');
}

/* RETURNS false at the end. */
static bool show(struct dump *dump, const struct bl_scan_item *item) {
  if (item->kind == BL_SCAN_END || item->from >= dump->to) return false;
  if (item->kind == BL_SCAN_GAP || item->kind == BL_SCAN_TAIL) put_range(dump, item);
  if (item->kind == BL_SCAN_RECORD && is_wanted(dump, &item->record)) {
    if (dump->json) {
      put_record_json(dump, &item->record);
    } else {
      put_record(dump, &item->record);
    }
    dump->shown++;
  }
  if (dump->out.len >= FLUSH_BYTES && !bl_logtool_print(&dump->out)) return false;
  return dump->shown < dump->count;
}

static int work(struct dump *dump, const char *dir) {
  if (!bl_logtool_open(&dump->tool, dir, dump->segment_bytes, "read")) return BL_EXIT_USAGE;
  /* The lines are the progress, unless few are wanted. */
  if (dump->topic == NULL && dump->key == NULL && dump->queue < 0) bl_logtool_quiet(&dump->tool);
  bl_scan_init(&dump->scan, &dump->tool.source, bl_source_min(&dump->tool.source), SETTLE_MS);
  bl_err err = dump->from > 0 ? bl_scan_seek(&dump->scan, dump->from) : BL_OK;
  bool more = err == BL_OK;
  while (more) {
    struct bl_scan_item item;
    err = bl_scan_next(&dump->scan, &item);
    more = err == BL_OK && show(dump, &item);
  }
  bl_logtool_quiet(&dump->tool);
  bl_logtool_print(&dump->out);
  bl_scan_fini(&dump->scan);
  if (err == BL_OK) return dump->damage ? BL_EXIT_FAILED : BL_EXIT_OK;
  fprintf(stderr, "bolide log dump: cannot read the log: %s.\n", bl_err_text(err));
  return BL_EXIT_USAGE;
}

int bl_log_dump_run(int argc, char **argv) {
  struct dump dump = {.from = 0, .to = INT64_MAX, .count = INT64_MAX, .queue = -1};
  const char *dir = NULL;
  const struct bl_arg options[] = {
      {.name = "from", .kind = BL_ARG_NUMBER, .to = &dump.from, 0, INT64_MAX},
      {.name = "to", .kind = BL_ARG_NUMBER, .to = &dump.to, 0, INT64_MAX},
      {.name = "count", .kind = BL_ARG_NUMBER, .to = &dump.count, 1, INT64_MAX},
      {.name = "topic", .kind = BL_ARG_TEXT, .to = &dump.topic},
      {.name = "queue", .kind = BL_ARG_NUMBER, .to = &dump.queue, 0, INT32_MAX},
      {.name = "key", .kind = BL_ARG_TEXT, .to = &dump.key},
      {.name = "json", .kind = BL_ARG_FLAG, .to = &dump.json},
      {.name = "body", .kind = BL_ARG_FLAG, .to = &dump.body},
      {.name = "segment-bytes", .kind = BL_ARG_NUMBER, .to = &dump.segment_bytes, 1, INT32_MAX},
  };
  struct bl_args args;
  int exit_code;
  if (!bl_args_of_verb(&bl_verb_log, argc, argv, options, 9, &args, &exit_code)) return exit_code;
  if (!bl_logtool_dir(&args, "dump", &dir)) return BL_EXIT_USAGE;
  bl_buf_init(&dump.out, 0);
  exit_code = work(&dump, dir);
  bl_logtool_close(&dump.tool);
  bl_buf_fini(&dump.out);
  return exit_code;
}
