/* Java properties text (java.util.Properties load): `key=value`, `key: value`, `key value`,
 * comments (# and !), lines that go on behind a backslash, escapes (\t \n \r \f \uXXXX, and any
 * other character for itself). Read as UTF-8. Unlike Java, blanks at the end of a value are
 * dropped. Pure. */
#ifndef BOLIDE_BASE_PROPERTIES_H
#define BOLIDE_BASE_PROPERTIES_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define BL_PROPERTIES_LINE_BYTES_MAX 65536

/* BORROWS key and value (unescaped) for the call. `line` counts from 1 (the first of those that go
 * on). Anything but BL_OK ends the reading and is returned. */
typedef bl_err (*bl_javaprops_visit)(void *context, int line, struct bl_slice key,
                                     struct bl_slice value, struct bl_why *why);

/* BL_ERR_FORMAT: a bad \u, an empty key or too long a line; `why` (may be NULL) names the line. */
BL_MUST_CHECK bl_err bl_javaprops_parse(struct bl_slice text, bl_javaprops_visit visit,
                                        void *context, struct bl_why *why);

/* Writes `key=value` and the end of line, escaped so that bl_javaprops_parse and Java read it
 * back. `key` must not be empty. */
void bl_javaprops_put(struct bl_buf *out, struct bl_slice key, struct bl_slice value);

#endif
