/* What a Java broker that had the store delivered: config/delayOffset.json says it by level and
 * queue offset, config/timercheck by time and queue offset. What they say stays true. A message
 * that Java rolled is in the log twice, and the younger one counts. Source: apache/rocketmq
 * ScheduleMessageService, TimerCheckpoint, TimerMessageStore#doEnqueue. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/log.h"
#include "store/timers/pending_internal.h"
#include "wire/properties.h"

#define FILE_BYTES_MAX (1 << 20)
#define CHECK_BYTES 56
/* TimerMessageStore: timerRollWindowSlot is two days; less is never rolled. An hour for other
 * settings. */
#define ROLL_MS_MIN 3600000

static bl_err read_config(struct bl_pending *pending, const char *name, struct bl_arena *arena,
                          struct bl_slice *out_bytes) {
  char path[512];
  int len = snprintf(path, sizeof(path), "%s/config/%s", pending->dir, name);
  if (len < 0 || (size_t)len >= sizeof(path)) return BL_ERR_PARAMETER;
  return bl_disk_read_file(pending->disk, path, FILE_BYTES_MAX, arena, out_bytes);
}

static void load_levels(struct bl_pending *pending, struct bl_arena *arena) {
  struct bl_slice bytes;
  const struct bl_json *root = NULL;
  if (read_config(pending, "delayOffset.json", arena, &bytes) != BL_OK) return;
  if (bl_json_parse(bytes, BL_JSON_DIALECT, arena, &root, NULL) != BL_OK) {
    bl_log(BL_LOG_WARN, "store", "timers.java.unusable", "file=config/delayOffset.json");
    return;
  }
  const struct bl_json *table = bl_json_get(root, "offsetTable");
  for (int level = 1; table != NULL && level <= BL_PENDING_LEVELS_MAX; level++) {
    char name[16];
    snprintf(name, sizeof(name), "%d", level);
    pending->java.level_done[level - 1] = bl_json_i64(bl_json_get(table, name), 0);
    if (pending->java.level_done[level - 1] > 0) pending->java.any = true;
  }
}

static void load_check(struct bl_pending *pending, struct bl_arena *arena) {
  struct bl_slice bytes;
  if (read_config(pending, "timercheck", arena, &bytes) != BL_OK || bytes.len < CHECK_BYTES) return;
  pending->java.read_ms = (int64_t)bl_load_u64(bytes.ptr);
  pending->java.queue_offset = (int64_t)bl_load_u64(bytes.ptr + 16);
  pending->java.any = pending->java.any || pending->java.read_ms > 0;
}

bool bl_pending__load_java(struct bl_pending *pending) {
  struct bl_arena arena;
  struct bl_disk_stat stat;
  char path[512];
  bl_arena_init(&arena);
  load_levels(pending, &arena);
  load_check(pending, &arena);
  bl_arena_fini(&arena);
  int len = snprintf(path, sizeof(path), "%s/checkpoint", pending->dir);
  BL_ASSERT(len > 0 && (size_t)len < sizeof(path));
  return pending->disk->ops->stat(pending->disk, path, &stat) == BL_OK;
}

bool bl_pending__java_did(const struct bl_pending *pending, const struct bl_record *record) {
  int64_t out_ms;
  if (!pending->java.any) return false;
  if (bl_slice_is(record->topic, BL_PENDING_LEVEL_TOPIC)) {
    return record->queue_id >= 0 && record->queue_id < BL_PENDING_LEVELS_MAX &&
           record->queue_offset < pending->java.level_done[record->queue_id];
  }
  return record->queue_offset < pending->java.queue_offset &&
         bl_slice_i64(bl_properties_get(record->properties, BL_SLICE("TIMER_OUT_MS")), &out_ms) &&
         out_ms < pending->java.read_ms;
}

struct rolled {
  int64_t due_ms;
  int64_t log_offset;
};

bool bl_pending__java_rolls(struct bl_pending *pending, const struct bl_record *record,
                            const struct bl_pending_entry *entry,
                            struct bl_pending_entry *out_old) {
  char text[600];
  struct bl_slice key = bl_properties_get(record->properties, BL_PROP_UNIQ_KEY);
  struct bl_slice topic = bl_pending__real_topic(record);
  struct bl_slice times = bl_properties_get(record->properties, BL_SLICE("TIMER_ROLL_TIMES"));
  if (pending->live || !pending->java.any || key.len == 0 ||
      (times.ptr == NULL && entry->due_ms - record->store_ms < ROLL_MS_MIN))
    return false;
  int len = snprintf(
      text, sizeof(text), "%.*s %.*s %lld %u", (int)(topic.len < 255 ? topic.len : 255), topic.ptr,
      (int)(key.len < 255 ? key.len : 255), key.ptr, (long long)entry->due_ms, entry->kind);
  struct bl_slice name = bl_slice_of(text, (size_t)len);
  struct rolled *old = bl_map_get(&pending->java.rolled, name);
  bool found = old != NULL && times.ptr != NULL;
  if (found) {
    *out_old = (struct bl_pending_entry){
        .due_ms = old->due_ms, .log_offset = old->log_offset, .kind = BL_PENDING_DEAD};
  }
  if (old == NULL) {
    old = malloc(sizeof(*old));
    BL_ASSERT(old != NULL);
    bl_map_put(&pending->java.rolled, name, old);
  }
  *old = (struct rolled){entry->due_ms, entry->log_offset};
  return found;
}

void bl_pending__end_java(struct bl_pending *pending) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&pending->java.rolled, &cursor)) != NULL) free(entry->value);
  bl_map_fini(&pending->java.rolled);
  bl_map_init(&pending->java.rolled);
}
