/* The options of a verb: --name value, --name=value, --flag, -h. What does not start with - is
 * positional, and so is all that follows "--". Pure, but bl_args_parse prints what is wrong. */
#ifndef BOLIDE_CLI_ARGS_H
#define BOLIDE_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct bl_verb;

#define BL_ARGS_LIST_MAX 64

/* The values of an option that may be repeated. BORROWS argv. */
struct bl_args_list {
  const char *items[BL_ARGS_LIST_MAX];
  size_t count;
};

enum bl_arg_kind {
  BL_ARG_FLAG,   /* bool *to */
  BL_ARG_TEXT,   /* const char **to; BORROWS argv */
  BL_ARG_NUMBER, /* int64_t *to, from min to max */
  BL_ARG_LIST,   /* struct bl_args_list *to */
};

struct bl_arg {
  const char *name; /* without -- */
  enum bl_arg_kind kind;
  void *to;
  int64_t min, max; /* of a number */
};

struct bl_args {
  const char *const *positional; /* BORROWS argv, which the parser reorders */
  size_t positional_count;
  bool help; /* -h or --help was there */
};

/* FILLS what the options point to and out_args. BL_ERR_USAGE: `why` has the sentence. argv[0] is
 * skipped. */
BL_MUST_CHECK bl_err bl_args_parse(int argc, char **argv, const struct bl_arg *options,
                                   size_t option_count, struct bl_args *out_args,
                                   struct bl_why *why);

/* The same for a verb: prints the usage for -h, or the sentence and where help is. RETURNS true
 * when the verb should go on; else it ends with *out_exit. */
bool bl_args_of_verb(const struct bl_verb *verb, int argc, char **argv,
                     const struct bl_arg *options, size_t option_count, struct bl_args *out_args,
                     int *out_exit);

/* The name of `names` that is nearest to `name` by edits, or NULL when none is near (more than a
 * third of its letters differ). */
const char *bl_args_nearest(const char *name, const char *const *names, size_t count);

#endif
