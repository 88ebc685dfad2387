#include "cli/serve.h"
#include "cli/verb.h"

static int run(int argc, char **argv);

const struct bl_verb bl_verb_server = {
    .name = "server",
    .summary = "Run name server and broker in this process",
    .usage =
        "bolide server [options]\n"
        "\n"
        "Name server and broker in one process. Needs no configuration.\n"
        "\n"
        "  --store DIR          folder of the store (./store)\n"
        "  --listen HOST        address to listen on (127.0.0.1); * is every address\n"
        "  --insecure           listening beyond loopback without authentication is meant\n"
        "  --namesrv-port N     name server port (9876); 0 is any free one\n"
        "  --broker-port N      broker port (10911), VIP port two below; 0 is any free one\n"
        "  --advertise A        [CIDR=]HOST:PORT given to clients, separated by commas\n"
        "  -c, --config FILE    broker.conf in RocketMQ's properties syntax\n"
        "  --set KEY=VALUE      one key of the configuration; may be repeated\n"
        "  --ready-file FILE    written as JSON once it serves\n",
    .run = run,
};

static int run(int argc, char **argv) {
  return bl_serve(&bl_verb_server, true, true, argc, argv);
}
