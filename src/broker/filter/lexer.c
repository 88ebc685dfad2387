#include "broker/filter/lexer.h"

#include <stdint.h>

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

static char at_or_nul(struct bl_slice in, size_t at) {
  return at < in.len ? in.ptr[at] : '\0';
}

/* The end of a comment that begins at `at`; `at` when none does. One that does not end is none. */
static size_t comment_end(struct bl_slice in, size_t at) {
  char first = at_or_nul(in, at);
  char second = at_or_nul(in, at + 1);
  if (first == '-' && second == '-') {
    for (size_t i = at + 2; i < in.len; i++) {
      if (in.ptr[i] == '\n' || in.ptr[i] == '\r') return i + 1;
    }
  }
  if (first == '/' && second == '*') {
    for (size_t i = at + 2; i + 1 < in.len; i++) {
      if (in.ptr[i] == '*' && in.ptr[i + 1] == '/') return i + 2;
    }
  }
  return at;
}

static size_t skip_between(struct bl_slice in, size_t at) {
  for (;;) {
    size_t from = at;
    while (at < in.len && (in.ptr[at] == ' ' || in.ptr[at] == '\t' || in.ptr[at] == '\n' ||
                           in.ptr[at] == '\r' || in.ptr[at] == '\f'))
      at++;
    at = comment_end(in, at);
    if (at == from) return at;
  }
}

static size_t skip_digits(struct bl_slice in, size_t at) {
  while (at < in.len && is_digit(in.ptr[at])) at++;
  return at;
}

/* The end of "E+5" at `at`; `at` when there is none. */
static size_t exponent_end(struct bl_slice in, size_t at) {
  size_t i = at;
  if (at_or_nul(in, i) != 'e' && at_or_nul(in, i) != 'E') return at;
  i++;
  if (at_or_nul(in, i) == '+' || at_or_nul(in, i) == '-') i++;
  size_t end = skip_digits(in, i);
  return end > i ? end : at;
}

/* The end of the string at `at`; `at` when it does not end. A quote within it is doubled, unless
 * the string ends nowhere behind: 'a''b is 'a' and 'b. */
static size_t text_end(struct bl_slice in, size_t at) {
  size_t end = at;
  for (size_t i = at + 1; i < in.len; i++) {
    if (in.ptr[i] != '\'') continue;
    end = i + 1;
    if (at_or_nul(in, i + 1) != '\'') return end;
    i++;
  }
  return end;
}

static size_t number_end(struct bl_slice in, size_t at, enum bl_filter_token_kind *out_kind) {
  size_t whole = skip_digits(in, at);
  size_t end = whole;
  *out_kind = BL_TOKEN_FRACTION;
  if (at_or_nul(in, whole) == '.') {
    end = skip_digits(in, whole + 1);
    if (whole == at && end == whole + 1) return at; /* a lone point */
    return exponent_end(in, end);
  }
  end = exponent_end(in, whole);
  if (end > whole) return end;
  *out_kind = BL_TOKEN_WHOLE;
  if (in.ptr[at] == '0') return at + 1; /* 07 is 0 and 7 */
  if (at_or_nul(in, whole) == 'l' || at_or_nul(in, whole) == 'L') return whole + 1;
  return whole;
}

static bool same_word(struct bl_slice text, const char *word) {
  if (text.len != strlen(word)) return false;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c >= 'a' && c <= 'z') c = (char)(c - ('a' - 'A'));
    if (c != word[i]) return false;
  }
  return true;
}

static enum bl_filter_token_kind kind_of_word(struct bl_slice text) {
  static const struct {
    const char *word;
    enum bl_filter_token_kind kind;
  } words[] = {
      {"NOT", BL_TOKEN_NOT},
      {"AND", BL_TOKEN_AND},
      {"OR", BL_TOKEN_OR},
      {"BETWEEN", BL_TOKEN_BETWEEN},
      {"IN", BL_TOKEN_IN},
      {"TRUE", BL_TOKEN_TRUE},
      {"FALSE", BL_TOKEN_FALSE},
      {"NULL", BL_TOKEN_NULL},
      {"IS", BL_TOKEN_IS},
      {"CONTAINS", BL_TOKEN_CONTAINS},
      {"STARTSWITH", BL_TOKEN_STARTSWITH},
      {"ENDSWITH", BL_TOKEN_ENDSWITH},
  };
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    if (same_word(text, words[i].word)) return words[i].kind;
  }
  return BL_TOKEN_NAME;
}

static enum bl_filter_token_kind sign_at(struct bl_slice in, size_t at, size_t *out_len) {
  char next = at_or_nul(in, at + 1);
  *out_len = 1;
  switch (in.ptr[at]) {
    case '=': return BL_TOKEN_EQUAL;
    case '(': return BL_TOKEN_OPEN;
    case ')': return BL_TOKEN_CLOSE;
    case ',': return BL_TOKEN_COMMA;
    case '+': return BL_TOKEN_PLUS;
    case '-': return BL_TOKEN_MINUS;
    case '>':
      *out_len = next == '=' ? 2 : 1;
      return next == '=' ? BL_TOKEN_GREATER_EQUAL : BL_TOKEN_GREATER;
    case '<':
      *out_len = next == '=' || next == '>' ? 2 : 1;
      return next == '=' ? BL_TOKEN_LESS_EQUAL : next == '>' ? BL_TOKEN_NOT_EQUAL : BL_TOKEN_LESS;
    default: return BL_TOKEN_BAD;
  }
}

struct bl_filter_token bl_filter_next_token(struct bl_slice expression, size_t *at) {
  struct bl_slice in = expression;
  size_t from = skip_between(in, *at);
  size_t end = from;
  enum bl_filter_token_kind kind = BL_TOKEN_BAD;
  *at = from;
  if (from == in.len) return (struct bl_filter_token){BL_TOKEN_END, bl_slice_from(in, from)};
  char first = in.ptr[from];
  if (is_name_start(first)) {
    while (end < in.len && (is_name_start(in.ptr[end]) || is_digit(in.ptr[end]))) end++;
    kind = kind_of_word(bl_slice_of(in.ptr + from, end - from));
  } else if (is_digit(first) || first == '.') {
    end = number_end(in, from, &kind);
  } else if (first == '\'') {
    end = text_end(in, from);
    kind = BL_TOKEN_TEXT;
  } else {
    size_t len;
    kind = sign_at(in, from, &len);
    if (kind != BL_TOKEN_BAD) end = from + len;
  }
  if (end == from) return (struct bl_filter_token){BL_TOKEN_BAD, bl_slice_from(in, from)};
  *at = end;
  return (struct bl_filter_token){kind, bl_slice_of(in.ptr + from, end - from)};
}
