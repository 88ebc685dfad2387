#include "base/properties.h"

#include "base/assert.h"

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\f';
}

static bool is_end(char c) {
  return c == '\n' || c == '\r';
}

static struct bl_slice without_blanks_before(struct bl_slice text) {
  while (text.len > 0 && is_blank(text.ptr[0])) text = bl_slice_from(text, 1);
  return text;
}

/* A backslash at the end is one that escapes when an odd number of them stand there. */
static bool ends_in_escape(struct bl_slice text) {
  size_t count = 0;
  while (count < text.len && text.ptr[text.len - 1 - count] == '\\') count++;
  return count % 2 != 0;
}

/* Takes one line off `*text`, without its end (\n, \r or \r\n). */
static struct bl_slice take_line(struct bl_slice *text) {
  size_t len = 0;
  while (len < text->len && !is_end(text->ptr[len])) len++;
  struct bl_slice line = bl_slice_of(text->ptr, len);
  bool two = len + 1 < text->len && text->ptr[len] == '\r' && text->ptr[len + 1] == '\n';
  *text = bl_slice_from(*text, len + (two ? 2 : 1));
  return line;
}

/* FILLS `out` with a line and those it goes on in, raw. RETURNS how many lines that were. */
static int take_logical_line(struct bl_slice *text, struct bl_buf *out) {
  bl_buf_clear(out);
  struct bl_slice line = without_blanks_before(take_line(text));
  int lines = 1;
  bool comment = line.len > 0 && (line.ptr[0] == '#' || line.ptr[0] == '!');
  if (comment) return lines;
  while (ends_in_escape(line) && text->len > 0) {
    line.len--;
    bl_buf_put_slice(out, line);
    line = without_blanks_before(take_line(text));
    lines++;
  }
  if (ends_in_escape(line)) line.len--; /* the last of the text: nothing to go on in */
  bl_buf_put_slice(out, line);
  return lines;
}

static int hex4(struct bl_slice text) {
  if (text.len < 4) return -1;
  int value = 0;
  for (int i = 0; i < 4; i++) {
    char c = text.ptr[i];
    char lower = (char)(c | 0x20);
    int digit = c >= '0' && c <= '9'           ? c - '0'
                : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10
                                               : -1;
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  return value;
}

static void put_utf8(struct bl_buf *out, uint32_t code) {
  if (code < 0x80) {
    bl_buf_put_char(out, (char)code);
    return;
  }
  int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
  bl_buf_put_char(out, (char)(lead[more] | code >> (6 * more)));
  while (more-- > 0) bl_buf_put_char(out, (char)(0x80 | (code >> (6 * more) & 0x3f)));
}

/* `raw` begins behind \u. RETURNS how many bytes of it were used; 0: it is not four digits. A lone
 * surrogate becomes a question mark, as when Java writes it out. */
static size_t put_unicode(struct bl_buf *out, struct bl_slice raw) {
  int code = hex4(raw);
  if (code < 0) return 0;
  bool pair =
      code >= 0xd800 && code < 0xdc00 && raw.len >= 10 && raw.ptr[4] == '\\' && raw.ptr[5] == 'u';
  int low = pair ? hex4(bl_slice_from(raw, 6)) : -1;
  if (low >= 0xdc00 && low < 0xe000) {
    put_utf8(out, 0x10000 + (((uint32_t)code - 0xd800) << 10) + ((uint32_t)low - 0xdc00));
    return 10;
  }
  put_utf8(out, code >= 0xd800 && code < 0xe000 ? '?' : (uint32_t)code);
  return 4;
}

/* Appends `raw` unescaped. false: a bad \u. */
static bool put_unescaped(struct bl_buf *out, struct bl_slice raw) {
  for (size_t i = 0; i < raw.len; i++) {
    char c = raw.ptr[i];
    if (c != '\\' || i + 1 == raw.len) {
      bl_buf_put_char(out, c);
      continue;
    }
    c = raw.ptr[++i];
    if (c == 'u') {
      size_t used = put_unicode(out, bl_slice_from(raw, i + 1));
      if (used == 0) return false;
      i += used;
    } else {
      bl_buf_put_char(out, c == 't'   ? '\t'
                           : c == 'n' ? '\n'
                           : c == 'r' ? '\r'
                           : c == 'f' ? '\f'
                                      : c);
    }
  }
  return true;
}

/* Cuts a raw line where the first '=', ':' or blank stands that is not escaped. */
static void cut_key(struct bl_slice raw, struct bl_slice *out_key, struct bl_slice *out_value) {
  size_t len = 0;
  while (len < raw.len && raw.ptr[len] != '=' && raw.ptr[len] != ':' && !is_blank(raw.ptr[len])) {
    len += raw.ptr[len] == '\\' && len + 1 < raw.len ? 2 : 1;
  }
  *out_key = bl_slice_of(raw.ptr, len);
  struct bl_slice value = without_blanks_before(bl_slice_from(raw, len));
  if (value.len > 0 && (value.ptr[0] == '=' || value.ptr[0] == ':')) {
    value = without_blanks_before(bl_slice_from(value, 1));
  }
  while (value.len > 0 && is_blank(value.ptr[value.len - 1])) {
    struct bl_slice shorter = bl_slice_of(value.ptr, value.len - 1);
    if (ends_in_escape(shorter)) break;
    value = shorter;
  }
  *out_value = value;
}

static bl_err visit_line(struct bl_slice raw, int line, struct bl_buf *scratch,
                         bl_javaprops_visit visit, void *context, struct bl_why *why) {
  struct bl_slice raw_key, raw_value;
  cut_key(raw, &raw_key, &raw_value);
  if (raw_key.len == 0) {
    return bl_why_set(why, BL_ERR_FORMAT, "line %d: no key before the value; write key=value",
                      line);
  }
  bl_buf_clear(scratch);
  bool ok = put_unescaped(scratch, raw_key);
  size_t key_len = scratch->len;
  if (!ok || !put_unescaped(scratch, raw_value)) {
    return bl_why_set(why, BL_ERR_FORMAT,
                      "line %d: \\u needs four hexadecimal digits; write \\\\ for a backslash",
                      line);
  }
  struct bl_slice both = bl_buf_slice(scratch);
  return visit(context, line, bl_slice_of(both.ptr, key_len), bl_slice_from(both, key_len), why);
}

bl_err bl_javaprops_parse(struct bl_slice text, bl_javaprops_visit visit, void *context,
                          struct bl_why *why) {
  struct bl_buf raw, scratch;
  bl_buf_init(&raw, BL_PROPERTIES_LINE_BYTES_MAX);
  bl_buf_init(&scratch, BL_PROPERTIES_LINE_BYTES_MAX);
  bl_err err = BL_OK;
  int line = 1;
  while (err == BL_OK && text.len > 0) {
    int first = line;
    line += take_logical_line(&text, &raw);
    if (raw.failed) {
      err = bl_why_set(why, BL_ERR_FORMAT, "line %d is longer than %d bytes", first,
                       BL_PROPERTIES_LINE_BYTES_MAX);
    } else if (raw.len > 0) {
      err = visit_line(bl_buf_slice(&raw), first, &scratch, visit, context, why);
    }
  }
  bl_buf_fini(&raw);
  bl_buf_fini(&scratch);
  return err;
}

static void put_escaped(struct bl_buf *out, struct bl_slice text, bool key) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    bool edge = i == 0 || i == text.len - 1;
    bool special = c == '\\' || (c == ' ' && (key || edge)) ||
                   (key && (c == '=' || c == ':' || (i == 0 && (c == '#' || c == '!'))));
    char letter = c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : c == '\f' ? 'f' : c;
    if (special || letter != c) bl_buf_put_char(out, '\\');
    bl_buf_put_char(out, letter);
  }
}

void bl_javaprops_put(struct bl_buf *out, struct bl_slice key, struct bl_slice value) {
  BL_ASSERT(key.len > 0);
  put_escaped(out, key, true);
  bl_buf_put_char(out, '=');
  put_escaped(out, value, false);
  bl_buf_put_char(out, '\n');
}
