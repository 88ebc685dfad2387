/* bolide bench send|pull|e2e|idle|null */
#include <stdio.h>
#include <string.h>

#include "cli/bench/e2e.h"
#include "cli/bench/echo.h"
#include "cli/bench/idle.h"
#include "cli/bench/null.h"
#include "cli/bench/plan.h"
#include "cli/bench/pull.h"
#include "cli/bench/send.h"
#include "cli/verb.h"

static int run(int argc, char **argv);

const struct bl_verb bl_verb_bench = {
    .name = "bench",
    .summary = "Measure a RocketMQ server: rates and latencies",
    .usage =
        "Usage: bolide bench send|pull|e2e|idle|null|echo [OPTIONS]\n"
        "\n"
        "Measures any RocketMQ server over its remoting protocol, from one thread, with as little "
        "CPU as it can.\n"
        "\n"
        "  send   sends and waits for the answers: one by one (--mode sync), with a window of "
        "requests under way\n"
        "         (async), or many messages in one request (batch). Without --rate as fast as the "
        "server answers;\n"
        "         with it at that rate whatever the server does, and latencies count from when "
        "each was due\n"
        "  pull   reads the topic to the end of what it has\n"
        "  e2e    sends at --rate (1000) and receives by long polling: the time from due to "
        "received\n"
        "  idle   holds connections open, for footprints and as noise beside other runs\n"
        "  null   a server that stores nothing: answers each send as bolide would, the ceiling of "
        "the sockets\n"
        "  echo   send to a null server that is started for it; with --hop e2e\n"
        "\n"
        "Where to:\n"
        "  --namesrv ADDR     name server; else the variable BOLIDE_SERVER, else 127.0.0.1:9876\n"
        "  --server ADDR      broker, without a name server\n"
        "  --topic T          BolideBench; send and e2e make it when it is missing\n"
        "  --topics N         send: to T-0 to T-(N-1) in turn\n"
        "  --queues N         queues 0 to N-1 in turn (4); pull: all of the topic\n"
        "  --headers KIND     binary (ROCKETMQ, the Java client's fastest) or json\n"
        "How:\n"
        "  --connections N    1\n"
        "  --mode MODE        sync, async, batch; of e2e async\n"
        "  --window N         requests under way on each connection: async 256, batch 8\n"
        "  --batch N          messages in a request: 32\n"
        "  --size N           bytes of a body: 128\n"
        "  --properties N     bytes of one more property\n"
        "  --rate N           messages a second over all connections\n"
        "  --max-messages N   pull, e2e: asked for at a time (32)\n"
        "  --max-bytes N      pull, e2e: the same in bytes (1048576)\n"
        "  --from WHERE       pull: begin, end, or an offset\n"
        "  --loop             pull: begins again at the end\n"
        "  --heartbeats       idle: every 30 s on each connection\n"
        "  --long-polls       idle: a pull waits on each connection\n"
        "  --hop              null: messages go on to the consumer that waits: the floor of e2e\n"
        "  --listen ADDR      null: 127.0.0.1:0, any free port; it prints which\n"
        "  --spin US          polls so long before it sleeps: 0\n"
        "  --seed N           of the bodies' bytes: 1\n"
        "How long:\n"
        "  --seconds N        of the measured part: 10; pull: until the end\n"
        "  --warmup N         seconds before it: 1; with --count and of pull 0\n"
        "  --count N          messages, and then it ends\n"
        "  --json             prints one JSON object\n"
        "\n"
        "Exit codes: 0 it was measured, 1 nothing worked, 2 wrong use.\n",
    .run = run,
};

static int run(int argc, char **argv) {
  struct bl_bench_plan plan;
  struct bl_why why = {""};
  bool help = false;
  if (bl_bench_plan_parse(argc, argv, &plan, &help, &why) != BL_OK) {
    size_t len = strlen(why.text);
    fprintf(stderr, "bolide bench: %s%s `bolide help bench` lists the options.\n", why.text,
            len > 0 && why.text[len - 1] == '?' ? "" : ".");
    return BL_EXIT_USAGE;
  }
  if (help) {
    fputs(bl_verb_bench.usage, stdout);
    return BL_EXIT_OK;
  }
  if (strcmp(plan.verb, "send") == 0) return bl_bench_send(&plan);
  if (strcmp(plan.verb, "pull") == 0) return bl_bench_pull(&plan);
  if (strcmp(plan.verb, "e2e") == 0) return bl_bench_e2e(&plan);
  if (strcmp(plan.verb, "idle") == 0) return bl_bench_idle(&plan);
  if (strcmp(plan.verb, "echo") == 0) return bl_bench_echo(&plan);
  return bl_bench_null(&plan);
}
