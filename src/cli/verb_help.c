/* bolide help [VERB] */
#include <stdio.h>

#include "cli/args.h"
#include "cli/verb.h"
#include "cli/version.h"

static int run(int argc, char **argv);

const struct bl_verb bl_verb_help = {
    .name = "help",
    .summary = "Say what a verb does and its options",
    .usage =
        "Usage: bolide help [VERB]\n"
        "\n"
        "Lists the verbs, or says what VERB does and which options it has.\n",
    .run = run,
};

static void print_verbs(void) {
  printf("bolide %s: a message broker for RocketMQ clients\n\nUsage: bolide VERB ...\n\n",
         BL_PROGRAM_VERSION);
  for (size_t i = 0; i < bl_verbs_count; i++) {
    printf("  %-10s %s\n", bl_verbs[i]->name, bl_verbs[i]->summary);
  }
  printf("\n`bolide help VERB` says more.\n");
}

static int run(int argc, char **argv) {
  struct bl_args args;
  int exit_code;
  if (!bl_args_of_verb(&bl_verb_help, argc, argv, NULL, 0, &args, &exit_code)) return exit_code;
  if (args.positional_count == 0) {
    print_verbs();
    return BL_EXIT_OK;
  }
  const struct bl_verb *verb = bl_verb_find(args.positional[0]);
  if (verb == NULL) {
    fprintf(stderr, "bolide help: there is no verb '%s'. `bolide help` lists them.\n",
            args.positional[0]);
    return BL_EXIT_USAGE;
  }
  fputs(verb->usage, stdout);
  return BL_EXIT_OK;
}
