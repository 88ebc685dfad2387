#include "cli/bench/result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/json.h"
#include "cli/progress.h"
#include "cli/verb.h"
#include "wire/command.h"

struct bl_bench_result *bl_bench_result_new(const struct bl_bench_plan *plan) {
  struct bl_bench_result *result = calloc(1, sizeof(*result));
  BL_ASSERT(result != NULL);
  result->plan = plan;
  return result;
}

void bl_bench_result_free(struct bl_bench_result *result) {
  free(result);
}

void bl_bench_result_server(struct bl_bench_result *result, const char *address) {
  snprintf(result->server, sizeof(result->server), "%s", address);
}

void bl_bench_result_error(struct bl_bench_result *result, int32_t code, uint64_t messages,
                           struct bl_slice remark) {
  result->errors += messages;
  if (remark.len > 0 && result->first_error[0] == '\0')
    snprintf(result->first_error, sizeof(result->first_error), "%.*s",
             remark.len > 300 ? 300 : (int)remark.len, remark.ptr);
  uint32_t i = 0;
  while (i < result->code_count && result->codes[i].code != code) i++;
  if (i == BL_BENCH_CODES_MAX) i = BL_BENCH_CODES_MAX - 1;
  if (i == result->code_count) result->codes[result->code_count++].code = code;
  result->codes[i].count += messages;
}

void bl_bench_result_error_of(struct bl_bench_result *result, int32_t code, uint64_t messages,
                              struct bl_slice frame) {
  struct bl_arena arena;
  struct bl_command command = {0};
  bl_arena_init(&arena);
  if (result->first_error[0] != '\0' || bl_command_decode(frame, &arena, &command) != BL_OK)
    command.remark = (struct bl_slice){NULL, 0};
  bl_bench_result_error(result, code, messages, command.remark);
  bl_arena_fini(&arena);
}

void bl_bench_result_take_errors(struct bl_bench_result *result,
                                 const struct bl_bench_result *other) {
  for (uint32_t i = 0; i < other->code_count; i++)
    bl_bench_result_error(result, other->codes[i].code, other->codes[i].count,
                          bl_slice_text(other->first_error));
}

void bl_bench_result_note(struct bl_bench_result *result, const char *name, int64_t number) {
  BL_ASSERT(result->note_count < BL_BENCH_NOTES_MAX);
  result->notes[result->note_count++] = (struct bl_bench_note){name, number};
}

static double per_second(const struct bl_bench_result *result, double amount) {
  return result->seconds > 0 ? amount / result->seconds : 0;
}

static double cpu_per_message(const struct bl_bench_result *result) {
  return result->messages > 0 ? (double)result->cpu_us / (double)result->messages : 0;
}

/* Rounded to so many decimals. */
static void put_fixed(struct bl_json_writer *w, const char *name, double number, int decimals) {
  double scale = pow(10, decimals);
  bl_json_key(w, name);
  bl_json_put_double(w, round(number * scale) / scale);
}

static void put_codes(struct bl_json_writer *w, const struct bl_bench_result *result) {
  static const char *const names[] = {"lost", "unanswered", "strange", "damaged", "missing"};
  bl_json_key(w, "errors_by_code");
  bl_json_open_object(w);
  for (uint32_t i = 0; i < result->code_count; i++) {
    char name[16];
    int32_t code = result->codes[i].code;
    if (code < 0 && code >= BL_BENCH_CODE_MISSING)
      snprintf(name, sizeof(name), "%s", names[-1 - code]);
    else
      snprintf(name, sizeof(name), "%d", code);
    bl_json_member_i64(w, name, (int64_t)result->codes[i].count);
  }
  bl_json_close_object(w);
}

static void put_latency(struct bl_json_writer *w, const char *key, const struct bl_hist *latency) {
  static const struct {
    const char *name;
    double percent;
  } rows[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99_9", 99.9}, {"p99_99", 99.99}};
  bl_json_key(w, key);
  bl_json_open_object(w);
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
    put_fixed(w, rows[i].name, (double)bl_hist_percentile(latency, rows[i].percent) / 1000, 1);
  put_fixed(w, "max", (double)latency->max / 1000, 1);
  put_fixed(w, "mean", bl_hist_mean(latency) / 1000, 1);
  bl_json_close_object(w);
}

void bl_bench_result_json(const struct bl_bench_result *result, struct bl_buf *out) {
  const struct bl_bench_plan *plan = result->plan;
  struct bl_json_writer w = bl_json_writer_of(out, false);
  bl_json_open_object(&w);
  bl_json_member_text(&w, "verb", bl_slice_text(plan->verb));
  bl_json_member_text(&w, "mode", bl_slice_text(plan->mode_text));
  bl_json_member_text(&w, "server", bl_slice_text(result->server));
  bl_json_member_text(&w, "topic", bl_slice_text(plan->topic));
  bl_json_member_text(&w, "headers", bl_slice_text(plan->codec_text));
  bl_json_member_i64(&w, "connections", plan->connections);
  bl_json_member_i64(&w, "window", plan->window);
  bl_json_member_i64(&w, "batch", plan->batch > 0 ? plan->batch : 1);
  bl_json_member_i64(&w, "size", plan->size);
  bl_json_member_i64(&w, "queues", plan->queues);
  bl_json_member_i64(&w, "topics", plan->topics);
  bl_json_member_i64(&w, "rate", plan->rate);
  bl_json_member_i64(&w, "started_ms", result->started_ms);
  put_fixed(&w, "seconds", result->seconds, 6);
  bl_json_member_i64(&w, "messages", (int64_t)result->messages);
  bl_json_member_i64(&w, "bytes", (int64_t)result->bytes);
  bl_json_member_i64(&w, "frames", (int64_t)result->frames);
  bl_json_member_i64(&w, "sent_total", (int64_t)result->sent_total);
  bl_json_member_i64(&w, "good_total", (int64_t)result->good_total);
  bl_json_member_i64(&w, "errors", (int64_t)result->errors);
  put_codes(&w, result);
  put_fixed(&w, "rate_per_s", per_second(result, (double)result->messages), 1);
  put_fixed(&w, "mb_per_s", per_second(result, (double)result->bytes) / 1e6, 3);
  put_latency(&w, "latency_us", &result->latency);
  if (result->acks != NULL) put_latency(&w, "ack_latency_us", result->acks);
  put_fixed(&w, "cpu_us_per_message", cpu_per_message(result), 3);
  for (uint32_t i = 0; i < result->note_count; i++)
    bl_json_member_i64(&w, result->notes[i].name, result->notes[i].number);
  bl_json_close_object(&w);
  bl_buf_put_char(out, '\n');
}

static void tell_latency(const char *what, const struct bl_hist *latency) {
  if (latency->total == 0) return;
  printf("%s, us: p50 %.1f, p90 %.1f, p99 %.1f, p99.9 %.1f, max %.1f, mean %.1f\n", what,
         (double)bl_hist_percentile(latency, 50) / 1e3,
         (double)bl_hist_percentile(latency, 90) / 1e3,
         (double)bl_hist_percentile(latency, 99) / 1e3,
         (double)bl_hist_percentile(latency, 99.9) / 1e3, (double)latency->max / 1e3,
         bl_hist_mean(latency) / 1e3);
}

static void tell_plan(const struct bl_bench_result *result) {
  const struct bl_bench_plan *plan = result->plan;
  const char *verb = plan->verb;
  printf("%s", verb);
  if (strcmp(verb, "pull") == 0)
    printf(", at most %lld messages each time", (long long)plan->max_messages);
  else if (plan->batch > 0)
    printf(" in batches of %lld, %lld B each", (long long)plan->batch, (long long)plan->size);
  else
    printf(" %s, %lld B", plan->mode_text, (long long)plan->size);
  printf(", %lld connection%s", (long long)plan->connections, plan->connections == 1 ? "" : "s");
  if (plan->window > 1) printf(" with a window of %lld", (long long)plan->window);
  if (plan->rate > 0) printf(", %s/s", bl_progress_number((uint64_t)plan->rate));
  printf(", topic %s, %lld queue%s", plan->topic, (long long)plan->queues,
         plan->queues == 1 ? "" : "s");
  if (plan->topics > 1) printf(" of %s topics each", bl_progress_number((uint64_t)plan->topics));
  printf(", server %s\n", result->server);
}

static void tell_page(const struct bl_bench_result *result) {
  bool due = result->plan->rate > 0, pull = strcmp(result->plan->verb, "pull") == 0;
  tell_plan(result);
  printf("%s messages in %.2f s: %s/s, %.1f MB/s; %.2f us of own CPU each\n",
         bl_progress_number(result->messages), result->seconds,
         bl_progress_number((uint64_t)(per_second(result, (double)result->messages) + 0.5)),
         per_second(result, (double)result->bytes) / 1e6, cpu_per_message(result));
  tell_latency(result->acks != NULL ? "due to received"
               : due                ? "due to answered"
               : pull               ? "pull to answer"
                                    : "sent to answered",
               &result->latency);
  if (result->acks != NULL) tell_latency("due to answered", result->acks);
}

/* What each kind of error is, for BL_BENCH_CODE_LOST and so on. */
static const char *const sentences[] = {
    "were lost: the server closed the connection while they were under way",
    "had no answer when the run had ended",
    "more answers than requests came",
    "pulls gave bytes that are no record, or an earlier one",
    "were acked and not received",
};

static void tell_errors(const struct bl_bench_result *result) {
  for (uint32_t i = 0; i < result->code_count; i++) {
    int32_t code = result->codes[i].code;
    const char *count = bl_progress_number(result->codes[i].count);
    if (code < 0 && code >= BL_BENCH_CODE_MISSING)
      fprintf(stderr, "bolide bench: %s %s.\n", count, sentences[-1 - code]);
    else
      fprintf(stderr, "bolide bench: %s were answered with code %d.\n", count, code);
  }
  if (result->first_error[0] != '\0')
    fprintf(stderr, "bolide bench: the first time the server said: %s\n", result->first_error);
}

int bl_bench_failed(bl_err err, const struct bl_why *why) {
  fprintf(stderr, "bolide bench: %s.\n", why->text);
  return err == BL_ERR_USAGE ? BL_EXIT_USAGE : BL_EXIT_FAILED;
}

int bl_bench_result_tell(const struct bl_bench_result *result) {
  bool idle = strcmp(result->plan->verb, "idle") == 0;
  if (result->plan->json) {
    struct bl_buf text = {0};
    bl_bench_result_json(result, &text);
    fwrite(text.data, 1, text.len, stdout);
    bl_buf_fini(&text);
  } else if (!idle) {
    tell_page(result);
  }
  fflush(stdout);
  tell_errors(result);
  return result->messages == 0 && result->errors > 0 ? BL_EXIT_FAILED : BL_EXIT_OK;
}
