/* Header fields as tables: src/wire/headers/NAME.def lists them once, and from it come a struct,
 * its table, decode and encode for both codecs, logging and the reference page. Pure.
 *
 * A .def line: FIELD(kind, c_name, "wireName", need, "meaning"). Kinds: TEXT, I32, I64, BOOL. Need:
 * REQUIRED or OPTIONAL. Order: by wire name, as Java's JSON sorts them: decode then finds each at
 * first try.
 *
 * For NAME there are `struct bl_NAME_header` (one member per field, then `uint32_t present`, a bit
 * per field in order: BL_HAS(h, NAME, c_name)) and `extern const struct bl_header_table
 * bl_NAME_table`. */
#ifndef BOLIDE_WIRE_HEADER_H
#define BOLIDE_WIRE_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "wire/command.h"

enum bl_field_kind { BL_FIELD_TEXT, BL_FIELD_I32, BL_FIELD_I64, BL_FIELD_BOOL };
enum bl_field_need { BL_FIELD_REQUIRED, BL_FIELD_OPTIONAL };

struct bl_field_def {
  enum bl_field_kind kind;
  enum bl_field_need need;
  struct bl_slice name;
  uint32_t offset; /* in the struct */
  const char *meaning;
};

struct bl_header_table {
  const char *name;
  const struct bl_field_def *fields;
  uint32_t field_count; /* <= 32 */
  uint32_t struct_bytes;
  uint32_t present_offset;
};

/* FILLS the struct (zeroed first) from the command's fields; texts BORROW the command.
 * BL_ERR_PARAMETER: a required field is missing or a number is none; `why` names it. Unknown fields
 * are ignored. */
BL_MUST_CHECK bl_err bl_header_decode(const struct bl_header_table *table,
                                      const struct bl_command *command, void *out_header,
                                      struct bl_why *why);
/* Writes required fields and those optional ones whose present bit is set; absent texts never. */
void bl_header_encode(const struct bl_header_table *table, const void *header,
                      struct bl_command_writer *writer);

#define BL_HAS(header, NAME, c_name) (((header)->present >> BL_##NAME##_##c_name) & 1u)
#define BL_SET(header, NAME, c_name, value)                                                        \
  ((header)->c_name = (value), (header)->present |= 1u << BL_##NAME##_##c_name)

#endif
