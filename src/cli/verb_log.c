/* bolide log verify | dump | repair | export-cq DIR */
#include <stdio.h>
#include <string.h>

#include "cli/log/tool.h"
#include "cli/verb.h"

static int run(int argc, char **argv);

const struct bl_verb bl_verb_log = {
    .name = "log",
    .summary = "Check, show, repair the files of a store",
    .usage =
        "Usage: bolide log verify DIR [--json] [--log-only]\n"
        "       bolide log dump DIR [--from OFFSET] [--to OFFSET] [--count N] [--topic T] [--queue "
        "N]\n"
        "                           [--key K] [--body] [--json]\n"
        "       bolide log repair DIR [--yes] [--json]\n"
        "       bolide log export-cq DIR [--to DIR2] [--overwrite] [--json]\n"
        "\n"
        "DIR is the folder of a store (--store, storePathRootDir), bolide's or a Java broker's. "
        "verify, "
        "dump and\n"
        "export-cq only read it and may run while a server uses it; repair needs it for itself.\n"
        "\n"
        "verify     looks at every byte: the commit log, config/, bolide/, and of a Java broker's "
        "store "
        "consumequeue,\n"
        "           index and checkpoint. Says for each finding where it is, what it means and "
        "what "
        "to do next.\n"
        "  --log-only      the commit log alone\n"
        "dump       prints a line for each record, and for each damaged range.\n"
        "  --from, --to    log offsets; --from may be in the middle of a record\n"
        "  --count N       at most N records\n"
        "  --topic, --queue, --key   only these; a key is one of KEYS, or the unique key\n"
        "  --body          the body, too\n"
        "repair     says what is to be done; with --yes does it. Damaged ranges are saved in "
        "bolide/aside/ of the\n"
        "           store, then covered by records that no client sees, so that bolide and Java "
        "brokers read what is\n"
        "           behind. No intact record is touched.\n"
        "export-cq  writes the consumequeue folder of a Java broker, into DIR2 or DIR.\n"
        "  --overwrite     also when there are consume queues already: they are replaced\n"
        "\n"
        "  --json          a JSON object for each line\n"
        "  --segment-bytes N   size of the commit log's files, when the files do not tell\n"
        "\n"
        "Exit codes: 0 nothing is wrong, 1 damage is there, or could not be repaired, 2 wrong use, "
        "or "
        "DIR cannot be\n"
        "read.\n",
    .run = run,
};

static int run(int argc, char **argv) {
  static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
  } parts[] = {
      {"verify", bl_log_verify_run},
      {"dump", bl_log_dump_run},
      {"repair", bl_log_repair_run},
      {"export-cq", bl_log_export_run},
  };
  static const char *const names[] = {"verify", "dump", "repair", "export-cq"};
  if (argc > 1 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
    fputs(bl_verb_log.usage, stdout);
    return BL_EXIT_OK;
  }
  for (size_t i = 0; argc > 1 && i < 4; i++) {
    if (strcmp(argv[1], parts[i].name) == 0) return parts[i].run(argc - 1, argv + 1);
  }
  const char *nearest = argc > 1 ? bl_args_nearest(argv[1], names, 4) : NULL;
  if (argc < 2) {
    fprintf(stderr, "bolide log: it needs one of verify, dump, repair, export-cq");
  } else {
    fprintf(stderr, "bolide log: there is no `bolide log %s`", argv[1]);
  }
  if (nearest != NULL) fprintf(stderr, "; did you mean %s", nearest);
  fprintf(stderr, ". `bolide help log` says more.\n");
  return BL_EXIT_USAGE;
}
