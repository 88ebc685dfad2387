#include "store/entry.h"

#include "wire/properties.h"

/* Source: MessageStoreConfig.messageDelayLevel, the default. */
static const int32_t delay_seconds[] = {
    1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200,
};
#define DELAY_LEVEL_MAX (int64_t)(sizeof(delay_seconds) / sizeof(delay_seconds[0]))

static uint32_t count_of(const struct bl_record *record) {
  int32_t count;
  struct bl_slice text = bl_properties_get(record->properties, BL_SLICE("INNER_NUM"));
  if (text.ptr == NULL || !bl_slice_i32(text, &count) || count < 1 || count > INT16_MAX) return 1;
  return (uint32_t)count;
}

/* In the topic of delayed messages the code is the time of delivery. */
static int64_t code_of(const struct bl_record *record) {
  if (bl_slice_is(record->topic, "SCHEDULE_TOPIC_XXXX")) {
    int64_t level;
    struct bl_slice text = bl_properties_get(record->properties, BL_PROP_DELAY);
    if (text.ptr != NULL && bl_slice_i64(text, &level) && level > 0) {
      if (level > DELAY_LEVEL_MAX) level = DELAY_LEVEL_MAX;
      return record->store_ms + delay_seconds[level - 1] * INT64_C(1000);
    }
  }
  return bl_record_tags_code(record);
}

struct bl_entry bl_entry_of(const struct bl_record *record) {
  int32_t type = record->sys_flag & BL_SYS_TRANSACTION_MASK;
  if (type == BL_SYS_PREPARED || type == BL_SYS_ROLLBACK) return (struct bl_entry){.any = false};
  bool batch = (record->sys_flag & BL_SYS_INNER_BATCH) != 0;
  return (struct bl_entry){.any = true,
                           .batch = batch,
                           .count = batch ? count_of(record) : 1,
                           .tags_code = code_of(record)};
}

bool bl_entry_is_filler(const struct bl_record *record) {
  return (record->sys_flag & BL_SYS_TRANSACTION_MASK) == BL_SYS_ROLLBACK &&
         bl_slice_is(record->topic, BL_FILLER_TOPIC);
}
