/* The writers of json.h. The forms are those of fastjson 1.2.83: SerializeWriter, MapSerializer,
 * ListSerializer, CollectionCodec. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/json_scan.h"

#define JSON_WRITE_DEPTH_MAX 64

struct bl_json_writer bl_json_writer_of(struct bl_buf *out, bool pretty) {
  return (struct bl_json_writer){.out = out, .pretty = pretty};
}

static bool in_flat_array(const struct bl_json_writer *w) {
  return w->depth > 0 && (w->flat >> (w->depth - 1) & 1) != 0;
}

static void new_line(struct bl_json_writer *w) {
  bl_buf_put_char(w->out, '\n');
  for (int i = 0; i < w->indent; i++) bl_buf_put_char(w->out, '\t');
}

static void before_entry(struct bl_json_writer *w, bool on_new_line) {
  if (w->need_comma) bl_buf_put_char(w->out, ',');
  if (on_new_line && w->pretty && w->depth > 0 && !in_flat_array(w)) new_line(w);
  w->need_comma = true;
}

static void before_value(struct bl_json_writer *w) {
  if (!w->after_key) before_entry(w, true);
  w->after_key = false;
}

static void after_key(struct bl_json_writer *w) {
  bl_buf_put_char(w->out, ':');
  w->after_key = true;
}

static void open_level(struct bl_json_writer *w, char c, bool flat) {
  BL_ASSERT(w->depth < JSON_WRITE_DEPTH_MAX);
  bl_buf_put_char(w->out, c);
  uint64_t bit = 1ull << w->depth++;
  w->flat = flat ? w->flat | bit : w->flat & ~bit;
  if (!flat) w->indent++;
  w->need_comma = false;
}

static void close_level(struct bl_json_writer *w, char c) {
  BL_ASSERT(w->depth > 0 && !w->after_key);
  if (!in_flat_array(w)) {
    w->indent--;
    if (w->pretty && w->need_comma) new_line(w);
  }
  w->depth--;
  bl_buf_put_char(w->out, c);
  w->need_comma = true;
}

void bl_json_open_object(struct bl_json_writer *w) {
  before_value(w);
  open_level(w, '{', false);
}

void bl_json_close_object(struct bl_json_writer *w) {
  close_level(w, '}');
}

void bl_json_open_array(struct bl_json_writer *w) {
  before_value(w);
  open_level(w, '[', false);
}

void bl_json_open_flat_array(struct bl_json_writer *w) {
  before_value(w);
  open_level(w, '[', true);
}

void bl_json_close_array(struct bl_json_writer *w) {
  close_level(w, ']');
}

/* Length of the valid UTF-8 sequence at `p` and its code; 0 when it is none. */
static size_t utf8_at(const unsigned char *p, size_t left, uint32_t *out_code) {
  size_t len = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
  if (len == 0 || len > left) return 0;
  uint32_t code = p[0] & (0xffu >> (len + 1));
  for (size_t i = 1; i < len; i++) {
    if ((p[i] & 0xc0) != 0x80) return 0;
    code = code << 6 | (p[i] & 0x3f);
  }
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return 0;
  *out_code = code;
  return len;
}

static void put_unicode_escape(struct bl_buf *out, uint32_t unit) {
  static const char digits[] = "0123456789ABCDEF";
  char text[6] = {'\\',
                  'u',
                  digits[unit >> 12 & 15],
                  digits[unit >> 8 & 15],
                  digits[unit >> 4 & 15],
                  digits[unit & 15]};
  bl_buf_put(out, text, sizeof(text));
}

static void put_code_escape(struct bl_buf *out, uint32_t code) {
  if (code < 0x10000) {
    put_unicode_escape(out, code);
    return;
  }
  put_unicode_escape(out, 0xd800 + ((code - 0x10000) >> 10));
  put_unicode_escape(out, 0xdc00 + ((code - 0x10000) & 0x3ff));
}

/* The letter behind the backslash, or 0. */
static char short_escape(unsigned char c) {
  switch (c) {
    case '"': return '"';
    case '\\': return '\\';
    case '\b': return 'b';
    case '\f': return 'f';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    default: return 0;
  }
}

/* Writes what stands at `p` when it needs an escape. RETURNS how many bytes that were; 0: none
 * needed. */
static size_t put_escaped(struct bl_json_writer *w, const unsigned char *p, size_t left) {
  char letter = *p == '/' && w->ascii ? '/' : short_escape(*p);
  if (letter != 0) {
    char text[2] = {'\\', letter};
    bl_buf_put(w->out, text, sizeof(text));
    return 1;
  }
  if (*p < 0x20 || *p == 0x7f) {
    put_unicode_escape(w->out, *p);
    return 1;
  }
  if (*p < 0x80) return 0;
  uint32_t code;
  size_t len = utf8_at(p, left, &code);
  if (w->ascii) {
    put_code_escape(w->out, len > 0 ? code : 0xfffd);
    return len > 0 ? len : 1;
  }
  if (len == 0 || (code >= 0xa0 && code != 0x2028 && code != 0x2029)) return 0;
  put_unicode_escape(w->out, code);
  return len;
}

/* How many bytes from `p` on are written as they are for certain. */
static size_t plain_bytes(const struct bl_json_writer *w, const char *p, size_t left) {
  size_t i = 0;
  while (!w->ascii && left - i >= 8) {
    uint64_t word = bl_json__load_8(p + i);
    if (bl_json__special(word, '"') != 0 || bl_json__has(word, 0x7f) != 0) break;
    if ((word & BL_JSON_HIGHS) != 0) break;
    i += 8;
  }
  while (i < left) {
    unsigned char c = (unsigned char)p[i];
    if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || (c == '/' && w->ascii)) break;
    i++;
  }
  return i;
}

static void put_quoted(struct bl_json_writer *w, struct bl_slice text) {
  size_t plain = plain_bytes(w, text.ptr, text.len);
  char *at = bl_buf_reserve(w->out, text.len + 2); /* enough when nothing needs an escape */
  if (at == NULL) return;
  at[0] = '"';
  if (plain > 0) memcpy(at + 1, text.ptr, plain);
  w->out->len += plain + 1;
  size_t done = plain;
  size_t i = plain;
  while (i < text.len) {
    bl_buf_put(w->out, text.ptr + done, i - done);
    done = i;
    size_t len = put_escaped(w, (const unsigned char *)text.ptr + i, text.len - i);
    if (len > 0) done = i + len;
    i += len > 0 ? len : 1; /* a byte beyond ASCII that stays */
    i += plain_bytes(w, text.ptr + i, text.len - i);
  }
  if (done < text.len) bl_buf_put(w->out, text.ptr + done, text.len - done);
  bl_buf_put_char(w->out, '"');
}

void bl_json_key_slice(struct bl_json_writer *w, struct bl_slice name) {
  before_entry(w, true);
  put_quoted(w, name);
  after_key(w);
}

void bl_json_key(struct bl_json_writer *w, const char *name) {
  bl_json_key_slice(w, bl_slice_text(name));
}

void bl_json_key_number(struct bl_json_writer *w, int64_t number, bool quoted) {
  before_entry(w, false);
  if (quoted) bl_buf_put_char(w->out, '"');
  bl_buf_put_i64_text(w->out, number);
  if (quoted) bl_buf_put_char(w->out, '"');
  after_key(w);
}

void bl_json_open_object_key(struct bl_json_writer *w) {
  before_entry(w, false);
  open_level(w, '{', false);
}

void bl_json_close_object_key(struct bl_json_writer *w) {
  close_level(w, '}');
  after_key(w);
}

void bl_json_put_text(struct bl_json_writer *w, struct bl_slice text) {
  before_value(w);
  put_quoted(w, text);
}

void bl_json_put_i64(struct bl_json_writer *w, int64_t number) {
  before_value(w);
  bl_buf_put_i64_text(w->out, number);
}

/* The fewest digits, at least two and then without zeros at the end, that read back as the same
 * number. RETURNS how many; the first stands before the point. */
static int shortest_digits(double number, char digits[18], int *out_exponent) {
  char room[32];
  for (int count = 2; count <= 17; count++) {
    snprintf(room, sizeof(room), "%.*e", count - 1, number);
    if (strtod(room, NULL) == number) break;
  }
  int count = 0;
  const char *c = room;
  for (; *c != 'e'; c++) {
    if (*c != '.') digits[count++] = *c;
  }
  *out_exponent = (int)strtol(c + 1, NULL, 10);
  while (count > 1 && digits[count - 1] == '0') count--;
  return count;
}

/* The form of Java's Double.toString with the fewest digits (as Java 19 and fastjson's RyuDouble;
 * older Javas sometimes give more). */
static void put_positive(struct bl_buf *out, double number) {
  char digits[18];
  int exponent;
  int count = shortest_digits(number, digits, &exponent);
  bool plain = exponent >= -3 && exponent < 7;
  int whole = !plain ? 1 : exponent < 0 ? 0 : exponent + 1; /* digits before the point */
  if (whole == 0) bl_buf_put_char(out, '0');
  for (int i = 0; i < whole; i++) bl_buf_put_char(out, i < count ? digits[i] : '0');
  bl_buf_put_char(out, '.');
  for (int i = exponent + 1; plain && i < 0; i++) bl_buf_put_char(out, '0');
  if (count > whole) {
    bl_buf_put(out, digits + whole, (size_t)(count - whole));
  } else {
    bl_buf_put_char(out, '0');
  }
  if (!plain) bl_buf_printf(out, "E%d", exponent);
}

void bl_json_put_double(struct bl_json_writer *w, double number) {
  if (!isfinite(number)) {
    bl_json_put_null(w);
    return;
  }
  before_value(w);
  if (signbit(number)) bl_buf_put_char(w->out, '-');
  if (number == 0) {
    bl_buf_put_text(w->out, "0.0");
  } else {
    put_positive(w->out, fabs(number));
  }
}

void bl_json_put_bool(struct bl_json_writer *w, bool value) {
  before_value(w);
  bl_buf_put_text(w->out, value ? "true" : "false");
}

void bl_json_put_null(struct bl_json_writer *w) {
  before_value(w);
  bl_buf_put_text(w->out, "null");
}

void bl_json_member_text(struct bl_json_writer *w, const char *name, struct bl_slice text) {
  bl_json_key(w, name);
  bl_json_put_text(w, text);
}

void bl_json_member_i64(struct bl_json_writer *w, const char *name, int64_t number) {
  bl_json_key(w, name);
  bl_json_put_i64(w, number);
}

void bl_json_member_bool(struct bl_json_writer *w, const char *name, bool value) {
  bl_json_key(w, name);
  bl_json_put_bool(w, value);
}

/* Without a plus and zeros at the front, which only the dialect has. */
static void put_number_text(struct bl_json_writer *w, struct bl_slice text) {
  before_value(w);
  if (text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+')) {
    if (text.ptr[0] == '-') bl_buf_put_char(w->out, '-');
    text = bl_slice_from(text, 1);
  }
  while (text.len > 1 && text.ptr[0] == '0' && text.ptr[1] >= '0' && text.ptr[1] <= '9') {
    text = bl_slice_from(text, 1);
  }
  bl_buf_put_slice(w->out, text);
}

static void put_members(struct bl_json_writer *w, const struct bl_json *node) {
  for (const struct bl_json *at = node->child; at != NULL; at = at->next) {
    if (at->key_node == NULL) {
      bl_json_key_slice(w, at->key);
    } else {
      bl_json_open_object_key(w);
      put_members(w, at->key_node);
      bl_json_close_object_key(w);
    }
    bl_json_put_node(w, at);
  }
}

void bl_json_put_node(struct bl_json_writer *w, const struct bl_json *node) {
  enum bl_json_kind kind = node != NULL ? node->kind : BL_JSON_NULL;
  switch (kind) {
    case BL_JSON_NULL: bl_json_put_null(w); break;
    case BL_JSON_BOOL: bl_json_put_bool(w, bl_slice_bool(node->text)); break;
    case BL_JSON_NUMBER: put_number_text(w, node->text); break;
    case BL_JSON_STRING: bl_json_put_text(w, node->text); break;
    case BL_JSON_ARRAY:
      bl_json_open_array(w);
      for (const struct bl_json *at = node->child; at != NULL; at = at->next) {
        bl_json_put_node(w, at);
      }
      bl_json_close_array(w);
      break;
    case BL_JSON_OBJECT:
      bl_json_open_object(w);
      put_members(w, node);
      bl_json_close_object(w);
      break;
  }
}
