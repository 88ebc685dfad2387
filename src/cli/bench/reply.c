#include "cli/bench/reply.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "base/cursor.h"
#include "wire/command.h"

#define BINARY_FIXED_BYTES 13 /* code, language, version, opaque, flag */

/* The header with its fields, by the general decoder. */
static bl_err read_whole(struct bl_slice frame, struct bl_bench_head *out_head) {
  struct bl_arena arena;
  struct bl_command command;
  bl_arena_init(&arena);
  bl_err err = bl_command_decode(frame, &arena, &command);
  if (err == BL_OK) {
    out_head->code = command.code;
    out_head->opaque = command.opaque;
    out_head->flag = command.flag;
  }
  bl_arena_fini(&arena);
  return err;
}

/* The number behind the last `name` ("name":) in front of `*end`; *end is then its place. */
static bool number_before(struct bl_slice header, struct bl_slice name, size_t *end,
                          int32_t *out_number) {
  for (size_t at = *end; at >= name.len; at--) {
    const char *start = header.ptr + at - name.len;
    if (*start != '"' || memcmp(start, name.ptr, name.len) != 0) continue;
    uint32_t number = 0;
    size_t digit = at;
    while (digit < header.len && header.ptr[digit] >= '0' && header.ptr[digit] <= '9')
      number = number * 10 + (uint32_t)(header.ptr[digit++] - '0');
    if (digit == at || digit - at > 10) return false;
    *out_number = (int32_t)number;
    *end = at - name.len;
    return true;
  }
  return false;
}

static bl_err read_json(struct bl_slice frame, struct bl_bench_head *out_head) {
  const struct bl_slice start = BL_SLICE("{\"code\":");
  struct bl_slice header = out_head->header;
  size_t at = start.len, end = header.len;
  if (!bl_slice_starts(header, start) ||
      !number_before(header, BL_SLICE("\"opaque\":"), &end, &out_head->opaque) ||
      !number_before(header, BL_SLICE("\"flag\":"), &end, &out_head->flag)) {
    return read_whole(frame, out_head);
  }
  int32_t code = 0;
  while (at < header.len && header.ptr[at] >= '0' && header.ptr[at] <= '9' && code < 100000000)
    code = code * 10 + (header.ptr[at++] - '0');
  if (at == start.len || at == header.len || header.ptr[at] != ',')
    return read_whole(frame, out_head);
  out_head->code = code;
  return BL_OK;
}

bl_err bl_bench_head_read(struct bl_slice frame, struct bl_bench_head *out_head) {
  if (frame.len < 8) return BL_ERR_FORMAT;
  uint32_t word = bl_load_u32(frame.ptr + 4);
  size_t header_bytes = word & 0xffffffu;
  if (header_bytes > frame.len - 8) return BL_ERR_FORMAT;
  out_head->header = bl_slice_of(frame.ptr + 8, header_bytes);
  out_head->body = bl_slice_of(frame.ptr + 8 + header_bytes, frame.len - 8 - header_bytes);
  if (word >> 24 == BL_CODEC_JSON) return read_json(frame, out_head);
  if (header_bytes < BINARY_FIXED_BYTES) return BL_ERR_FORMAT;
  out_head->code = (int16_t)bl_load_u16(frame.ptr + 8);
  out_head->opaque = (int32_t)bl_load_u32(frame.ptr + 13);
  out_head->flag = (int32_t)bl_load_u32(frame.ptr + 17);
  return BL_OK;
}

static struct bl_slice binary_field(struct bl_slice header, struct bl_slice name) {
  struct bl_cursor cursor = bl_cursor_of(header);
  bl_cursor_bytes(&cursor, BINARY_FIXED_BYTES);
  bl_cursor_bytes(&cursor, bl_cursor_u32(&cursor)); /* the remark */
  bl_cursor_u32(&cursor);
  while (!cursor.failed && bl_cursor_left(&cursor) > 0) {
    struct bl_slice found = bl_cursor_bytes(&cursor, bl_cursor_u16(&cursor));
    struct bl_slice value = bl_cursor_bytes(&cursor, bl_cursor_u32(&cursor));
    if (!cursor.failed && bl_slice_eq(found, name)) return value;
  }
  return (struct bl_slice){NULL, 0};
}

static struct bl_slice json_field(struct bl_slice header, struct bl_slice name) {
  for (size_t at = 0; at + name.len + 3 < header.len; at++) {
    const char *start = header.ptr + at;
    if (*start != '"' || start[name.len + 1] != '"' || start[name.len + 2] != ':' ||
        memcmp(start + 1, name.ptr, name.len) != 0) {
      continue;
    }
    struct bl_slice rest = bl_slice_from(header, at + name.len + 3);
    if (rest.ptr[0] == '"') {
      rest = bl_slice_from(rest, 1);
      return bl_slice_cut(&rest, '"');
    }
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] != ',' && rest.ptr[len] != '}') len++;
    return bl_slice_of(rest.ptr, len);
  }
  return (struct bl_slice){NULL, 0};
}

struct bl_slice bl_bench_head_field(struct bl_slice frame, struct bl_slice name) {
  struct bl_slice none = {NULL, 0};
  if (frame.len < 8) return none;
  uint32_t word = bl_load_u32(frame.ptr + 4);
  size_t header_bytes = word & 0xffffffu;
  if (header_bytes > frame.len - 8) return none;
  struct bl_slice header = bl_slice_of(frame.ptr + 8, header_bytes);
  return word >> 24 == BL_CODEC_JSON ? json_field(header, name) : binary_field(header, name);
}
