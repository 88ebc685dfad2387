#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

static void to_stderr(void *context, const char *line, size_t len) {
  (void)context;
  fwrite(line, 1, len, stderr); /* unbuffered: one write */
}

static bl_log_sink sink_now = to_stderr;
static void *sink_context;
static bl_log_clock clock_now;
static _Atomic(enum bl_log_level) level_now = BL_LOG_INFO;

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

const char *bl_log_level_name(enum bl_log_level level) {
  BL_ASSERT((unsigned)level <= BL_LOG_OFF);
  return level_names[level];
}

bool bl_log_level_of(const char *name, enum bl_log_level *out_level) {
  for (int i = 0; i <= BL_LOG_OFF; i++) {
    if (strcmp(name, level_names[i]) != 0) continue;
    *out_level = (enum bl_log_level)i;
    return true;
  }
  return false;
}

void bl_log_set_sink(bl_log_sink sink, void *context) {
  sink_now = sink != NULL ? sink : to_stderr;
  sink_context = context;
}

void bl_log_set_clock(bl_log_clock clock) {
  clock_now = clock;
}

void bl_log_set_level(enum bl_log_level level) {
  atomic_store_explicit(&level_now, level, memory_order_relaxed);
}

bool bl_log_on(enum bl_log_level level) {
  return level >= atomic_load_explicit(&level_now, memory_order_relaxed);
}

/* The calendar day `days` after 1970-01-01, counted in years that begin in March, so that the leap
 * day is the last of its year (400 years are 146,097 days). */
static void day_of(int64_t days, int *year, int *month, int *day) {
  days += 719468; /* since 0000-03-01 */
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  int in_era = (int)(days - era * 146097);
  int year_of_era = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
  int in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int march_month = (5 * in_year + 2) / 153;
  *day = in_year - (153 * march_month + 2) / 5 + 1;
  *month = march_month < 10 ? march_month + 3 : march_month - 9;
  *year = (int)(year_of_era + era * 400) + (*month <= 2);
}

/* Years beyond 9999 are not a time that a clock shows; they are cut to keep the line's form. */
static size_t put_time(char *room, size_t size) {
  if (clock_now == NULL) return (size_t)snprintf(room, size, "-");
  int64_t ms = clock_now();
  if (ms < 0) ms = 0;
  if (ms > 253402300799999) ms = 253402300799999;
  int year, month, day;
  day_of(ms / 86400000, &year, &month, &day);
  int in_day = (int)(ms % 86400000);
  return (size_t)snprintf(room, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
                          in_day / 3600000, in_day / 60000 % 60, in_day / 1000 % 60, in_day % 1000);
}

static void put_line(enum bl_log_level level, const char *subject, const char *event,
                     const char *format, va_list args) {
  static const char *const names[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
  static const char cut[] = "...";
  char line[BL_LOG_LINE_BYTES_MAX];
  size_t room = sizeof(line) - 1; /* one for the end of line */
  size_t len = put_time(line, room);
  len += (size_t)snprintf(line + len, room - len, " %s %.64s %.64s", names[level], subject, event);
  size_t head = len;
  line[len++] = ' ';
  int rest = vsnprintf(line + len, room - len, format, args);
  BL_ASSERT(rest >= 0);
  if (rest == 0) {
    len = head;
  } else if ((size_t)rest < room - len) {
    len += (size_t)rest;
  } else {
    len = room - 1;
    memcpy(line + len - (sizeof(cut) - 1), cut, sizeof(cut) - 1);
  }
  for (size_t i = head; i < len; i++) {
    if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) line[i] = '?';
  }
  line[len++] = '\n';
  sink_now(sink_context, line, len);
}

void bl_log(enum bl_log_level level, const char *subject, const char *event, const char *format,
            ...) {
  BL_ASSERT((unsigned)level < BL_LOG_OFF);
  if (!bl_log_on(level)) return;
  va_list args;
  va_start(args, format);
  put_line(level, subject, event, format, args);
  va_end(args);
}

void bl_log_limit_end(struct bl_log_limit *limit) {
  if (limit->left_out == 0) return;
  uint64_t lines = limit->left_out;
  limit->left_out = 0;
  bl_log(limit->level, limit->subject, "left_out", "event=%s lines=%llu", limit->event,
         (unsigned long long)lines);
}

void bl_log_limited(struct bl_log_limit *limit, enum bl_log_level level, const char *subject,
                    const char *event, const char *format, ...) {
  BL_ASSERT((unsigned)level < BL_LOG_OFF);
  if (!bl_log_on(level)) return;
  int64_t second = clock_now != NULL ? clock_now() / 1000 : 0;
  if (second != limit->second) { /* also when the clock was set back */
    bl_log_limit_end(limit);
    limit->second = second;
    limit->written = 0;
  }
  if (limit->written >= limit->per_second) {
    limit->left_out++;
    limit->level = level;
    limit->subject = subject;
    limit->event = event;
    return;
  }
  limit->written++;
  va_list args;
  va_start(args, format);
  put_line(level, subject, event, format, args);
  va_end(args);
}
