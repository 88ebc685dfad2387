/* A table of options, and what follows from it: defaults, setting by name, properties text in and
 * out, the reference page. Pure.
 *
 * The settings are the caller's own struct; a row says where its field is:
 *   BL_OPTION_BOOL  bool
 *   BL_OPTION_I32   int32_t
 *   BL_OPTION_I64   int64_t
 *   BL_OPTION_ENUM  int32_t: the place in `choices`, from 0
 *   BL_OPTION_TEXT  char *: OWNED by the settings, never NULL once the defaults are set */
#ifndef BOLIDE_BASE_OPTION_H
#define BOLIDE_BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum bl_option_kind {
  BL_OPTION_BOOL,
  BL_OPTION_I32,
  BL_OPTION_I64,
  BL_OPTION_TEXT,
  BL_OPTION_ENUM,
};

#define BL_OPTION_READ_ONLY 1u /* not settable while running */
#define BL_OPTION_SECRET 2u    /* never shown: BL_OPTION_MASK stands for it */

/* Setting a SECRET to this changes nothing, so that a printed configuration can be given back. */
#define BL_OPTION_MASK "******"

#define BL_OPTION_TEXT_BYTES_MAX 4096

struct bl_option {
  const char *name;
  enum bl_option_kind kind;
  size_t offset;            /* of the field in the settings */
  const char *default_text; /* must itself be valid: asserted */
  int64_t min; /* of a number; of a text its length in bytes. Both 0: the whole range of the kind */
  int64_t max;
  const char *choices; /* "A|B|C" for BL_OPTION_ENUM, otherwise NULL */
  const char *unit;    /* "ms", "bytes"; NULL: none */
  const char *help;    /* one sentence */
  unsigned flags;
};

struct bl_options {
  const struct bl_option *rows;
  size_t count;
};

/* Who sets: READ_ONLY options refuse BL_OPTION_RUNNING. */
enum bl_option_when { BL_OPTION_AT_START, BL_OPTION_RUNNING };

/* FILLS every field of the (zeroed) settings. */
void bl_options_init(const struct bl_options *options, void *settings);
/* Frees the texts. Accepts zeroed settings. */
void bl_options_fini(const struct bl_options *options, void *settings);

/* The row of that name, or NULL. */
const struct bl_option *bl_options_find(const struct bl_options *options, struct bl_slice name);
/* The known name nearest to a mistyped one (letter case does not count), or NULL when none is
 * near. */
const char *bl_options_nearest(const struct bl_options *options, struct bl_slice name);

/* Sets one option. BL_ERR_NOT_FOUND: unknown (and `why` names the nearest); BL_ERR_PARAMETER: the
 * value is not one; BL_ERR_NO_PERMISSION: read only. On an error nothing has changed. With settings
 * NULL it only checks. */
BL_MUST_CHECK bl_err bl_options_set(const struct bl_options *options, void *settings,
                                    struct bl_slice name, struct bl_slice value,
                                    enum bl_option_when when, struct bl_why *why);

/* Told of a name that is not in the table, with the sentence about it; the name is passed over. */
typedef void (*bl_options_unknown)(void *context, int line, struct bl_slice name,
                                   const struct bl_why *why);

/* Sets all that a properties text names, or nothing: all is checked first. A name that is not known
 * is an error when `unknown` is NULL. `why` begins with the line. */
BL_MUST_CHECK bl_err bl_options_set_properties(const struct bl_options *options, void *settings,
                                               struct bl_slice text, enum bl_option_when when,
                                               bl_options_unknown unknown, void *context,
                                               struct bl_why *why);

/* The value as bl_options_set takes it; of a SECRET that is not empty, BL_OPTION_MASK. */
void bl_options_put_value(const struct bl_option *option, const void *settings, struct bl_buf *out);
/* All as properties text, sorted by name. */
void bl_options_put_properties(const struct bl_options *options, const void *settings,
                               struct bl_buf *out);
/* The reference page: one Markdown table, sorted by name. */
void bl_options_put_markdown(const struct bl_options *options, struct bl_buf *out);

#endif
