#include "broker/retention/sure_clock.h"

void bl_sure_clock_init(struct bl_sure_clock *sure, int64_t from_ms, int64_t mono_ms) {
  *sure = (struct bl_sure_clock){.now_ms = from_ms, .mono_ms = mono_ms};
}

static bool is_another(const struct bl_sure_clock *sure, int64_t offset_ms) {
  int64_t difference_ms = offset_ms - sure->doubted_offset_ms;
  return difference_ms > BL_SURE_CLOCK_SLACK_MS || difference_ms < -BL_SURE_CLOCK_SLACK_MS;
}

int64_t bl_sure_clock_now(struct bl_sure_clock *sure, int64_t wall_ms, int64_t mono_ms,
                          int64_t confirm_ms) {
  sure->now_ms += mono_ms - sure->mono_ms;
  sure->mono_ms = mono_ms;
  if (wall_ms <= sure->now_ms + BL_SURE_CLOCK_SLACK_MS) {
    sure->now_ms = wall_ms;
    sure->doubted = false;
    return sure->now_ms;
  }
  int64_t offset_ms = wall_ms - mono_ms;
  if (!sure->doubted || is_another(sure, offset_ms)) {
    sure->doubted = true;
    sure->doubted_from_ms = mono_ms;
    sure->doubted_offset_ms = offset_ms;
  }
  if (mono_ms - sure->doubted_from_ms >= confirm_ms) {
    sure->now_ms = wall_ms;
    sure->doubted = false;
  }
  return sure->now_ms;
}
