/* JSON in and out. Pure.
 *
 * In: fastjson's dialect, as RocketMQ's peers send it (reference: fastjson 1.2.83 JSONLexerBase):
 * bare and single-quoted keys, numbers and objects as keys, single-quoted texts, spare commas,
 * comments, its own escapes; and strictly (RFC 8259), when asked. Out: small writers that give the
 * exact form each body needs.
 *
 * Limits of a parse: depth 32, and 65,536 values plus one for each 4 bytes of input. A value takes
 * 64 bytes of the caller's arena, so memory is bounded by the input. */
#ifndef BOLIDE_BASE_JSON_H
#define BOLIDE_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum bl_json_kind {
  BL_JSON_NULL,
  BL_JSON_BOOL,
  BL_JSON_NUMBER,
  BL_JSON_STRING,
  BL_JSON_ARRAY,
  BL_JSON_OBJECT,
};

/* A value. Children of an array or object are linked by `next`; a child of an object has `key`: its
 * text when the key was text or bare, and `key_node` when the key was itself an object. */
struct bl_json {
  enum bl_json_kind kind;
  uint32_t count;       /* children */
  struct bl_slice text; /* number as written, unescaped string, "true"/"false" */
  struct bl_slice key;
  const struct bl_json *key_node;
  const struct bl_json *child;
  const struct bl_json *next;
};

enum bl_json_mode { BL_JSON_STRICT, BL_JSON_DIALECT };

/* FILLS out_root with a tree in the arena; texts without escapes BORROW `input`. Trailing bytes
 * other than blanks are an error. BL_ERR_FORMAT: `why` (may be NULL) names place and cause. */
BL_MUST_CHECK bl_err bl_json_parse(struct bl_slice input, enum bl_json_mode mode,
                                   struct bl_arena *arena, const struct bl_json **out_root,
                                   struct bl_why *why);

/* The member, or NULL when `node` is NULL, not an object, or has none of that name. Of members with
 * the same name the last. */
const struct bl_json *bl_json_get(const struct bl_json *node, const char *name);
/* Values with fastjson's coercions (TypeUtils castToLong, castToInt, castToBoolean); the default
 * when node is NULL, JSON null or cannot be converted. */
int64_t bl_json_i64(const struct bl_json *node, int64_t otherwise);
int32_t bl_json_i32(const struct bl_json *node, int32_t otherwise);
bool bl_json_bool(const struct bl_json *node, bool otherwise);
/* Text of a string, number or bool; the absent slice for anything else. */
struct bl_slice bl_json_text(const struct bl_json *node);

/* Out. The writers put commas themselves. Depth at most 64 (asserted; a parsed node is at most 32
 * deep). */
struct bl_json_writer {
  struct bl_buf *out;
  bool pretty;     /* fastjson's PrettyFormat: a tab per level, one entry a line */
  bool ascii;      /* fastjson's BrowserCompatible: what is not ASCII as \uXXXX, and \/ */
  bool need_comma; /* from here on: the writer's own */
  bool after_key;
  int depth;
  int indent;
  uint64_t flat; /* a bit per open level: a flat array */
};

struct bl_json_writer bl_json_writer_of(struct bl_buf *out, bool pretty);
void bl_json_open_object(struct bl_json_writer *w);
void bl_json_close_object(struct bl_json_writer *w);
void bl_json_open_array(struct bl_json_writer *w);
/* An array that stays on one line in the pretty format, as fastjson writes a Java Set, a String[]
 * and an array of numbers (a List gets one entry a line). */
void bl_json_open_flat_array(struct bl_json_writer *w);
void bl_json_close_array(struct bl_json_writer *w);                     /* either kind */
void bl_json_key(struct bl_json_writer *w, const char *name);           /* "name": */
void bl_json_key_slice(struct bl_json_writer *w, struct bl_slice name); /* "name": */
/* 0: or "0": (in the pretty format without a new line before it, as fastjson does for every key
 * that is not a text). */
void bl_json_key_number(struct bl_json_writer *w, int64_t number, bool quoted);
/* For maps whose key is an object: open_object_key, the key's members, then close_object_key writes
 * the closing brace and the colon. */
void bl_json_open_object_key(struct bl_json_writer *w);
void bl_json_close_object_key(struct bl_json_writer *w);
void bl_json_put_text(struct bl_json_writer *w, struct bl_slice text); /* escaped; UTF-8 as it is */
void bl_json_put_i64(struct bl_json_writer *w, int64_t number);
void bl_json_put_double(struct bl_json_writer *w,
                        double number); /* as fastjson; null if not finite */
void bl_json_put_bool(struct bl_json_writer *w, bool value);
void bl_json_put_null(struct bl_json_writer *w);
/* Members in one call. */
void bl_json_member_text(struct bl_json_writer *w, const char *name, struct bl_slice text);
void bl_json_member_i64(struct bl_json_writer *w, const char *name, int64_t number);
void bl_json_member_bool(struct bl_json_writer *w, const char *name, bool value);

/* A node again; what the dialect allowed is put strictly, but objects as keys, which JSON cannot
 * say otherwise. A NULL node is null. */
void bl_json_put_node(struct bl_json_writer *w, const struct bl_json *node);

#endif
