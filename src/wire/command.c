#include "wire/command.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/cursor.h"
#include "wire/command_json.h"

struct bl_slice bl_command_field(const struct bl_command *command, struct bl_slice name) {
  for (uint32_t i = command->field_count; i > 0; i--) {
    if (bl_slice_eq(command->fields[i - 1].name, name)) return command->fields[i - 1].value;
  }
  return (struct bl_slice){NULL, 0};
}

bl_err bl_frame_size(struct bl_slice input, size_t *out_bytes) {
  if (input.len < 4) return BL_ERR_SHORT;
  uint32_t total = bl_load_u32(input.ptr);
  if (total < 4 || total > BL_FRAME_BYTES_MAX - 4) return BL_ERR_FORMAT;
  if (input.len < 8) return BL_ERR_SHORT;
  uint32_t word = bl_load_u32(input.ptr + 4);
  uint32_t header_bytes = word & 0xffffffu;
  if (header_bytes > total - 4 || header_bytes > BL_FRAME_HEADER_BYTES_MAX) return BL_ERR_FORMAT;
  if (word >> 24 > BL_CODEC_BINARY) return BL_ERR_FORMAT;
  *out_bytes = (size_t)total + 4;
  return BL_OK;
}

/* Collects the pairs of a binary map; the arena's array grows by doubling. */
static bl_err decode_binary_fields(struct bl_cursor *map, struct bl_arena *arena,
                                   struct bl_command *command) {
  uint32_t cap = 0;
  while (bl_cursor_left(map) > 0) {
    struct bl_slice name = bl_cursor_bytes(map, bl_cursor_u16(map));
    struct bl_slice value = bl_cursor_bytes(map, bl_cursor_u32(map));
    if (map->failed) return BL_ERR_FORMAT;
    if (value.len == 0) continue;
    if (command->field_count == cap) {
      if (cap >= BL_COMMAND_FIELDS_MAX) return BL_ERR_FULL;
      cap = cap == 0 ? 16 : cap * 2;
      struct bl_field *fields = bl_arena_take(arena, cap * sizeof(*fields));
      if (command->field_count > 0) {
        memcpy(fields, command->fields, command->field_count * sizeof(*fields));
      }
      command->fields = fields;
    }
    command->fields[command->field_count++] = (struct bl_field){name, value};
  }
  return BL_OK;
}

static bl_err decode_binary(struct bl_slice header, struct bl_arena *arena,
                            struct bl_command *command) {
  struct bl_cursor cursor = bl_cursor_of(header);
  command->code = (int16_t)bl_cursor_u16(&cursor);
  command->language = bl_cursor_u8(&cursor);
  command->version = (int16_t)bl_cursor_u16(&cursor);
  command->opaque = (int32_t)bl_cursor_u32(&cursor);
  command->flag = (int32_t)bl_cursor_u32(&cursor);
  uint32_t remark_bytes = bl_cursor_u32(&cursor);
  if (remark_bytes > 0) command->remark = bl_cursor_bytes(&cursor, remark_bytes);
  uint32_t map_bytes = bl_cursor_u32(&cursor);
  struct bl_slice map = bl_cursor_bytes(&cursor, map_bytes);
  if (cursor.failed) return BL_ERR_FORMAT;
  struct bl_cursor map_cursor = bl_cursor_of(map);
  return map_bytes == 0 ? BL_OK : decode_binary_fields(&map_cursor, arena, command);
}

bl_err bl_command_decode(struct bl_slice frame, struct bl_arena *arena,
                         struct bl_command *out_command) {
  size_t frame_bytes = 0;
  bl_err err = bl_frame_size(frame, &frame_bytes);
  if (err != BL_OK) return err;
  if (frame_bytes != frame.len) return BL_ERR_FORMAT;
  uint32_t word = bl_load_u32(frame.ptr + 4);
  struct bl_slice header = bl_slice_of(frame.ptr + 8, word & 0xffffffu);
  memset(out_command, 0, sizeof(*out_command));
  out_command->codec = (enum bl_codec)(word >> 24);
  out_command->body = bl_slice_from(frame, 8 + header.len);
  if (out_command->codec == BL_CODEC_BINARY) return decode_binary(header, arena, out_command);
  return bl_command_decode_json(header, arena, out_command);
}

void bl_command_begin(struct bl_command_writer *writer, struct bl_buf *out, enum bl_codec codec,
                      int32_t code, int32_t opaque, int32_t flag, struct bl_slice remark) {
  *writer = (struct bl_command_writer){.out = out,
                                       .codec = codec,
                                       .frame_at = out->len,
                                       .remark = remark,
                                       .code = code,
                                       .version = BL_VERSION_ORDINAL,
                                       .opaque = opaque,
                                       .flag = flag};
  bl_buf_put_u64(out, 0); /* both length words, known at the end */
  if (codec == BL_CODEC_JSON) {
    bl_command_begin_json(writer);
    return;
  }
  bl_buf_put_u16(out, (uint16_t)code);
  bl_buf_put_u8(out, BL_LANGUAGE_JAVA);
  bl_buf_put_u16(out, BL_VERSION_ORDINAL);
  bl_buf_put_u32(out, (uint32_t)opaque);
  bl_buf_put_u32(out, (uint32_t)flag);
  bl_buf_put_u32(out, (uint32_t)remark.len);
  bl_buf_put_slice(out, remark);
  writer->map_at = out->len;
  bl_buf_put_u32(out, 0);
}

void bl_command_put_text(struct bl_command_writer *writer, struct bl_slice name,
                         struct bl_slice value) {
  if (writer->codec == BL_CODEC_JSON) {
    bl_command_put_json(writer, name, value);
    return;
  }
  if (value.len == 0) return;
  bl_buf_put_u16(writer->out, (uint16_t)name.len);
  bl_buf_put_slice(writer->out, name);
  bl_buf_put_u32(writer->out, (uint32_t)value.len);
  bl_buf_put_slice(writer->out, value);
}

void bl_command_put_i64(struct bl_command_writer *writer, struct bl_slice name, int64_t value) {
  char digits[24];
  char *at = digits + sizeof(digits);
  uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  do {
    *--at = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  if (value < 0) *--at = '-';
  bl_command_put_text(writer, name, bl_slice_of(at, (size_t)(digits + sizeof(digits) - at)));
}

void bl_command_put_bool(struct bl_command_writer *writer, struct bl_slice name, bool value) {
  bl_command_put_text(writer, name, value ? BL_SLICE("true") : BL_SLICE("false"));
}

void bl_command_end(struct bl_command_writer *writer, size_t body_bytes) {
  struct bl_buf *out = writer->out;
  if (writer->codec == BL_CODEC_JSON) bl_command_end_json(writer);
  if (out->failed) return;
  if (writer->codec == BL_CODEC_BINARY) {
    bl_store_u32(out->data + writer->map_at, (uint32_t)(out->len - writer->map_at - 4));
  }
  size_t header_bytes = out->len - writer->frame_at - 8;
  BL_ASSERT(header_bytes <= 0xffffffu);
  bl_store_u32(out->data + writer->frame_at, (uint32_t)(4 + header_bytes + body_bytes));
  bl_store_u32(out->data + writer->frame_at + 4,
               (uint32_t)writer->codec << 24 | (uint32_t)header_bytes);
}
