/* messageDelayLevel: apache/rocketmq ScheduleMessageService#parseDelayLevel. */
#include "broker/delay/delay.h"

static int64_t unit_ms(char unit) {
  switch (unit) {
    case 's': return 1000;
    case 'm': return 60 * 1000;
    case 'h': return 60 * 60 * 1000;
    case 'd': return 24 * 60 * 60 * 1000;
    default: return 0;
  }
}

static bool parse_one(struct bl_slice text, int64_t *out_ms) {
  int64_t number;
  if (text.len < 2) return false;
  int64_t unit = unit_ms(text.ptr[text.len - 1]);
  return unit > 0 && bl_slice_i64(bl_slice_of(text.ptr, text.len - 1), &number) && number >= 0 &&
         !__builtin_mul_overflow(number, unit, out_ms);
}

bl_err bl_delay_levels_parse(struct bl_slice text, int64_t *out_delays_ms, int *out_count,
                             struct bl_why *why) {
  int count = 0;
  while (text.ptr != NULL) {
    struct bl_slice word = bl_slice_trim(bl_slice_cut(&text, ' '));
    if (word.len == 0) continue;
    if (count == BL_PENDING_LEVELS_MAX) {
      return bl_why_set(why, BL_ERR_USAGE, "messageDelayLevel has more than %d levels",
                        BL_PENDING_LEVELS_MAX);
    }
    if (!parse_one(word, &out_delays_ms[count])) {
      return bl_why_set(why, BL_ERR_USAGE,
                        "messageDelayLevel: %.*s is no time; write a number and s, m, h or d, as "
                        "in 10s",
                        BL_FMT(word));
    }
    count++;
  }
  if (count == 0) return bl_why_set(why, BL_ERR_USAGE, "messageDelayLevel names no level");
  *out_count = count;
  return BL_OK;
}
