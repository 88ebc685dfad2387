#include "cli/verb.h"

#include <stdio.h>
#include <string.h>

#include "cli/args.h"

const struct bl_verb *bl_verb_find(const char *name) {
  for (size_t i = 0; i < bl_verbs_count; i++) {
    if (strcmp(bl_verbs[i]->name, name) == 0) return bl_verbs[i];
  }
  return NULL;
}

static int unknown_verb(const char *name) {
  const char *names[64];
  size_t count = bl_verbs_count < 64 ? bl_verbs_count : 64;
  for (size_t i = 0; i < count; i++) names[i] = bl_verbs[i]->name;
  const char *nearest = bl_args_nearest(name, names, count);
  if (nearest != NULL) {
    fprintf(stderr, "bolide: there is no verb '%s'; did you mean `bolide %s`?\n", name, nearest);
  } else {
    fprintf(stderr, "bolide: there is no verb '%s'. `bolide help` lists them.\n", name);
  }
  return BL_EXIT_USAGE;
}

static int run(const char *name, int argc, char **argv) {
  const struct bl_verb *verb = bl_verb_find(name);
  return verb != NULL ? verb->run(argc, argv) : unknown_verb(name);
}

int bl_verb_main(int argc, char **argv) {
  if (argc < 2) {
    char *help[] = {"help", NULL};
    run("help", 1, help);
    return BL_EXIT_USAGE;
  }
  if (strcmp(argv[1], "--version") == 0) return run("version", 1, argv + 1);
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
    return run("help", argc - 1, argv + 1);
  return run(argv[1], argc - 1, argv + 1);
}
