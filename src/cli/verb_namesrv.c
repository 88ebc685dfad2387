#include "cli/serve.h"
#include "cli/verb.h"

static int run(int argc, char **argv);

const struct bl_verb bl_verb_namesrv = {
    .name = "namesrv",
    .summary = "Run a name server alone",
    .usage =
        "bolide namesrv [options]\n"
        "\n"
        "A name server for brokers of other processes, bolide's or RocketMQ's.\n"
        "\n"
        "  --listen HOST        address to listen on (127.0.0.1); * is every address\n"
        "  --insecure           listening beyond loopback without authentication is meant\n"
        "  --namesrv-port N     port (9876); 0 is any free one\n"
        "  --store DIR          folder for its key-value table (./namesrv)\n"
        "  -c, --config FILE    namesrv.conf in RocketMQ's properties syntax\n"
        "  --set KEY=VALUE      one key of the configuration; may be repeated\n"
        "  --ready-file FILE    written as JSON once it serves\n",
    .run = run,
};

static int run(int argc, char **argv) {
  return bl_serve(&bl_verb_namesrv, true, false, argc, argv);
}
