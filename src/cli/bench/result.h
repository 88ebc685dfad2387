/* What a run found, and how it is told: a page for people or one JSON object. */
#ifndef BOLIDE_CLI_BENCH_RESULT_H
#define BOLIDE_CLI_BENCH_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "cli/bench/hist.h"
#include "cli/bench/plan.h"

#define BL_BENCH_CODES_MAX 32
/* Errors that no server answered have codes of ours. */
#define BL_BENCH_CODE_LOST (-1)       /* the connection went while it was under way */
#define BL_BENCH_CODE_UNANSWERED (-2) /* no answer when the run had ended */
#define BL_BENCH_CODE_STRANGE (-3)    /* an answer that nobody waited for */
#define BL_BENCH_CODE_DAMAGED (-4)    /* what was pulled is no record, or an earlier one */
#define BL_BENCH_CODE_MISSING (-5)    /* sent and acked, and never received */

#define BL_BENCH_NOTES_MAX 8

struct bl_bench_code {
  int32_t code;
  uint64_t count;
};

struct bl_bench_note {
  const char *name;
  int64_t number;
};

struct bl_bench_result {
  const struct bl_bench_plan *plan;
  char server[300];    /* the broker's address */
  int64_t started_ms;  /* wall clock, of the measured part */
  double seconds;      /* of the measured part */
  uint64_t messages;   /* good ones in the measured part */
  uint64_t bytes;      /* their bodies; of a pull the records */
  uint64_t frames;     /* requests that carried them */
  uint64_t errors;     /* messages; of the whole run, as the codes */
  uint64_t sent_total; /* of the whole run, warm-up and end included */
  uint64_t good_total;
  int64_t cpu_us; /* of this process, measured part */
  struct bl_bench_code codes[BL_BENCH_CODES_MAX];
  uint32_t code_count;
  char first_error[400]; /* what the server said to the first */
  struct bl_bench_note notes[BL_BENCH_NOTES_MAX];
  uint32_t note_count;
  const struct bl_hist *acks; /* e2e: from due to acked; else NULL */
  struct bl_hist latency;
};

struct bl_bench_result *bl_bench_result_new(const struct bl_bench_plan *plan);
void bl_bench_result_free(struct bl_bench_result *result);
void bl_bench_result_server(struct bl_bench_result *result, const char *address);

/* Counts `messages` that ended with that code. remark: what the server says, or the absent slice.
 */
void bl_bench_result_error(struct bl_bench_result *result, int32_t code, uint64_t messages,
                           struct bl_slice remark);

/* The same with what the frame of the answer says. */
void bl_bench_result_error_of(struct bl_bench_result *result, int32_t code, uint64_t messages,
                              struct bl_slice frame);
/* Adds the errors of another. */
void bl_bench_result_take_errors(struct bl_bench_result *result,
                                 const struct bl_bench_result *other);
/* One more number for the object; BORROWS the name. */
void bl_bench_result_note(struct bl_bench_result *result, const char *name, int64_t number);

/* Says on standard error why nothing could be measured. RETURNS the exit code. */
int bl_bench_failed(bl_err err, const struct bl_why *why);
/* Tells it on standard output and says on standard error what went wrong. RETURNS the exit code. */
int bl_bench_result_tell(const struct bl_bench_result *result);
/* The JSON object with a new line. */
void bl_bench_result_json(const struct bl_bench_result *result, struct bl_buf *out);

#endif
