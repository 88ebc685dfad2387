/* SQL92: what is read, what is refused and with which words, what is answered. The tables were
 * checked against RocketMQ's classes; tests/interop/filter compares random ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/filter/filter.h"

static struct bl_filter *compile(const char *expression) {
  struct bl_filter *filter = NULL;
  struct bl_why why = {{0}};
  bl_err err = bl_filter_compile(bl_slice_text(expression), &filter, &why);
  if (err != BL_OK) print_message("%s: %s\n", expression, why.text);
  return err == BL_OK ? filter : NULL;
}

/* `properties` with = and ; for the separators of a record. RETURNS one of "FTUX". */
static char ask(const char *expression, const char *properties) {
  char text[512];
  snprintf(text, sizeof(text), "%s", properties);
  for (char *c = text; *c != '\0'; c++) *c = *c == '=' ? '\1' : *c == ';' ? '\2' : *c;
  struct bl_filter *filter = compile(expression);
  if (filter == NULL) return '-';
  enum bl_filter_answer answer = bl_filter_evaluate(filter, bl_slice_text(text));
  assert_true(bl_filter_matches(filter, bl_slice_text(text)) == (answer == BL_FILTER_TRUE));
  bl_filter_free(filter);
  return "FTUX"[answer];
}

struct row {
  const char *expression;
  const char *properties;
  char answer;
};

static void check(const struct row *rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    char answer = ask(rows[i].expression, rows[i].properties);
    if (answer != rows[i].answer)
      fail_msg("%s on %s: %c, not %c", rows[i].expression, rows[i].properties, answer,
               rows[i].answer);
  }
}
#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

static void three_valued_logic(void **state) {
  (void)state;
  /* What is true, false, unknown: t = 1 and f = 2 of properties, u is absent. */
  static const char *const terms[] = {"t = '1'", "t = '2'", "u = '1'"};
  static const char and[] = "TFUFFFUFU";
  static const char or [] = "TTTTFUTUU";
  char text[128];
  for (int i = 0; i < 3; i++) {
    for (int k = 0; k < 3; k++) {
      snprintf(text, sizeof(text), "%s AND %s", terms[i], terms[k]);
      assert_int_equal(ask(text, "t=1"), and[3 * i + k]);
      snprintf(text, sizeof(text), "(%s) or (%s)", terms[i], terms[k]);
      assert_int_equal(ask(text, "t=1"), or [3 * i + k]);
      snprintf(text, sizeof(text), "NOT (%s AND %s)", terms[i], terms[k]);
      assert_int_equal(ask(text, "t=1"), and[3 * i + k] == 'U'   ? 'U'
                                         : and[3 * i + k] == 'T' ? 'F'
                                                                 : 'T');
    }
  }
  static const struct row rows[] = {
      {"NULL", "", 'U'},
      {"NOT NULL", "", 'U'},
      {"TRUE", "", 'T'},
      {"not false", "", 'T'},
      {"t='1' AND t='1' AND t='1' AND u='1' AND t='2'", "t=1", 'F'},
      {"t='2' OR u='1' OR t='2'", "t=1", 'U'},
      {"t='2' OR u='1' OR t='1' AND t='1'", "t=1", 'T'},
      {"t='1' OR t='1' AND t='2'", "t=1", 'T'},
      {"(t='1' OR t='1') AND t='2'", "t=1", 'F'},
  };
  CHECK(rows);
}

static void properties_that_are_absent(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"a IS NULL", "", 'T'},
      {"a IS NULL", "a=", 'T'}, /* an empty one is none */
      {"a IS NULL", "a=1", 'F'},
      {"a IS NOT NULL", "", 'F'},
      {"a is not null", "a=1", 'T'},
      {"a = '1'", "", 'U'},
      {"a <> '1'", "", 'U'},
      {"'1' = a", "", 'F'},
      {"'1' <> a", "", 'T'},
      {"a = b", "", 'T'},
      {"a = b", "a=1", 'F'},
      {"a = b", "b=1", 'U'},
      {"a > 1", "", 'U'},
      {"1 < a", "", 'U'},
      {"a BETWEEN 1 AND 2", "", 'U'},
      {"a NOT BETWEEN 1 AND 2", "", 'U'},
      {"a BETWEEN b AND 2", "a=3", 'F'},
      {"a BETWEEN b AND 4", "a=3", 'U'},
      {"a NOT BETWEEN b AND 2", "a=3", 'T'},
      {"a IN ('x')", "", 'U'},
      {"a NOT IN ('x')", "", 'U'},
      {"a CONTAINS 'x'", "", 'F'},
      {"a NOT CONTAINS 'x'", "", 'F'},
      {"a NOT STARTSWITH 'x'", "", 'F'},
      {"a NOT ENDSWITH 'x'", "", 'F'},
      {"a", "", 'U'},
      {"a", "a=true", 'F'},
      {"NOT a", "a=true", 'T'},
      {"NOT a = 1", "a=1", 'F'}, /* (NOT a) = 1 */
      {"NULL IS NULL", "", 'T'},
      {"(a = 1) IS NULL", "", 'T'},
      {"A = 'x'", "a=x", 'U'}, /* names have their case */
      {"a = '2'", "a=1;a=2", 'T'},
  };
  CHECK(rows);
}

static void numbers(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"a > 5", "a=6", 'T'},
      {"a > 5", "a=5", 'F'},
      {"a >= 5", "a=+5", 'T'},
      {"5 > a", "a=4", 'T'},
      {"a < -5", "a=-6", 'T'},
      {"a < - -5", "a=4", 'T'},
      {"a = 5", "a=05", 'T'},
      {"a = 5", "a=5.0", 'X'},
      {"a = 5", "a= 5", 'X'},
      {"a = 5", "a=x", 'X'},
      {"a <> 5", "a=x", 'X'},
      {"a = 5 OR b = 5", "a=x;b=5", 'X'},
      {"b = 5 OR a = 5", "a=x;b=5", 'T'}, /* it is not looked at */
      {"a > 5", "a=2147483648", 'X'},     /* 32 bits, as the 5 */
      {"a > 2147483647", "a=2147483648", 'X'},
      {"a >= 2147483648", "a=2147483648", 'T'},
      {"a < 9223372036854775807", "a=9223372036854775808", 'X'},
      {"a = 5.0", "a=5", 'T'},
      {"a = 5.", "a= 5.0d ", 'T'},
      {"a = .5", "a=0x1p-1", 'T'},
      {"a > 1E3", "a=1000.0000001", 'T'},
      {"a > 1.5", "a=NaN", 'T'},
      {"a < 1.5", "a=-Infinity", 'T'},
      {"a < 1.5", "a=infinity", 'X'},
      {"a > b", "a=10;b=9", 'T'}, /* two properties: doubles */
      {"a > b", "a=10;b=x", 'X'},
      {"a = b", "a=10;b=10.0", 'F'}, /* but = compares texts */
      {"a BETWEEN 1 AND 3", "a=3", 'T'},
      {"a BETWEEN 1 AND 3", "a=4", 'F'},
      {"a NOT BETWEEN 1 AND 3", "a=4", 'T'},
      {"a NOT BETWEEN 3 AND 1", "a=2", 'T'},
      {"a BETWEEN 3 AND -1", "a=2", 'F'},
      {"-a > 1", "a=1", 'U'}, /* a text has no negative */
      {"5 = 5.0", "", 'T'},
      {"1 = TRUE", "", 'F'},
      {"TRUE = (1 = 1)", "", 'T'},
      {"a = TRUE", "a=TrUe", 'T'},
      {"a = FALSE", "a=x", 'T'},
      {"TRUE = a", "a=true", 'X'}, /* Java casts a truth value to a text */
      {"a > 1 AND -(b = 1) > 1", "a=2;b=1", 'U'},
  };
  CHECK(rows);
}

static void texts(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"a = 'eu'", "a=eu", 'T'},
      {"a = 'EU'", "a=eu", 'F'},
      {"a <> 'EU'", "a=eu", 'T'},
      {"a = 'it''s'", "a=it's", 'T'},
      {"a = ''", "a=x", 'F'},
      {"a IN ('x', 'eu')", "a=eu", 'T'},
      {"a in('x')", "a=eu", 'F'},
      {"a NOT IN ('x')", "a=eu", 'T'},
      {"+(a) IN ('1','2','3','4','5','eu','x')", "a=eu", 'T'},
      {"a IN ('1','2','3','4','5','ev','x')", "a=eu", 'F'},
      {"a CONTAINS 'ur'", "a=europe", 'T'},
      {"a CONTAINS 'ru'", "a=europe", 'F'},
      {"a CONTAINS ''", "a=europe", 'F'},
      {"a NOT CONTAINS ''", "a=europe", 'F'},
      {"a NOT CONTAINS 'ru'", "a=europe", 'T'},
      {"a startsWith 'eur'", "a=europe", 'T'},
      {"a STARTSWITH 'rope'", "a=europe", 'F'},
      {"a ENDSWITH 'rope'", "a=europe", 'T'},
      {"a ENDSWITH 'europe!'", "a=europe", 'F'},
      {"a NOT ENDSWITH 'rope'", "a=europe", 'F'},
      {"5 CONTAINS '5'", "", 'F'},
      {"a = '\xc3\xa9'", "a=\xc3\xa9", 'T'},
  };
  CHECK(rows);
}

static void words_and_comments(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"a=5and b<>6", "a=5;b=7", 'T'},
      {"/* x */a/***/=/* * / */'y'", "a=y", 'T'},
      {"a -- the name\n= 'y' -- the value\n", "a=y", 'T'},
      {"a --5\n> 3", "a=4", 'T'},
      {"$a = 'y' AND _b1 = 'y'", "$a=y;_b1=y", 'T'},
      {"andy = 'y'", "andy=y", 'T'},
      {"a = 5l AND b = 6L", "a=5;b=6", 'T'},
      /* Reading ends in front of what cannot go on. */
      {"a = 5 and b = 6 garbage # here", "a=5;b=6", 'T'},
      {"a = 07", "a=0", 'T'},
      {"a = 5 -- no line end", "a=5", 'T'},
      {"a = 5)", "a=5", 'T'},
  };
  CHECK(rows);
}

static void refused_ones_say_where(void **state) {
  (void)state;
  static const struct {
    const char *expression;
    const char *says;
  } rows[] = {
      {"",
       "at character 1: expected a property, number, string, TRUE, FALSE, NULL, NOT or (, but "
       "it ends there"},
      {"a >", "at character 4: expected a property,"},
      {"a > 5 AND", "at character 10: expected a property,"},
      {"\xc3\xa9 = 5", "at character 1: expected a property"},
      {"a = '\xc3\xa9' AND #b = 5",
       "at character 13: expected a property, number, string, TRUE, "
       "FALSE, NULL, NOT or (, but found #b = 5"},
      {"a != 5", "at character 3: expected an operator or the end, but found != 5"},
      {"a = 'x", "at character 5: a string begins there that has no closing quote"},
      {"a = 5 /* x", "at character 7: a comment begins there that does not end"},
      {"(a = 5", "at character 7: expected an operator or ), but it ends there"},
      {"a IN (5)", "at character 7: expected a string in quotes, but found 5"},
      {"a IN ('x'", "at character 10: expected , or )"},
      {"a IN 'x'", "at character 6: expected ( and the strings of IN"},
      {"5 IN ('x')", "at character 1: in front of IN stands a property"},
      {"a BETWEEN 1", "at character 12: expected AND and the upper end of BETWEEN"},
      {"a BETWEEN 3 AND 1", "at character 17: the upper end of BETWEEN is less"},
      {"a BETWEEN 'a' AND 'b'", "at character 11: < <= > >= and BETWEEN compare numbers"},
      {"a > 'x'", "at character 5: < <= > >= and BETWEEN compare numbers"},
      {"a > TRUE", "at character 5: < <="},
      {"(a > 1) > 2", "at character 1: < <="},
      {"a = NULL", "at character 5: NULL cannot be compared; write IS NULL or IS NOT NULL"},
      {"TRUE = 'x'", "at character 8: TRUE and FALSE cannot be compared"},
      {"a IS 5", "at character 6: expected NULL or NOT NULL, but found 5"},
      {"a IS NOT 5", "at character 10: expected NULL, but found 5"},
      {"a NOT b", "at character 7: expected BETWEEN, IN, CONTAINS, STARTSWITH or ENDSWITH"},
      {"a CONTAINS b", "at character 12: expected a string in quotes, but found b"},
      {"'a' OR b", "at character 1: a number or string stands there where a condition is expected"},
      {"5", "at character 1: a number or string stands there where a condition"},
      {"NOT 5", "at character 5: a number or string"},
      {"a = 9223372036854775808",
       "at character 5: whole numbers go up to 9223372036854775807, not "
       "to 9223372036854775808"},
      {"a = 1E309", "at character 5: numbers go up to 1.7976931348623157E308, not to 1E309"},
      {"a > 0.0",
       "at character 5: the least number with a point or exponent is 4.9E-324 (for zero "
       "write 0), not 0.0"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct bl_filter *filter = NULL;
    struct bl_why why = {{0}};
    assert_int_equal(bl_filter_compile(bl_slice_text(rows[i].expression), &filter, &why),
                     BL_ERR_SUBSCRIPTION_PARSE);
    assert_null(filter);
    if (strstr(why.text, rows[i].says) == NULL)
      fail_msg("%s: %s, not %s", rows[i].expression, why.text, rows[i].says);
    assert_int_equal(bl_filter_compile(bl_slice_text(rows[i].expression), &filter, NULL),
                     BL_ERR_SUBSCRIPTION_PARSE);
  }
}

static char *put(char *to, const char *text) {
  size_t len = strlen(text);
  memcpy(to, text, len + 1);
  return to + len;
}

/* `part` so often, with the texts around it. */
static char *repeat(const char *before, const char *part, int count, const char *after) {
  size_t len = strlen(part);
  char *text = malloc(strlen(before) + len * (size_t)count + strlen(after) + 1);
  char *at = put(text, before);
  for (int i = 0; i < count; i++) at = put(at, part);
  put(at, after);
  return text;
}

static void expect_limit(char *text, const char *says) {
  struct bl_filter *filter = NULL;
  struct bl_why why = {{0}};
  bl_err err = bl_filter_compile(bl_slice_text(text), &filter, &why);
  if (says == NULL) {
    assert_int_equal(err, BL_OK);
  } else {
    assert_int_equal(err, BL_ERR_SUBSCRIPTION_PARSE);
    assert_non_null(strstr(why.text, says));
  }
  bl_filter_free(filter);
  free(text);
}

static void limits(void **state) {
  (void)state;
  expect_limit(repeat("", "(", BL_FILTER_DEPTH_MAX - 1, "a"), "expected an operator or )");
  expect_limit(repeat("", "(", BL_FILTER_DEPTH_MAX, "a"), "more than 64 operators or parentheses");
  expect_limit(repeat("", "NOT ", 4000, "a"), "more than 64 operators");
  expect_limit(repeat("a", " = b", BL_FILTER_DEPTH_MAX, ""), NULL);
  expect_limit(repeat("a", " = b", BL_FILTER_DEPTH_MAX + 1, ""), "more than 64 operators within");
  /* A chain is one deep, however long. */
  expect_limit(repeat("a = 1", " OR a = 1", 600, ""), NULL);
  expect_limit(repeat("a = 1", " OR a = 1", 700, ""), "more than 2048 constants, properties");
  expect_limit(repeat("a IN ('1'", ",'1'", 4000, ")"), NULL);
  expect_limit(repeat("a = '", "x", BL_FILTER_TEXT_BYTES_MAX - 6, "'"), NULL);
  expect_limit(repeat("a = '", "x", BL_FILTER_TEXT_BYTES_MAX - 5, "'"), "has 16385 bytes");
  char text[2048] = "a0 = 1";
  for (int i = 1; i <= BL_FILTER_NAMES_MAX; i++) {
    if (i == BL_FILTER_NAMES_MAX) expect_limit(repeat(text, "", 0, ""), NULL);
    snprintf(text + strlen(text), sizeof(text) - strlen(text), " AND a%d = 1", i);
  }
  expect_limit(repeat(text, "", 0, ""), "more than 64 different properties");
}

static void many_names(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"a='1' AND b='2' AND c='3' AND d='4' AND e='5' AND f='6'", "f=6;e=5;d=4;c=3;b=2;a=1", 'T'},
      {"a='1' AND b='2' AND c='3' AND d='4' AND e='5' AND f='6'", "f=6;e=5;d=4;c=3;b=2;a=2", 'F'},
      {"a='1' AND b='2' AND c='3' AND d='4' AND e='5' AND f='6'", "f=6;e=5;x=4;c=3;b=2;a=1", 'U'},
  };
  CHECK(rows);
}

static void references_are_counted(void **state) {
  (void)state;
  struct bl_filter *filter = compile("a = 'x'");
  assert_ptr_equal(bl_filter_share(filter), filter);
  assert_true(bl_filter_bytes(filter) > 0);
  bl_filter_free(filter);
  assert_true(bl_filter_matches(filter, BL_SLICE("a\1x")));
  bl_filter_free(filter);
  bl_filter_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(three_valued_logic),
      cmocka_unit_test(properties_that_are_absent),
      cmocka_unit_test(numbers),
      cmocka_unit_test(texts),
      cmocka_unit_test(words_and_comments),
      cmocka_unit_test(refused_ones_say_where),
      cmocka_unit_test(limits),
      cmocka_unit_test(many_names),
      cmocka_unit_test(references_are_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
