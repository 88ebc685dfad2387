#include "base/json.h"

#include <math.h>
#include <stdlib.h>

#include "base/json_scan.h"

#define JSON_DEPTH_MAX 32
#define JSON_VALUES_FREE 65536u
#define JSON_NUMBER_BYTES_MAX 63u

_Static_assert(sizeof(struct bl_json) == 64, "json.h promises it");

struct reader {
  const char *at;
  const char *end;
  const char *start;
  struct bl_arena *arena;
  struct bl_why *why;
  size_t values_left;
  int depth;
  bool dialect;
};

static bool parse_value(struct reader *r, struct bl_json *out);

/* RETURNS false, so that `return fail(r, "...")` works. */
static bool fail(struct reader *r, const char *cause) {
  bl_why_set(r->why, BL_ERR_FORMAT, "JSON is not valid at byte %zu: %s", (size_t)(r->at - r->start),
             cause);
  return false;
}

static bool at_char(const struct reader *r, char c) {
  return r->at < r->end && *r->at == c;
}

/* false: a comment without an end. */
static bool skip_comment(struct reader *r) {
  const char *p = r->at + 1;
  if (p < r->end && *p == '/') {
    const char *line_end = memchr(p, '\n', (size_t)(r->end - p));
    r->at = line_end != NULL ? line_end + 1 : r->end;
    return true;
  }
  if (p < r->end && *p == '*') {
    for (p++; p + 1 < r->end; p++) {
      if (p[0] == '*' && p[1] == '/') {
        r->at = p + 2;
        return true;
      }
    }
  }
  return fail(r, "a comment has no end");
}

static bool skip_blanks(struct reader *r) {
  while (r->at < r->end) {
    char c = *r->at;
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
      r->at++;
    } else if (r->dialect && (c == '\f' || c == '\b')) {
      r->at++;
    } else if (r->dialect && c == '/') {
      if (!skip_comment(r)) return false;
    } else {
      break;
    }
  }
  return true;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* The number in `digits` hexadecimal digits at `p`, or -1. */
static int32_t hex_number(const char *p, const char *end, int digits) {
  if (end - p < digits) return -1;
  int32_t value = 0;
  for (int i = 0; i < digits; i++) {
    int digit = hex_digit(p[i]);
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  return value;
}

static char *put_utf8(char *out, uint32_t code) {
  if (code < 0x80) {
    *out++ = (char)code;
  } else if (code < 0x800) {
    *out++ = (char)(0xc0 | code >> 6);
    *out++ = (char)(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    *out++ = (char)(0xe0 | code >> 12);
    *out++ = (char)(0x80 | (code >> 6 & 0x3f));
    *out++ = (char)(0x80 | (code & 0x3f));
  } else {
    *out++ = (char)(0xf0 | code >> 18);
    *out++ = (char)(0x80 | (code >> 12 & 0x3f));
    *out++ = (char)(0x80 | (code >> 6 & 0x3f));
    *out++ = (char)(0x80 | (code & 0x3f));
  }
  return out;
}

/* r->at is behind \u. A lone surrogate becomes a question mark, as in Java's
 * String.getBytes(UTF_8). */
static bool unescape_unicode(struct reader *r, char **out) {
  int32_t code = hex_number(r->at, r->end, 4);
  if (code < 0) return fail(r, "\\u needs four hexadecimal digits");
  r->at += 4;
  if (code >= 0xd800 && code < 0xdc00 && r->end - r->at >= 6 && r->at[0] == '\\' &&
      r->at[1] == 'u') {
    int32_t low = hex_number(r->at + 2, r->end, 4);
    if (low >= 0xdc00 && low < 0xe000) {
      r->at += 6;
      *out = put_utf8(*out, 0x10000 + (((uint32_t)code - 0xd800) << 10) + ((uint32_t)low - 0xdc00));
      return true;
    }
  }
  if (code >= 0xd800 && code < 0xe000) code = '?';
  *out = put_utf8(*out, (uint32_t)code);
  return true;
}

/* r->at is behind the backslash, and there is a byte. */
static bool unescape(struct reader *r, char **out) {
  static const char from[] = "\"\\/bfnrt";
  static const char to[] = "\"\\/\b\f\n\r\t";
  char c = *r->at++;
  if (c == 'u') return unescape_unicode(r, out);
  const char *found = c != '\0' ? strchr(from, c) : NULL;
  if (found != NULL) {
    *(*out)++ = to[found - from];
    return true;
  }
  if (r->dialect) {
    if (c == '\'' || c == 'v' || c == 'F' || (c >= '0' && c <= '7')) {
      *(*out)++ = (char)(c == '\'' ? '\'' : c == 'v' ? '\v' : c == 'F' ? '\f' : c - '0');
      return true;
    }
    int32_t code = c == 'x' ? hex_number(r->at, r->end, 2) : -1;
    if (code >= 0) {
      r->at += 2;
      *out = put_utf8(*out, (uint32_t)code);
      return true;
    }
  }
  r->at--;
  return fail(r, "unknown escape");
}

/* To the quote, a backslash, or (strictly) a control character; false: none until the end. */
static bool skip_plain(struct reader *r, char quote) {
  const char *p = r->at;
  for (;;) {
    while (r->end - p >= 8 && bl_json__special(bl_json__load_8(p), quote) == 0) p += 8;
    const char *stop = r->end - p >= 8 ? p + 8 : r->end;
    for (; p < stop; p++) {
      if (*p == quote || *p == '\\' || ((unsigned char)*p < 0x20 && !r->dialect)) {
        r->at = p;
        return true;
      }
    }
    if (p == r->end) return false;
  }
}

/* Where the text ends in which r->at stands; NULL: nowhere. */
static const char *find_close(const struct reader *r, char quote) {
  struct reader ahead = *r;
  while (ahead.at < ahead.end && skip_plain(&ahead, quote)) {
    if (*ahead.at == quote) return ahead.at;
    ahead.at += *ahead.at == '\\' ? 2 : 1;
  }
  return NULL;
}

/* The text from `start` on has an escape at r->at: copies it into the arena. */
static bool copy_unescaped(struct reader *r, const char *start, char quote, struct bl_slice *out) {
  const char *close = find_close(r, quote);
  if (close == NULL) return fail(r, "a text has no closing quote");
  /* An escape never gets longer, so the raw length is enough room. */
  char *text = bl_arena_take(r->arena, (size_t)(close - start));
  char *to = text;
  for (;;) {
    size_t plain = (size_t)(r->at - start);
    memcpy(to, start, plain);
    to += plain;
    if (*r->at == quote) break;
    if (*r->at != '\\') return fail(r, "a control character in a text must be escaped");
    r->at++;
    if (!unescape(r, &to)) return false;
    start = r->at;
    skip_plain(r, quote); /* finds at least the quote at `close` */
  }
  r->at++;
  *out = bl_slice_of(text, (size_t)(to - text));
  return true;
}

/* r->at is at the opening quote. */
static bool parse_text(struct reader *r, struct bl_slice *out) {
  char quote = *r->at++;
  const char *start = r->at;
  if (!skip_plain(r, quote)) return fail(r, "a text has no closing quote");
  if (*r->at == '\\') return copy_unescaped(r, start, quote, out);
  if (*r->at != quote) return fail(r, "a control character in a text must be escaped");
  *out = bl_slice_of(start, (size_t)(r->at - start));
  r->at++;
  return true;
}

/* RETURNS how many digits were skipped. */
static size_t skip_digits(struct reader *r) {
  const char *start = r->at;
  while (r->at < r->end && *r->at >= '0' && *r->at <= '9') r->at++;
  return (size_t)(r->at - start);
}

static bool parse_number(struct reader *r, struct bl_json *out) {
  const char *start = r->at;
  if (at_char(r, '-') || (r->dialect && at_char(r, '+'))) r->at++;
  bool zero = at_char(r, '0');
  size_t digits = skip_digits(r);
  if (digits == 0) return fail(r, "a value is expected");
  if (zero && digits > 1 && !r->dialect) return fail(r, "a number must not begin with 0");
  if (at_char(r, '.')) {
    r->at++;
    if (skip_digits(r) == 0) return fail(r, "digits are expected after the decimal point");
  }
  if (at_char(r, 'e') || at_char(r, 'E')) {
    r->at++;
    if (at_char(r, '-') || at_char(r, '+')) r->at++;
    if (skip_digits(r) == 0) return fail(r, "digits are expected in the exponent");
  }
  out->kind = BL_JSON_NUMBER;
  out->text = bl_slice_of(start, (size_t)(r->at - start));
  return true;
}

static bool parse_word(struct reader *r, struct bl_json *out) {
  static const struct {
    struct bl_slice text;
    enum bl_json_kind kind;
    bool dialect_only;
  } words[] = {
      {{"true", 4}, BL_JSON_BOOL, false},     {{"false", 5}, BL_JSON_BOOL, false},
      {{"null", 4}, BL_JSON_NULL, false},     {{"NaN", 3}, BL_JSON_NULL, true},
      {{"undefined", 9}, BL_JSON_NULL, true},
  };
  struct bl_slice rest = bl_slice_of(r->at, (size_t)(r->end - r->at));
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    if (words[i].dialect_only && !r->dialect) continue;
    if (!bl_slice_starts(rest, words[i].text)) continue;
    r->at += words[i].text.len;
    out->kind = words[i].kind;
    if (out->kind == BL_JSON_BOOL) out->text = words[i].text;
    return true;
  }
  return fail(r, "a value is expected");
}

/* A value of its own in the arena, not yet linked; NULL: too many. */
static struct bl_json *new_value(struct reader *r) {
  if (r->values_left == 0) {
    fail(r, "too many values for a text of this size");
    return NULL;
  }
  r->values_left--;
  return bl_arena_zero(r->arena, sizeof(struct bl_json));
}

static bool is_bare(char c) {
  return (unsigned char)c > ' ' && strchr(":,{}[]\"'/", c) == NULL;
}

/* r->at is at the key; leaves it behind the colon. */
static bool parse_key(struct reader *r, struct bl_json *member) {
  char c = *r->at;
  if (c == '"' || (r->dialect && c == '\'')) {
    if (!parse_text(r, &member->key)) return false;
  } else if (r->dialect && c == '{') {
    struct bl_json *key = new_value(r);
    if (key == NULL || !parse_value(r, key)) return false;
    member->key_node = key;
  } else if (r->dialect && is_bare(c)) {
    const char *start = r->at;
    while (r->at < r->end && is_bare(*r->at)) r->at++;
    member->key = bl_slice_of(start, (size_t)(r->at - start));
  } else {
    return fail(r, "a key is expected");
  }
  if (!skip_blanks(r)) return false;
  if (!at_char(r, ':')) return fail(r, "a colon is expected after the key");
  r->at++;
  return true;
}

/* Before an entry of an array or object: at its end, `*out_done` and behind it. */
static bool find_entry(struct reader *r, char close, bool first, bool *out_done) {
  *out_done = false;
  if (!skip_blanks(r)) return false;
  while (r->dialect && at_char(r, ',')) {
    r->at++;
    if (!skip_blanks(r)) return false;
  }
  if (r->at == r->end) return fail(r, "the text ends inside an array or object");
  if (*r->at != close) return true;
  if (!first && !r->dialect) return fail(r, "nothing follows the comma");
  r->at++;
  *out_done = true;
  return true;
}

/* Behind an entry: `*out_done` when what it is in has ended. */
static bool end_entry(struct reader *r, char close, bool *out_done) {
  if (!skip_blanks(r)) return false;
  *out_done = at_char(r, close);
  if (!*out_done && !at_char(r, ',')) {
    return fail(r, close == '}' ? "a comma or } is expected" : "a comma or ] is expected");
  }
  r->at++;
  return true;
}

/* r->at is at the opening brace or bracket. */
static bool parse_entries(struct reader *r, struct bl_json *out) {
  bool object = *r->at++ == '{';
  char close = object ? '}' : ']';
  out->kind = object ? BL_JSON_OBJECT : BL_JSON_ARRAY;
  const struct bl_json **link = &out->child;
  bool done = false;
  while (!done) {
    if (!find_entry(r, close, out->count == 0, &done)) return false;
    if (done) break;
    struct bl_json *entry = new_value(r);
    if (entry == NULL) return false;
    if (object && !parse_key(r, entry)) return false;
    if (!parse_value(r, entry)) return false;
    *link = entry;
    link = &entry->next;
    out->count++;
    if (!end_entry(r, close, &done)) return false;
  }
  return true;
}

static bool parse_value(struct reader *r, struct bl_json *out) {
  if (!skip_blanks(r)) return false;
  if (r->at == r->end) return fail(r, "the text ends where a value is expected");
  char c = *r->at;
  if (c == '{' || c == '[') {
    if (r->depth == JSON_DEPTH_MAX) return fail(r, "more than 32 levels");
    r->depth++;
    bool ok = parse_entries(r, out);
    r->depth--;
    return ok;
  }
  if (c == '"' || (r->dialect && c == '\'')) {
    out->kind = BL_JSON_STRING;
    return parse_text(r, &out->text);
  }
  if ((c >= '0' && c <= '9') || c == '-' || c == '+') return parse_number(r, out);
  return parse_word(r, out);
}

bl_err bl_json_parse(struct bl_slice input, enum bl_json_mode mode, struct bl_arena *arena,
                     const struct bl_json **out_root, struct bl_why *why) {
  const char *start = input.ptr != NULL ? input.ptr : "";
  struct reader r = {
      .at = start,
      .end = start + input.len,
      .start = start,
      .arena = arena,
      .why = why,
      .values_left = JSON_VALUES_FREE + input.len / 4,
      .dialect = mode == BL_JSON_DIALECT,
  };
  struct bl_json *root = new_value(&r);
  if (!parse_value(&r, root) || !skip_blanks(&r)) return BL_ERR_FORMAT;
  if (r.at != r.end) {
    fail(&r, "something follows the end of the value");
    return BL_ERR_FORMAT;
  }
  *out_root = root;
  return BL_OK;
}

const struct bl_json *bl_json_get(const struct bl_json *node, const char *name) {
  if (node == NULL || node->kind != BL_JSON_OBJECT) return NULL;
  size_t len = strlen(name);
  const struct bl_json *found = NULL;
  for (const struct bl_json *at = node->child; at != NULL; at = at->next) {
    if (at->key_node != NULL || at->key.len != len) continue;
    if (len == 0 || memcmp(at->key.ptr, name, len) == 0) found = at;
  }
  return found;
}

/* A number with a fraction or exponent: cut towards zero, as BigDecimal.longValue. */
static int64_t cut_number(struct bl_slice text, int64_t otherwise) {
  if (text.len > JSON_NUMBER_BYTES_MAX) return otherwise;
  char room[JSON_NUMBER_BYTES_MAX + 1];
  memcpy(room, text.ptr, text.len);
  room[text.len] = '\0';
  double number = trunc(strtod(room, NULL));
  bool fits = number >= -0x1p63 && number < 0x1p63;
  return fits ? (int64_t)number : otherwise;
}

/* A number in a text: commas between digits and zeros behind the point do not matter. */
static int64_t text_number(struct bl_slice text, int64_t otherwise) {
  char room[JSON_NUMBER_BYTES_MAX];
  size_t len = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] == ',') continue;
    if (len == sizeof(room)) return otherwise;
    room[len++] = text.ptr[i];
  }
  size_t whole = len;
  while (whole > 0 && room[whole - 1] == '0') whole--;
  if (whole > 0 && room[whole - 1] == '.') len = whole - 1;
  int64_t value;
  return bl_slice_i64(bl_slice_of(room, len), &value) ? value : otherwise;
}

int64_t bl_json_i64(const struct bl_json *node, int64_t otherwise) {
  if (node == NULL) return otherwise;
  if (node->kind == BL_JSON_BOOL) return bl_slice_bool(node->text);
  if (node->kind == BL_JSON_STRING) return text_number(node->text, otherwise);
  if (node->kind != BL_JSON_NUMBER) return otherwise;
  int64_t value;
  if (bl_slice_i64(node->text, &value)) return value;
  for (size_t i = 0; i < node->text.len; i++) {
    if (strchr(".eE", node->text.ptr[i]) != NULL) return cut_number(node->text, otherwise);
  }
  return otherwise; /* a whole number out of range */
}

int32_t bl_json_i32(const struct bl_json *node, int32_t otherwise) {
  int64_t value = bl_json_i64(node, otherwise);
  return value >= INT32_MIN && value <= INT32_MAX ? (int32_t)value : otherwise;
}

static bool text_bool(struct bl_slice text, bool otherwise) {
  static const struct {
    const char *text;
    bool value;
  } words[] = {{"true", true},   {"1", true},  {"y", true},  {"t", true},
               {"false", false}, {"0", false}, {"n", false}, {"f", false}};
  char lower[5];
  if (text.len > sizeof(lower)) return otherwise;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    lower[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  }
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    if (bl_slice_is(bl_slice_of(lower, text.len), words[i].text)) return words[i].value;
  }
  return otherwise;
}

bool bl_json_bool(const struct bl_json *node, bool otherwise) {
  if (node == NULL) return otherwise;
  if (node->kind == BL_JSON_NUMBER) return bl_json_i64(node, 0) == 1;
  if (node->kind == BL_JSON_BOOL || node->kind == BL_JSON_STRING) {
    return text_bool(node->text, otherwise);
  }
  return otherwise;
}

struct bl_slice bl_json_text(const struct bl_json *node) {
  if (node == NULL || node->kind == BL_JSON_NULL) return (struct bl_slice){NULL, 0};
  return node->text; /* absent in arrays and objects */
}
