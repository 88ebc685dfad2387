#include "cli/serve.h"
#include "cli/verb.h"

static int run(int argc, char **argv);

const struct bl_verb bl_verb_broker = {
    .name = "broker",
    .summary = "Run a broker that registers with name servers elsewhere",
    .usage =
        "bolide broker -c broker.conf [options]\n"
        "\n"
        "A broker alone; namesrvAddr in the configuration names the name servers, bolide's or "
        "RocketMQ's.\n"
        "\n"
        "  -c, --config FILE    broker.conf in RocketMQ's properties syntax\n"
        "  --set KEY=VALUE      one key of the configuration; may be repeated\n"
        "  --store DIR          folder of the store (./store)\n"
        "  --listen HOST        address to listen on (127.0.0.1); * is every address\n"
        "  --insecure           listening beyond loopback without authentication is meant\n"
        "  --broker-port N      port (10911), VIP port two below; 0 is any free one\n"
        "  --advertise A        [CIDR=]HOST:PORT given to clients, separated by commas\n"
        "  --ready-file FILE    written as JSON once it serves\n",
    .run = run,
};

static int run(int argc, char **argv) {
  return bl_serve(&bl_verb_broker, false, true, argc, argv);
}
