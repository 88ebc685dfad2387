/* The program's own log lines: one event, one line.
 *
 *   2026-11-22T20:01:02.345Z INFO  store recovered messages=5 ms=3
 * time (UTC), level, subject (the folder that speaks), event (a stable name that people and tests
 * search for), then key=value as the caller's format says. Pure: clock and sink are set at start.
 * Lines may come from any thread if the sink takes them; setting up is for before the threads
 * start. */
#ifndef BOLIDE_BASE_LOG_H
#define BOLIDE_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bl_log_level { BL_LOG_DEBUG, BL_LOG_INFO, BL_LOG_WARN, BL_LOG_ERROR, BL_LOG_OFF };

/* Longer lines are cut and end in "...". */
#define BL_LOG_LINE_BYTES_MAX 2048

/* The name in lower case ("debug" ... "off"), and back; false: no such level. */
const char *bl_log_level_name(enum bl_log_level level);
bool bl_log_level_of(const char *name, enum bl_log_level *out_level);

/* Gets a whole line with its '\n' (and no NUL). Must not log itself. */
typedef void (*bl_log_sink)(void *context, const char *line, size_t len);
/* Milliseconds since 1970. */
typedef int64_t (*bl_log_clock)(void);

/* Without a call: one write to standard error, and "-" as the time. NULL gives that back. HOLDS
 * context. */
void bl_log_set_sink(bl_log_sink sink, void *context);
void bl_log_set_clock(bl_log_clock clock);
/* What is below is not written. At any time, from any thread. Default: BL_LOG_INFO. */
void bl_log_set_level(enum bl_log_level level);
/* For callers whose values are costly to make. */
bool bl_log_on(enum bl_log_level level);

/* Control characters in what the format gives are written as '?': values may come from outside. */
void bl_log(enum bl_log_level level, const char *subject, const char *event, const char *format,
            ...) __attribute__((format(printf, 4, 5)));

/* For events that a peer can trigger: at most `per_second` lines a second; how many were left out
 * is said in one line ("left_out event=... lines=N") when the next second has something to say, or
 * at bl_log_limit_end. One for each event, one owner; zero but for per_second at the start. */
struct bl_log_limit {
  uint32_t per_second;
  uint32_t written; /* in this second */
  uint64_t left_out;
  int64_t second;
  enum bl_log_level level; /* of what was left out */
  const char *subject;
  const char *event;
};

/* HOLDS subject and event (literals). */
void bl_log_limited(struct bl_log_limit *limit, enum bl_log_level level, const char *subject,
                    const char *event, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Says what was left out so far; for a timer, and before stopping. */
void bl_log_limit_end(struct bl_log_limit *limit);

#endif
