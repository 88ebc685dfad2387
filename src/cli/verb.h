/* What a verb of the command line is: one file src/cli/verb_NAME.c with `const struct bl_verb
 * bl_verb_NAME`. The build lists them in bl_verbs. */
#ifndef BOLIDE_CLI_VERB_H
#define BOLIDE_CLI_VERB_H

#include <stddef.h>

#define BL_EXIT_OK 0
#define BL_EXIT_FAILED 1
#define BL_EXIT_USAGE 2

struct bl_verb {
  const char *name;
  const char *summary;               /* one line for `bolide help`, no full stop */
  const char *usage;                 /* what `bolide help NAME` prints; ends in a new line */
  int (*run)(int argc, char **argv); /* argv[0] is the verb's name. RETURNS the exit code */
};

/* Generated, sorted by name. */
extern const struct bl_verb *const bl_verbs[];
extern const size_t bl_verbs_count;

/* The verb, or NULL. */
const struct bl_verb *bl_verb_find(const char *name);
/* The whole program: argv[1] names the verb; --version and --help are understood too. RETURNS the
 * exit code. */
int bl_verb_main(int argc, char **argv);

#endif
