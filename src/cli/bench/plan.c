#include "cli/bench/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "cli/args.h"
#include "cli/session.h"

#define WINDOW_ASYNC 256
#define WINDOW_BATCH 8
#define BATCH_DEFAULT 32
#define OPTIONS_MAX 32

static const char *const verbs[] = {"send", "pull", "e2e", "idle", "null", "echo"};

static bl_err find_verb(const char *name, struct bl_bench_plan *plan, struct bl_why *why) {
  size_t count = sizeof(verbs) / sizeof(verbs[0]);
  for (size_t i = 0; i < count; i++) {
    if (strcmp(name, verbs[i]) == 0) plan->verb = verbs[i];
  }
  if (plan->verb != NULL) return BL_OK;
  const char *nearest = bl_args_nearest(name, verbs, count);
  if (nearest != NULL)
    return bl_why_set(why, BL_ERR_USAGE, "there is no bench '%s'; did you mean %s?", name, nearest);
  return bl_why_set(why, BL_ERR_USAGE,
                    "there is no bench '%s'; it is send, pull, e2e, idle, null or echo", name);
}

static bl_err check_mode(struct bl_bench_plan *plan, struct bl_why *why) {
  if (strcmp(plan->mode_text, "sync") == 0)
    plan->mode = BL_BENCH_SYNC;
  else if (strcmp(plan->mode_text, "async") == 0)
    plan->mode = BL_BENCH_ASYNC;
  else if (strcmp(plan->mode_text, "batch") == 0)
    plan->mode = BL_BENCH_BATCH;
  else
    return bl_why_set(why, BL_ERR_USAGE, "--mode is '%s'; it is sync, async or batch",
                      plan->mode_text);
  if (plan->mode == BL_BENCH_SYNC && plan->window > 1)
    return bl_why_set(why, BL_ERR_USAGE, "--window is for --mode async and batch; sync has one");
  if (plan->mode != BL_BENCH_BATCH && plan->batch > 0)
    return bl_why_set(why, BL_ERR_USAGE, "--batch is for --mode batch");
  if (plan->mode == BL_BENCH_BATCH && plan->batch == 0) plan->batch = BATCH_DEFAULT;
  if (plan->window == 0) {
    plan->window = plan->mode == BL_BENCH_SYNC    ? 1
                   : plan->mode == BL_BENCH_ASYNC ? WINDOW_ASYNC
                                                  : WINDOW_BATCH;
  }
  return BL_OK;
}

static bl_err check_e2e(const struct bl_bench_plan *plan, struct bl_why *why) {
  if (plan->rate == 0)
    return bl_why_set(why, BL_ERR_USAGE,
                      "e2e needs a --rate; at the maximum it would measure a "
                      "queue that grows");
  if (plan->topics > 1) return bl_why_set(why, BL_ERR_USAGE, "e2e has one topic");
  if (plan->size < BL_BENCH_MARK_BYTES)
    return bl_why_set(why, BL_ERR_USAGE, "--size is %lld; e2e puts %d bytes of its own into each",
                      (long long)plan->size, BL_BENCH_MARK_BYTES);
  return BL_OK;
}

static bool is_e2e(const struct bl_bench_plan *plan) {
  return strcmp(plan->verb, "e2e") == 0 || (strcmp(plan->verb, "echo") == 0 && plan->hop);
}

static bl_err check(struct bl_bench_plan *plan, struct bl_why *why) {
  bl_err err = check_mode(plan, why);
  if (err == BL_OK && is_e2e(plan)) err = check_e2e(plan, why);
  if (err != BL_OK) return err;
  if (strcmp(plan->codec_text, "json") == 0)
    plan->codec = BL_CODEC_JSON;
  else if (strcmp(plan->codec_text, "binary") == 0)
    plan->codec = BL_CODEC_BINARY;
  else
    return bl_why_set(why, BL_ERR_USAGE, "--headers is '%s'; it is json or binary",
                      plan->codec_text);
  if (strcmp(plan->from_text, "begin") == 0)
    plan->from = BL_BENCH_FROM_BEGIN;
  else if (strcmp(plan->from_text, "end") == 0)
    plan->from = BL_BENCH_FROM_END;
  else if (!bl_slice_i64(bl_slice_text(plan->from_text), &plan->from) || plan->from < 0)
    return bl_why_set(why, BL_ERR_USAGE, "--from is '%s'; it is begin, end or an offset",
                      plan->from_text);
  int64_t frame = (plan->batch > 0 ? plan->batch : 1) * (plan->size + plan->property_bytes + 128);
  if (frame > BL_FRAME_BYTES_MAX - 4096)
    return bl_why_set(why, BL_ERR_USAGE,
                      "a request would have more than 16 MiB, which no server "
                      "takes; lower --size or --batch");
  if (plan->topics > 1 && strlen(plan->topic) > 120)
    return bl_why_set(why, BL_ERR_USAGE, "--topic is too long for numbers behind it");
  return BL_OK;
}

static void set_defaults(struct bl_bench_plan *plan) {
  const char *from_variable = getenv(BL_SESSION_NAMESRV_VARIABLE);
  *plan = (struct bl_bench_plan){.topic = "BolideBench",
                                 .codec_text = "binary",
                                 .from_text = "begin",
                                 .connections = 1,
                                 .rate = -1,
                                 .size = 128,
                                 .topics = 1,
                                 .warmup = -1,
                                 .seconds = -1,
                                 .seed = 1,
                                 .max_messages = 32,
                                 .max_bytes = 1048576,
                                 .listen = "127.0.0.1:0"};
  plan->namesrv = from_variable != NULL && from_variable[0] != '\0' ? from_variable
                                                                    : BL_SESSION_NAMESRV_DEFAULT;
}

/* What was left open and means something else for each verb. */
static void set_defaults_of_verb(struct bl_bench_plan *plan) {
  bool e2e = is_e2e(plan);
  bool pull = strcmp(plan->verb, "pull") == 0;
  bool sends = e2e || strcmp(plan->verb, "send") == 0 || strcmp(plan->verb, "echo") == 0;
  if (plan->mode_text == NULL) plan->mode_text = e2e ? "async" : "sync";
  if (plan->queues == 0 && sends) plan->queues = 4;
  if (plan->rate < 0) plan->rate = e2e ? 1000 : 0;
  /* A backlog is read to its end, from the first message on. */
  if (plan->warmup < 0) plan->warmup = plan->count > 0 || pull ? 0 : 1;
  if (plan->seconds < 0 && plan->count == 0 && !pull) plan->seconds = 10;
}

bl_err bl_bench_plan_parse(int argc, char **argv, struct bl_bench_plan *out_plan, bool *out_help,
                           struct bl_why *why) {
  struct bl_bench_plan *p = out_plan;
  set_defaults(p);
  const struct bl_arg options[] = {
      {.name = "namesrv", .kind = BL_ARG_TEXT, .to = &p->namesrv},
      {.name = "server", .kind = BL_ARG_TEXT, .to = &p->server},
      {.name = "topic", .kind = BL_ARG_TEXT, .to = &p->topic},
      {.name = "mode", .kind = BL_ARG_TEXT, .to = &p->mode_text},
      {.name = "headers", .kind = BL_ARG_TEXT, .to = &p->codec_text},
      {.name = "connections", BL_ARG_NUMBER, &p->connections, 1, BL_BENCH_CONNECTIONS_MAX},
      {.name = "window", BL_ARG_NUMBER, &p->window, 1, BL_BENCH_WINDOW_MAX},
      {.name = "batch", BL_ARG_NUMBER, &p->batch, 1, 4096},
      {.name = "size", BL_ARG_NUMBER, &p->size, 1, 4194304},
      {.name = "properties", BL_ARG_NUMBER, &p->property_bytes, 0, 32000},
      {.name = "queues", BL_ARG_NUMBER, &p->queues, 1, 65536},
      {.name = "topics", BL_ARG_NUMBER, &p->topics, 1, 1000000},
      {.name = "rate", BL_ARG_NUMBER, &p->rate, 0, 100000000},
      {.name = "seconds", BL_ARG_NUMBER, &p->seconds, 0, 1000000},
      {.name = "warmup", BL_ARG_NUMBER, &p->warmup, 0, 100000},
      {.name = "count", BL_ARG_NUMBER, &p->count, 0, INT64_MAX / 2},
      {.name = "seed", BL_ARG_NUMBER, &p->seed, 0, INT64_MAX},
      {.name = "spin", BL_ARG_NUMBER, &p->spin_us, 0, 1000000},
      {.name = "max-messages", BL_ARG_NUMBER, &p->max_messages, 1, 65536},
      {.name = "max-bytes", BL_ARG_NUMBER, &p->max_bytes, 1, 16000000},
      {.name = "from", .kind = BL_ARG_TEXT, .to = &p->from_text},
      {.name = "listen", .kind = BL_ARG_TEXT, .to = &p->listen},
      {.name = "loop", .kind = BL_ARG_FLAG, .to = &p->loop},
      {.name = "long-polls", .kind = BL_ARG_FLAG, .to = &p->long_polls},
      {.name = "heartbeats", .kind = BL_ARG_FLAG, .to = &p->heartbeats},
      {.name = "hop", .kind = BL_ARG_FLAG, .to = &p->hop},
      {.name = "json", .kind = BL_ARG_FLAG, .to = &p->json},
  };
  struct bl_args args;
  bl_err err = bl_args_parse(argc, argv, options, sizeof(options) / sizeof(options[0]), &args, why);
  if (err != BL_OK) return err;
  *out_help = args.help;
  if (args.help) return BL_OK;
  if (args.positional_count == 0)
    return bl_why_set(why, BL_ERR_USAGE,
                      "say what to measure: send, pull, e2e, idle, null or echo");
  err = find_verb(args.positional[0], p, why);
  if (err != BL_OK) return err;
  if (args.positional_count > 1)
    return bl_why_set(why, BL_ERR_USAGE, "'%s' is one word too many", args.positional[1]);
  set_defaults_of_verb(p);
  return check(p, why);
}
