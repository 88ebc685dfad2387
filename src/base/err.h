/* The one error enum; err.def is the one table for names, texts and wire codes. Pure. */
#ifndef BOLIDE_BASE_ERR_H
#define BOLIDE_BASE_ERR_H

#include <stdint.h>

typedef enum bl_err {
#define X(name, text, code) name,
#include "base/err.def"
#undef X
  BL_ERR_COUNT
} bl_err;

#define BL_MUST_CHECK __attribute__((warn_unused_result))

/* One sentence without a full stop; static storage. */
const char *bl_err_text(bl_err err);
/* The enum's own name, as "BL_ERR_NO_TOPIC"; static storage. */
const char *bl_err_name(bl_err err);
/* The remoting response code that says it. */
int32_t bl_err_code(bl_err err);

/* Where a person needs more than the code: what happened, why, what to do next. Caller owned;
 * passed as the last argument by functions that have something to say. Always NUL terminated. */
struct bl_why {
  char text[480];
};

/* Writes the text (cut when too long) and returns `err`, so that `return bl_why_set(why, e, ...)`
 * works. `why` may be NULL. */
bl_err bl_why_set(struct bl_why *why, bl_err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
