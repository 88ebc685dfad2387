#include "os/clock.h"

#include <time.h>

static int64_t real_wall_ms(const struct bl_clock *clock) {
  (void)clock;
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t real_mono_ns(const struct bl_clock *clock) {
  (void)clock;
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

const struct bl_clock *bl_clock_real(void) {
  static const struct bl_clock clock = {real_wall_ms, real_mono_ns};
  return &clock;
}

int bl_clock_local_hour(int64_t wall_ms) {
  time_t seconds = (time_t)(wall_ms / 1000);
  struct tm local;
  return localtime_r(&seconds, &local) != NULL ? local.tm_hour : 0;
}

static int64_t fake_wall_ms(const struct bl_clock *clock) {
  return ((const struct bl_clock_fake *)(const void *)clock)->now_wall_ms;
}

static int64_t fake_mono_ns(const struct bl_clock *clock) {
  return ((const struct bl_clock_fake *)(const void *)clock)->now_mono_ns;
}

void bl_clock_fake_init(struct bl_clock_fake *fake, int64_t wall_ms) {
  fake->clock.wall_ms = fake_wall_ms;
  fake->clock.mono_ns = fake_mono_ns;
  fake->now_wall_ms = wall_ms;
  fake->now_mono_ns = 1000000000;
}
