#include "broker/filter/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No double needs more digits than 767 to be told from its neighbours; one more says whether
 * anything follows. */
#define DIGITS_MAX 800
/* Beyond this every number is zero or infinite, whatever its digits. */
#define EXPONENT_MAX 100000
/* Powers of ten and whole numbers that a double holds exactly. */
#define EXACT_POWER_MAX 22
#define EXACT_DIGITS_MAX 15
#define HEX_TEXT_BYTES_MAX 1024

bool bl_filter_read_int(struct bl_slice text, int64_t *out_value) {
  int32_t value;
  if (!bl_slice_i32(text, &value)) return false;
  *out_value = value;
  return true;
}

bool bl_filter_read_long(struct bl_slice text, int64_t *out_value) {
  return bl_slice_i64(text, out_value);
}

/* A decimal number: digits * 10^exponent. */
struct decimal {
  char digits[DIGITS_MAX + 2];
  int count; /* without leading zeros */
  int64_t exponent;
  bool more; /* digits that are not 0 were left out */
};

struct reader {
  const char *at;
  const char *end;
};

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool take(struct reader *in, char a, char b) {
  if (in->at == in->end || (*in->at != a && *in->at != b)) return false;
  in->at++;
  return true;
}

/* RETURNS how many digits there were. `places`: what each takes from the exponent. */
static size_t take_digits(struct reader *in, struct decimal *out, int places) {
  const char *from = in->at;
  for (; in->at < in->end && is_digit(*in->at); in->at++) {
    char digit = *in->at;
    if (out->count == 0 && digit == '0') {
      out->exponent -= places;
    } else if (out->count < DIGITS_MAX) {
      out->digits[out->count++] = digit;
      out->exponent -= places;
    } else {
      out->more = out->more || digit != '0';
      out->exponent += 1 - places;
    }
  }
  return (size_t)(in->at - from);
}

static bool take_exponent(struct reader *in, int64_t *out_exponent) {
  bool negative = in->at < in->end && *in->at == '-';
  (void)take(in, '-', '+');
  if (in->at == in->end || !is_digit(*in->at)) return false;
  int64_t value = 0;
  for (; in->at < in->end && is_digit(*in->at); in->at++) {
    if (value <= EXPONENT_MAX) value = value * 10 + (*in->at - '0');
  }
  *out_exponent = negative ? -value : value;
  return true;
}

static double value_of(struct decimal *decimal) {
  static const double powers[EXACT_POWER_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                     1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (decimal->count == 0) return 0;
  int64_t exponent = decimal->exponent;
  if (decimal->count <= EXACT_DIGITS_MAX && exponent >= -EXACT_POWER_MAX &&
      exponent <= EXACT_POWER_MAX) {
    int64_t whole = 0;
    for (int i = 0; i < decimal->count; i++) whole = whole * 10 + (decimal->digits[i] - '0');
    return exponent < 0 ? (double)whole / powers[-exponent] : (double)whole * powers[exponent];
  }
  if (decimal->more) {
    decimal->digits[decimal->count++] = '1';
    exponent--;
  }
  if (exponent > EXPONENT_MAX) exponent = EXPONENT_MAX;
  if (exponent < -EXPONENT_MAX) exponent = -EXPONENT_MAX;
  char text[DIGITS_MAX + 32];
  snprintf(text, sizeof(text), "%.*se%lld", decimal->count, decimal->digits, (long long)exponent);
  return strtod(text, NULL);
}

/* The suffix, then nothing. */
static bool ends(struct reader *in) {
  if (in->at < in->end && strchr("fFdD", *in->at) != NULL && *in->at != '\0') in->at++;
  return in->at == in->end;
}

static bool read_decimal(struct reader *in, double *out_value) {
  struct decimal decimal;
  decimal.count = 0;
  decimal.exponent = 0;
  decimal.more = false;
  size_t digits = take_digits(in, &decimal, 0);
  if (take(in, '.', '.')) digits += take_digits(in, &decimal, 1);
  if (digits == 0) return false;
  int64_t exponent = 0;
  if (take(in, 'e', 'E') && !take_exponent(in, &exponent)) return false;
  if (!ends(in)) return false;
  decimal.exponent += exponent;
  *out_value = value_of(&decimal);
  return true;
}

static size_t take_hex_digits(struct reader *in) {
  const char *from = in->at;
  while (in->at < in->end && *in->at != '\0' && strchr("0123456789abcdefABCDEF", *in->at) != NULL)
    in->at++;
  return (size_t)(in->at - from);
}

/* Behind 0x. */
static bool read_hex(struct reader *in, double *out_value) {
  const char *from = in->at;
  size_t digits = take_hex_digits(in);
  if (take(in, '.', '.')) digits += take_hex_digits(in);
  int64_t exponent;
  if (digits == 0 || !take(in, 'p', 'P') || !take_exponent(in, &exponent)) return false;
  size_t bytes = (size_t)(in->at - from);
  char text[HEX_TEXT_BYTES_MAX + 3] = "0x";
  if (!ends(in) || bytes > HEX_TEXT_BYTES_MAX) return false;
  memcpy(text + 2, from, bytes);
  text[2 + bytes] = '\0';
  *out_value = strtod(text, NULL);
  return true;
}

bool bl_filter_read_double(struct bl_slice text, double *out_value) {
  struct reader in = {text.ptr, text.ptr != NULL ? text.ptr + text.len : NULL};
  while (in.at < in.end && (unsigned char)*in.at <= ' ') in.at++;
  while (in.at < in.end && (unsigned char)in.end[-1] <= ' ') in.end--;
  bool negative = in.at < in.end && *in.at == '-';
  (void)take(&in, '-', '+');
  struct bl_slice rest = bl_slice_of(in.at, (size_t)(in.end - in.at));
  double value;
  if (bl_slice_is(rest, "NaN")) {
    value = NAN;
  } else if (bl_slice_is(rest, "Infinity")) {
    value = INFINITY;
  } else if (rest.len > 2 && rest.ptr[0] == '0' && (rest.ptr[1] == 'x' || rest.ptr[1] == 'X')) {
    in.at += 2;
    if (!read_hex(&in, &value)) return false;
  } else if (!read_decimal(&in, &value)) {
    return false;
  }
  *out_value = negative ? -value : value;
  return true;
}

int bl_filter_compare_doubles(double a, double b) {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a == b && a != 0) return 0;
  if (isnan(a) || isnan(b)) return isnan(a) - isnan(b);
  return (signbit(a) == 0) - (signbit(b) == 0);
}
