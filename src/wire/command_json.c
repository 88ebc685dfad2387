/* The header is flat: one object whose values are scalars, but for extFields, an object of scalars.
 * So it is read in one pass without a tree; texts without escapes stay where they are. What is not
 * flat (a nested value under an unknown key) goes through the general parser. */
#include "wire/command_json.h"

#include "base/cursor.h"
#include "base/json.h"

static const char *const LANGUAGES[] = {"JAVA",   "CPP",  "DOTNET", "PYTHON", "DELPHI",
                                        "ERLANG", "RUBY", "OTHER",  "HTTP",   "GO",
                                        "PHP",    "OMS",  "RUST",   "NODE_JS"};

static int32_t language_of(struct bl_slice name) {
  for (int32_t i = 0; i < (int32_t)(sizeof(LANGUAGES) / sizeof(LANGUAGES[0])); i++) {
    if (bl_slice_is(name, LANGUAGES[i])) return i;
  }
  return BL_LANGUAGE_OTHER;
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct bl_cursor *in) {
  while (in->at < in->end && is_blank(*in->at)) in->at++;
}

static bool take_char(struct bl_cursor *in, char c) {
  skip_blanks(in);
  if (in->at == in->end || *in->at != c) return false;
  in->at++;
  return true;
}

/* A string at in->at (on its quote): raw bytes between the quotes; *out_escaped when it has a
 * backslash. */
static bool take_raw_string(struct bl_cursor *in, struct bl_slice *out_raw, bool *out_escaped) {
  const char *from = ++in->at;
  *out_escaped = false;
  while (in->at < in->end && *in->at != '"') {
    if (*in->at == '\\') {
      *out_escaped = true;
      if (++in->at == in->end) return false;
    }
    in->at++;
  }
  if (in->at >= in->end) return false;
  *out_raw = bl_slice_of(from, (size_t)(in->at - from));
  in->at++;
  return true;
}

static bool unescape(struct bl_slice raw, struct bl_arena *arena, struct bl_slice *out_text) {
  const struct bl_json *node;
  struct bl_slice quoted = bl_slice_of(raw.ptr - 1, raw.len + 2);
  if (bl_json_parse(quoted, BL_JSON_STRICT, arena, &node, NULL) != BL_OK) return false;
  *out_text = node->text;
  return true;
}

static bool take_string(struct bl_cursor *in, struct bl_arena *arena, struct bl_slice *out_text) {
  bool escaped;
  if (!take_raw_string(in, out_text, &escaped)) return false;
  return !escaped || unescape(*out_text, arena, out_text);
}

/* A scalar as text (numbers and booleans as written); null is the absent slice. */
static bool take_scalar(struct bl_cursor *in, struct bl_arena *arena, struct bl_slice *out_text) {
  skip_blanks(in);
  if (in->at == in->end) return false;
  if (*in->at == '"') return take_string(in, arena, out_text);
  const char *from = in->at;
  while (in->at < in->end && *in->at != ',' && *in->at != '}' && !is_blank(*in->at)) {
    if (*in->at == '{' || *in->at == '[' || *in->at == '"' || *in->at == ':') return false;
    in->at++;
  }
  *out_text = bl_slice_of(from, (size_t)(in->at - from));
  if (bl_slice_is(*out_text, "null")) *out_text = (struct bl_slice){NULL, 0};
  return in->at > from;
}

/* Steps over an object or array of an unknown key: matched brackets outside strings. */
static bool skip_nested(struct bl_cursor *in) {
  int depth = 0;
  do {
    if (in->at == in->end) return false;
    char c = *in->at;
    if (c == '"') {
      struct bl_slice raw;
      bool escaped;
      if (!take_raw_string(in, &raw, &escaped)) return false;
      continue;
    }
    if (c == '{' || c == '[') depth++;
    if (c == '}' || c == ']') depth--;
    in->at++;
  } while (depth > 0);
  return true;
}

static bool add_field(struct bl_command *command, struct bl_arena *arena, uint32_t *cap,
                      struct bl_field field) {
  if (command->field_count == *cap) {
    if (*cap >= BL_COMMAND_FIELDS_MAX) return false;
    *cap = *cap == 0 ? 16 : *cap * 2;
    struct bl_field *fields = bl_arena_take(arena, *cap * sizeof(*fields));
    if (command->field_count > 0) {
      memcpy(fields, command->fields, command->field_count * sizeof(*fields));
    }
    command->fields = fields;
  }
  command->fields[command->field_count++] = field;
  return true;
}

static bool take_fields(struct bl_cursor *in, struct bl_arena *arena, struct bl_command *command) {
  uint32_t cap = 0;
  command->field_count = 0;
  if (!take_char(in, '{')) return false;
  while (!take_char(in, '}')) {
    struct bl_field field;
    skip_blanks(in);
    if (in->at == in->end || *in->at != '"' || !take_string(in, arena, &field.name)) return false;
    if (!take_char(in, ':')) return false;
    skip_blanks(in);
    if (in->at < in->end && (*in->at == '{' || *in->at == '[')) return false;
    if (!take_scalar(in, arena, &field.value)) return false;
    if (!add_field(command, arena, &cap, field)) return false;
    if (!take_char(in, ',') && (in->at == in->end || *in->at != '}')) return false;
  }
  return true;
}

static bool take_member(struct bl_cursor *in, struct bl_arena *arena, struct bl_command *command) {
  struct bl_slice key;
  struct bl_slice value;
  skip_blanks(in);
  if (in->at == in->end || *in->at != '"' || !take_string(in, arena, &key)) return false;
  if (!take_char(in, ':')) return false;
  skip_blanks(in);
  if (in->at == in->end) return false;
  if (*in->at == '{' && bl_slice_is(key, "extFields")) return take_fields(in, arena, command);
  if (*in->at == '{' || *in->at == '[') return skip_nested(in);
  if (!take_scalar(in, arena, &value)) return false;
  if (value.ptr == NULL) return true; /* null: as if it were not there */
  if (bl_slice_is(key, "code")) return bl_slice_i32(value, &command->code);
  if (bl_slice_is(key, "opaque")) return bl_slice_i32(value, &command->opaque);
  if (bl_slice_is(key, "flag")) return bl_slice_i32(value, &command->flag);
  if (bl_slice_is(key, "version")) return bl_slice_i32(value, &command->version);
  if (bl_slice_is(key, "language")) command->language = language_of(value);
  if (bl_slice_is(key, "remark")) command->remark = value;
  return true;
}

bl_err bl_command_decode_json(struct bl_slice header, struct bl_arena *arena,
                              struct bl_command *command) {
  struct bl_cursor in = bl_cursor_of(header);
  if (!take_char(&in, '{')) return BL_ERR_FORMAT;
  while (!take_char(&in, '}')) {
    if (!take_member(&in, arena, command)) return BL_ERR_FORMAT;
    if (!take_char(&in, ',') && (in.at == in.end || *in.at != '}')) return BL_ERR_FORMAT;
  }
  skip_blanks(&in);
  return in.at == in.end ? BL_OK : BL_ERR_FORMAT;
}

static void put_quoted(struct bl_buf *out, struct bl_slice text) {
  struct bl_json_writer w = bl_json_writer_of(out, false);
  bl_json_put_text(&w, text);
}

/* Keys in the order in which fastjson writes them: code, extFields, flag, language, opaque, remark,
 * serializeTypeCurrentRPC, version. */
void bl_command_begin_json(struct bl_command_writer *writer) {
  bl_buf_put_slice(writer->out, BL_SLICE("{\"code\":"));
  bl_buf_put_i64_text(writer->out, writer->code);
}

void bl_command_put_json(struct bl_command_writer *writer, struct bl_slice name,
                         struct bl_slice value) {
  if (writer->any_field) {
    bl_buf_put_char(writer->out, ',');
  } else {
    bl_buf_put_slice(writer->out, BL_SLICE(",\"extFields\":{"));
    writer->any_field = true;
  }
  put_quoted(writer->out, name);
  bl_buf_put_char(writer->out, ':');
  put_quoted(writer->out, value.ptr != NULL ? value : BL_SLICE(""));
}

void bl_command_end_json(struct bl_command_writer *writer) {
  struct bl_buf *out = writer->out;
  if (writer->any_field) bl_buf_put_char(out, '}');
  bl_buf_put_slice(out, BL_SLICE(",\"flag\":"));
  bl_buf_put_i64_text(out, writer->flag);
  bl_buf_put_slice(out, BL_SLICE(",\"language\":\"JAVA\",\"opaque\":"));
  bl_buf_put_i64_text(out, writer->opaque);
  if (writer->remark.ptr != NULL) {
    bl_buf_put_slice(out, BL_SLICE(",\"remark\":"));
    put_quoted(out, writer->remark);
  }
  bl_buf_put_slice(out, BL_SLICE(",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":"));
  bl_buf_put_i64_text(out, writer->version);
  bl_buf_put_char(out, '}');
}
