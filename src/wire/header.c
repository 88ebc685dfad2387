#include "wire/header.h"

#include "base/assert.h"

static bool put_value(const struct bl_field_def *def, struct bl_slice value, char *header) {
  void *to = header + def->offset;
  switch (def->kind) {
    case BL_FIELD_TEXT: memcpy(to, &value, sizeof(value)); return true;
    case BL_FIELD_I32: return bl_slice_i32(value, to);
    case BL_FIELD_I64: return bl_slice_i64(value, to);
    case BL_FIELD_BOOL: {
      bool flag = bl_slice_bool(value);
      memcpy(to, &flag, sizeof(flag));
      return true;
    }
  }
  return false;
}

/* The field of that name, first looked for at `guess`: senders that sort their fields hit at once.
 */
static uint32_t find_field(const struct bl_header_table *table, struct bl_slice name,
                           uint32_t guess) {
  for (uint32_t i = 0; i < table->field_count; i++) {
    uint32_t at = guess + i;
    if (at >= table->field_count) at -= table->field_count;
    if (bl_slice_eq(table->fields[at].name, name)) return at;
  }
  return table->field_count;
}

bl_err bl_header_decode(const struct bl_header_table *table, const struct bl_command *command,
                        void *out_header, struct bl_why *why) {
  BL_ASSERT(table->field_count <= 32);
  memset(out_header, 0, table->struct_bytes);
  uint32_t present = 0;
  uint32_t guess = 0;
  for (uint32_t i = 0; i < command->field_count; i++) {
    const struct bl_field *field = &command->fields[i];
    uint32_t at = find_field(table, field->name, guess);
    if (at == table->field_count || field->value.ptr == NULL) continue;
    const struct bl_field_def *def = &table->fields[at];
    if (!put_value(def, field->value, out_header)) {
      /* Old senders write optional numbers as empty texts: those are absent. */
      if (field->value.len == 0 && def->need == BL_FIELD_OPTIONAL) continue;
      return bl_why_set(why, BL_ERR_PARAMETER, "header field %.*s is not a number: %.*s",
                        BL_FMT(def->name), (int)(field->value.len < 64 ? field->value.len : 64),
                        field->value.ptr);
    }
    present |= 1u << at;
    guess = at + 1 < table->field_count ? at + 1 : 0;
  }
  for (uint32_t i = 0; i < table->field_count; i++) {
    const struct bl_field_def *def = &table->fields[i];
    if (def->need == BL_FIELD_REQUIRED && ((present >> i) & 1u) == 0) {
      return bl_why_set(why, BL_ERR_PARAMETER, "header field %.*s is missing (%s)",
                        BL_FMT(def->name), def->meaning);
    }
  }
  memcpy((char *)out_header + table->present_offset, &present, sizeof(present));
  return BL_OK;
}

static void put_field(const struct bl_field_def *def, const char *header,
                      struct bl_command_writer *writer) {
  const void *from = header + def->offset;
  switch (def->kind) {
    case BL_FIELD_TEXT: {
      struct bl_slice text;
      memcpy(&text, from, sizeof(text));
      if (text.ptr != NULL) bl_command_put_text(writer, def->name, text);
      return;
    }
    case BL_FIELD_I32: {
      int32_t number;
      memcpy(&number, from, sizeof(number));
      bl_command_put_i64(writer, def->name, number);
      return;
    }
    case BL_FIELD_I64: {
      int64_t number;
      memcpy(&number, from, sizeof(number));
      bl_command_put_i64(writer, def->name, number);
      return;
    }
    case BL_FIELD_BOOL: {
      bool flag;
      memcpy(&flag, from, sizeof(flag));
      bl_command_put_bool(writer, def->name, flag);
      return;
    }
  }
}

void bl_header_encode(const struct bl_header_table *table, const void *header,
                      struct bl_command_writer *writer) {
  uint32_t present;
  memcpy(&present, (const char *)header + table->present_offset, sizeof(present));
  for (uint32_t i = 0; i < table->field_count; i++) {
    const struct bl_field_def *def = &table->fields[i];
    if (def->need == BL_FIELD_REQUIRED || ((present >> i) & 1u) != 0)
      put_field(def, header, writer);
  }
}
