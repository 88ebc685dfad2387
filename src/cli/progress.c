#include "cli/progress.h"

#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "os/process.h"
#include "os/stdio.h"

#define STEP_MS 500

const char *bl_progress_number(uint64_t number) {
  static char texts[4][32];
  static unsigned next;
  char *text = texts[next++ % 4];
  char digits[24];
  int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
  int to = 0;
  for (int i = 0; i < len; i++) {
    if (i > 0 && (len - i) % 3 == 0) text[to++] = ',';
    text[to++] = digits[i];
  }
  text[to] = '\0';
  return text;
}

const char *bl_progress_bytes(uint64_t bytes) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
  static char texts[4][32];
  static unsigned next;
  char *text = texts[next++ % 4];
  double amount = (double)bytes;
  size_t unit = 0;
  while (amount >= 999.95 && unit < 4) {
    amount /= 1000;
    unit++;
  }
  snprintf(text, sizeof(texts[0]), unit == 0 ? "%.0f %s" : "%.1f %s", amount, units[unit]);
  return text;
}

static int line_of_bytes(const struct bl_progress *progress, uint64_t rate, char *line,
                         size_t size) {
  uint64_t done = *progress->count;
  uint64_t left = done < progress->total_bytes ? progress->total_bytes - done : 0;
  uint64_t seconds = rate > 0 ? left / rate : 0;
  return snprintf(line, size, "\r\033[K%s %s of %s, %s/s, %llu:%02llu left", progress->what,
                  bl_progress_bytes(done), bl_progress_bytes(progress->total_bytes),
                  bl_progress_bytes(rate), (unsigned long long)(seconds / 60),
                  (unsigned long long)(seconds % 60));
}

static int line_of_total(const struct bl_progress *progress, uint64_t rate, char *line,
                         size_t size) {
  uint64_t done = *progress->count;
  uint64_t left = done < *progress->total ? *progress->total - done : 0;
  uint64_t seconds = rate > 0 ? left / rate : 0;
  return snprintf(line, size, "\r\033[K%s %s of %s, %s/s, %llu:%02llu left", progress->what,
                  bl_progress_number(done), bl_progress_number(*progress->total),
                  bl_progress_number(rate), (unsigned long long)(seconds / 60),
                  (unsigned long long)(seconds % 60));
}

static void show(struct bl_timer *timer, int64_t now_ms) {
  struct bl_progress *progress = BL_CONTAINER(timer, struct bl_progress, timer);
  int64_t passed_ms = now_ms > progress->last_ms ? now_ms - progress->last_ms : 1;
  uint64_t rate = (*progress->count - progress->last_count) * 1000 / (uint64_t)passed_ms;
  char line[160];
  int len = progress->total_bytes > 0 ? line_of_bytes(progress, rate, line, sizeof(line))
            : progress->total != NULL && *progress->total > 0
                ? line_of_total(progress, rate, line, sizeof(line))
                : snprintf(line, sizeof(line), "\r\033[K%s %s, %s/s", progress->what,
                           bl_progress_number(*progress->count), bl_progress_number(rate));
  bl_process_write_stderr(line, (uint64_t)len);
  progress->shown = true;
  progress->last_count = *progress->count;
  progress->last_ms = now_ms;
  bl_timer_set(progress->timers, timer, now_ms + STEP_MS);
}

void bl_progress_start(struct bl_progress *progress, struct bl_timers *timers, int64_t now_ms,
                       const char *what, const uint64_t *count) {
  *progress = (struct bl_progress){
      .timer = {.fire = show}, .timers = timers, .what = what, .count = count, .last_ms = now_ms};
  if (bl_stdio_is_terminal(BL_STDERR)) bl_timer_set(timers, &progress->timer, now_ms + STEP_MS);
}

void bl_progress_start_bytes(struct bl_progress *progress, struct bl_timers *timers, int64_t now_ms,
                             const char *what, const uint64_t *count, uint64_t total_bytes) {
  bl_progress_start(progress, timers, now_ms, what, count);
  progress->total_bytes = total_bytes;
}

void bl_progress_start_of(struct bl_progress *progress, struct bl_timers *timers, int64_t now_ms,
                          const char *what, const uint64_t *count, const uint64_t *total) {
  bl_progress_start(progress, timers, now_ms, what, count);
  progress->total = total;
}

void bl_progress_clear(struct bl_progress *progress) {
  if (progress->shown) bl_process_write_stderr("\r\033[K", 4);
  progress->shown = false;
}

void bl_progress_stop(struct bl_progress *progress) {
  if (progress->timers == NULL) return;
  bl_timer_cancel(progress->timers, &progress->timer);
  bl_progress_clear(progress);
}
