/* Which dead letters are taken, and what becomes of them. Pure. */
#include <stdio.h>

#include "base/crc32.h"
#include "client/redrive_internal.h"
#include "wire/properties.h"

static bool is_key(const struct bl_record *record, struct bl_slice key) {
  struct bl_slice keys = bl_properties_get(record->properties, BL_PROP_KEYS);
  if (bl_slice_eq(keys, key)) return true;
  while (keys.ptr != NULL) {
    if (bl_slice_eq(bl_slice_cut(&keys, ' '), key)) return true;
  }
  return bl_slice_eq(bl_properties_get(record->properties, BL_PROP_UNIQ_KEY), key) ||
         bl_slice_eq(bl_properties_get(record->properties, BL_PROP_ORIGIN_MESSAGE_ID), key);
}

bool bl_redrive__takes(const struct bl_redrive_filter *filter, const struct bl_record *record) {
  if (filter->from_ms > 0 && record->store_ms < filter->from_ms) return false;
  if (filter->until_ms > 0 && record->store_ms >= filter->until_ms) return false;
  if (filter->tag.ptr != NULL &&
      !bl_slice_eq(bl_properties_get(record->properties, BL_PROP_TAGS), filter->tag)) {
    return false;
  }
  return filter->key.ptr == NULL || is_key(record, filter->key);
}

struct bl_slice bl_redrive__origin(const struct bl_record *record) {
  struct bl_slice topic = bl_properties_get(record->properties, BL_PROP_RETRY_TOPIC);
  if (topic.len > 0) return topic;
  return bl_properties_get(record->properties, BL_PROP_DLQ_ORIGIN_TOPIC);
}

/* What belongs to the deliveries that failed, or is set anew when the message is stored. */
static bool is_left_behind(struct bl_slice name) {
  static const char *const names[] = {"UNIQ_KEY",
                                      "WAIT",
                                      "DELAY",
                                      "RETRY_TOPIC",
                                      "DLQ_ORIGIN_TOPIC",
                                      "REAL_TOPIC",
                                      "REAL_QID",
                                      "RECONSUME_TIME",
                                      "MAX_RECONSUME_TIMES",
                                      "CLUSTER",
                                      "MSG_REGION",
                                      "TRACE_ON",
                                      "POP_CK",
                                      "1ST_POP_TIME",
                                      "TRAN_MSG",
                                      "PGROUP",
                                      "MIN_OFFSET",
                                      "MAX_OFFSET",
                                      "CONSUME_START_TIME",
                                      "INNER_NUM",
                                      "INNER_BASE",
                                      BL_RECORD_CRC_PROPERTY};
  if (bl_slice_starts(name, BL_SLICE("TIMER_"))) return true;
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (bl_slice_is(name, names[i])) return true;
  }
  return false;
}

void bl_redrive__properties(const struct bl_record *record, struct bl_buf *out) {
  struct bl_slice rest = record->properties;
  struct bl_slice name, value;
  bool has_id = false;
  while (bl_properties_next(&rest, &name, &value)) {
    if (is_left_behind(name)) continue;
    has_id = has_id || bl_slice_eq(name, BL_PROP_ORIGIN_MESSAGE_ID);
    bl_properties_put(out, name, value);
  }
  struct bl_slice id = bl_properties_get(record->properties, BL_PROP_UNIQ_KEY);
  if (!has_id && id.len > 0) bl_properties_put(out, BL_PROP_ORIGIN_MESSAGE_ID, id);
}

struct bl_slice bl_redrive_group(struct bl_slice group, const struct bl_redrive_filter *filter,
                                 struct bl_arena *arena) {
  if (filter->key.ptr == NULL && filter->tag.ptr == NULL && filter->from_ms == 0 &&
      filter->until_ms == 0) {
    return bl_arena_printf(arena, "redrive_%.*s", BL_FMT(group));
  }
  /* Lengths before the texts: no two filters are the same text. */
  struct bl_slice text = bl_arena_printf(
      arena, "%lld %lld %zu:%.*s %zu:%.*s", (long long)filter->from_ms, (long long)filter->until_ms,
      filter->key.len + (filter->key.ptr != NULL), BL_FMT(filter->key),
      filter->tag.len + (filter->tag.ptr != NULL), BL_FMT(filter->tag));
  return bl_arena_printf(arena, "redrive_%.*s_%08x", BL_FMT(group),
                         bl_crc32(0, text.ptr, text.len));
}
