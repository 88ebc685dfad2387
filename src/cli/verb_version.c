/* bolide version */
#include <stdio.h>

#include "cli/args.h"
#include "cli/verb.h"
#include "cli/version.h"

static int run(int argc, char **argv);

const struct bl_verb bl_verb_version = {
    .name = "version",
    .summary = "Print the version of this program",
    .usage =
        "Usage: bolide version\n"
        "\n"
        "Prints the version of this program and the RocketMQ version whose protocol it speaks.\n",
    .run = run,
};

static int run(int argc, char **argv) {
  struct bl_args args;
  int exit_code;
  if (!bl_args_of_verb(&bl_verb_version, argc, argv, NULL, 0, &args, &exit_code)) return exit_code;
  printf("bolide %s (RocketMQ %s)\n", BL_PROGRAM_VERSION, BL_ROCKETMQ_VERSION);
  return BL_EXIT_OK;
}
