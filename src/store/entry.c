#include "store/entry.h"

#include "base/javahash.h"
#include "wire/properties.h"

/* Source: MessageStoreConfig.messageDelayLevel, the default. */
static const int32_t delay_seconds[] = {
    1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200,
};
#define DELAY_LEVEL_MAX (int64_t)(sizeof(delay_seconds) / sizeof(delay_seconds[0]))

static uint32_t count_of(const struct bl_record *record) {
  int32_t count;
  struct bl_slice text = bl_properties_get(record->properties, BL_SLICE("INNER_NUM"));
  if (text.ptr == NULL || !bl_slice_i32(text, &count) || count < 1 || count > BL_INNER_BATCH_MAX)
    return 1;
  return (uint32_t)count;
}

/* The tags, and the offsets in light queues that nearly no record has, in one look at the
 * properties: every record comes through here. */
static struct bl_slice look(const struct bl_record *record, struct bl_slice *out_light_offsets) {
  static const char tags_name[] = "TAGS";
  static const char offsets_name[] = "INNER_MULTI_QUEUE_OFFSET";
  struct bl_slice tags = {NULL, 0};
  struct bl_slice rest = record->properties;
  struct bl_slice name;
  struct bl_slice value;
  while (bl_properties_next(&rest, &name, &value)) {
    if (name.len == sizeof(tags_name) - 1) {
      if (memcmp(name.ptr, tags_name, sizeof(tags_name) - 1) == 0) tags = value;
    } else if (name.len == sizeof(offsets_name) - 1) {
      if (memcmp(name.ptr, offsets_name, sizeof(offsets_name) - 1) == 0) *out_light_offsets = value;
    }
  }
  return tags;
}

/* In the topic of delayed messages the code is the time of delivery. */
static int64_t code_of(const struct bl_record *record, struct bl_slice tags) {
  if (bl_slice_is(record->topic, "SCHEDULE_TOPIC_XXXX")) {
    int64_t level;
    struct bl_slice text = bl_properties_get(record->properties, BL_PROP_DELAY);
    if (text.ptr != NULL && bl_slice_i64(text, &level) && level > 0) {
      if (level > DELAY_LEVEL_MAX) level = DELAY_LEVEL_MAX;
      return record->store_ms + delay_seconds[level - 1] * INT64_C(1000);
    }
  }
  return tags.len > 0 ? (int64_t)bl_javahash(tags) : 0;
}

bool bl_light_is_name(struct bl_slice name) {
  if (!bl_slice_starts(name, BL_LIGHT_PREFIX) || name.len > BL_LIGHT_NAME_BYTES_MAX) return false;
  for (size_t i = 0; i < name.len; i++) {
    if (name.ptr[i] == '/' || (unsigned char)name.ptr[i] < ' ') return false;
  }
  return true;
}

bool bl_light_is_allowed(struct bl_slice topic) {
  return !bl_slice_starts(topic, BL_SLICE("%RETRY%")) &&
         !bl_slice_starts(topic, BL_SLICE("rmq_sys_")) &&
         !bl_slice_is(topic, "SCHEDULE_TOPIC_XXXX");
}

/* As Java splits: what is empty at the end does not count. */
static struct bl_slice without_empty_end(struct bl_slice list) {
  while (list.len > 0 && list.ptr[list.len - 1] == ',') list.len--;
  return list;
}

static size_t commas(struct bl_slice list) {
  size_t count = 0;
  for (size_t i = 0; i < list.len; i++) count += list.ptr[i] == ',';
  return count;
}

/* Names and offsets are as many, or none of them count. */
static void take_light(const struct bl_record *record, struct bl_slice offsets,
                       struct bl_entry *entry) {
  struct bl_slice names =
      without_empty_end(bl_properties_get(record->properties, BL_SLICE("INNER_MULTI_DISPATCH")));
  offsets = without_empty_end(offsets);
  if (names.len == 0 || offsets.len == 0 || commas(names) != commas(offsets)) return;
  if (entry->batch || !bl_light_is_allowed(record->topic)) return;
  entry->light_names = names;
  entry->light_offsets = offsets;
}

struct bl_entry bl_entry_of(const struct bl_record *record) {
  int32_t type = record->sys_flag & BL_SYS_TRANSACTION_MASK;
  if (type == BL_SYS_PREPARED || type == BL_SYS_ROLLBACK) return (struct bl_entry){.any = false};
  bool batch = (record->sys_flag & BL_SYS_INNER_BATCH) != 0;
  struct bl_slice light_offsets = {NULL, 0};
  struct bl_slice tags = look(record, &light_offsets);
  struct bl_entry entry = {.any = true,
                           .batch = batch,
                           .count = batch ? count_of(record) : 1,
                           .tags_code = code_of(record, tags)};
  if (light_offsets.len > 0) take_light(record, light_offsets, &entry);
  return entry;
}

bool bl_light_next(struct bl_entry *entry, struct bl_light_place *out_place) {
  while (entry->light_names.len > 0 && entry->light_offsets.len > 0) {
    out_place->queue = bl_slice_cut(&entry->light_names, ',');
    struct bl_slice offset = bl_slice_cut(&entry->light_offsets, ',');
    if (bl_light_is_name(out_place->queue) && bl_slice_i64(offset, &out_place->queue_offset) &&
        out_place->queue_offset >= 0)
      return true;
  }
  return false;
}

bool bl_entry_is_filler(const struct bl_record *record) {
  return (record->sys_flag & BL_SYS_TRANSACTION_MASK) == BL_SYS_ROLLBACK &&
         bl_slice_is(record->topic, BL_FILLER_TOPIC);
}
