/* What a run of `bolide bench` is asked to do: its options, checked. Pure. */
#ifndef BOLIDE_CLI_BENCH_PLAN_H
#define BOLIDE_CLI_BENCH_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/command.h"

enum bl_bench_mode { BL_BENCH_SYNC, BL_BENCH_ASYNC, BL_BENCH_BATCH };

#define BL_BENCH_MARK_BYTES 16 /* of an e2e body: when it was due, and the run it belongs to */
#define BL_BENCH_WINDOW_MAX 32768
#define BL_BENCH_CONNECTIONS_MAX 65536

struct bl_bench_plan {
  const char *verb; /* send, pull, ... */
  const char *namesrv;
  const char *server; /* NULL: by the name server */
  const char *topic;
  enum bl_bench_mode mode;
  const char *mode_text;
  enum bl_codec codec;
  const char *codec_text;
  int64_t connections;
  int64_t window;
  int64_t batch; /* 0: no batches */
  int64_t size;
  int64_t property_bytes;
  int64_t queues; /* 0: of send 4, of readers all that the topic has */
  int64_t topics;
  int64_t rate;
  int64_t seconds;
  int64_t warmup;
  int64_t count; /* 0: by time */
  int64_t seed;
  int64_t spin_us;
  int64_t max_messages;
  int64_t max_bytes;
  int64_t from; /* offset of a pull; or one of these */
  const char *from_text;
  const char *listen;
  bool loop;
  bool long_polls;
  bool heartbeats;
  bool hop;
  bool json;
};

#define BL_BENCH_FROM_BEGIN (-1)
#define BL_BENCH_FROM_END (-2)

/* FILLS the plan from the verb's arguments: argv[1] is the kind of run. BL_ERR_USAGE with a
 * sentence; *out_help: -h was there. */
BL_MUST_CHECK bl_err bl_bench_plan_parse(int argc, char **argv, struct bl_bench_plan *out_plan,
                                         bool *out_help, struct bl_why *why);

#endif
