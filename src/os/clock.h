/* Time. The real clock and a fake one that a test sets. */
#ifndef BOLIDE_OS_CLOCK_H
#define BOLIDE_OS_CLOCK_H

#include <stdint.h>

struct bl_clock {
  int64_t (*wall_ms)(const struct bl_clock *clock); /* since 1970, may jump */
  int64_t (*mono_ns)(const struct bl_clock *clock); /* never goes back; leases and time limits */
};

/* The machine's clock; static storage, any thread. */
const struct bl_clock *bl_clock_real(void);

static inline int64_t bl_clock_wall_ms(const struct bl_clock *clock) {
  return clock->wall_ms(clock);
}
static inline int64_t bl_clock_mono_ns(const struct bl_clock *clock) {
  return clock->mono_ns(clock);
}
static inline int64_t bl_clock_mono_ms(const struct bl_clock *clock) {
  return clock->mono_ns(clock) / 1000000;
}

/* Hour of the day, 0 to 23, in the machine's time zone. */
int bl_clock_local_hour(int64_t wall_ms);

/* A clock that stands still until its fields are set. */
struct bl_clock_fake {
  struct bl_clock clock;
  int64_t now_wall_ms;
  int64_t now_mono_ns;
};
void bl_clock_fake_init(struct bl_clock_fake *fake, int64_t wall_ms);

#endif
