#include "base/properties.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

/* Each pair as LINE:[KEY]=[VALUE]. */
static bl_err note(void *context, int line, struct bl_slice key, struct bl_slice value,
                   struct bl_why *why) {
  (void)why;
  bl_buf_printf(context, "%d:[%.*s]=[%.*s]", line, BL_FMT(key), BL_FMT(value));
  return BL_OK;
}

static bl_err parse(struct bl_slice text, struct bl_buf *out, struct bl_why *why) {
  char *copy = malloc(text.len > 0 ? text.len : 1); /* its own size, so that reading on is seen */
  assert_non_null(copy);
  if (text.len > 0) memcpy(copy, text.ptr, text.len);
  bl_buf_clear(out);
  bl_err err = bl_javaprops_parse(bl_slice_of(copy, text.len), note, out, why);
  free(copy);
  return err;
}

static void texts_give_pairs(void **state) {
  (void)state;
  static const struct {
    const char *in;
    const char *pairs; /* NULL: an error */
  } cases[] = {
      {"", ""},
      {"\n\r\n \t\f\n", ""},
      {"# a=b\n ! c=d\n#e\\\nf=g", "4:[f]=[g]"}, /* a comment does not go on */
      {"a=b", "1:[a]=[b]"},
      {"a=b\n", "1:[a]=[b]"},
      {"a=b\rc=d\r\ne=f", "1:[a]=[b]2:[c]=[d]3:[e]=[f]"},
      {"a = b", "1:[a]=[b]"},
      {"a: b", "1:[a]=[b]"},
      {"a b", "1:[a]=[b]"},
      {"a", "1:[a]=[]"},
      {"a=", "1:[a]=[]"},
      {"a  ", "1:[a]=[]"},
      {"a==b", "1:[a]=[=b]"},
      {"a = :b", "1:[a]=[:b]"},
      {"a b=c", "1:[a]=[b=c]"},
      {" \ta=b c \t", "1:[a]=[b c]"},
      {"a=b\\ ", "1:[a]=[b ]"},
      {"a=b\\  ", "1:[a]=[b ]"},
      {"a=#b!", "1:[a]=[#b!]"},
      {"a\\=b=c", "1:[a=b]=[c]"},
      {"a\\:b\\ c:d", "1:[a:b c]=[d]"},
      {"\\#a=b", "1:[#a]=[b]"},
      {"a=b\\\n  c\\\r\n\td\ne=f", "1:[a]=[bcd]4:[e]=[f]"},
      {"a=b\\\\\nc=d", "1:[a]=[b\\]2:[c]=[d]"},
      {"a=b\\", "1:[a]=[b]"},
      {"a=b\\\n", "1:[a]=[b]"},
      {"a\\\nb=c", "1:[ab]=[c]"},
      {"a=\\\n", "1:[a]=[]"},
      {"a=b\\\n#c", "1:[a]=[b#c]"}, /* goes on, so it is no comment */
      {"a=\\t\\n\\r\\f\\q\\\"", "1:[a]=[\t\n\r\fq\"]"},
      {"a=\\u0041\\u00e9\\u4E2D", "1:[a]=[A\xc3\xa9\xe4\xb8\xad]"},
      {"a=\\ud83d\\ude00\\ud83dx\\ud83d\\u0041", "1:[a]=[\xf0\x9f\x98\x80?x?A]"},
      {"\\u0061=b", "1:[a]=[b]"},
      {"a=\xc3\xa9", "1:[a]=[\xc3\xa9]"},
      {"a=\\u12", NULL},
      {"a=\\u12g4", NULL},
      {"\\u=1", NULL},
      {"=b", NULL},
      {" : b", NULL},
  };
  struct bl_buf out;
  bl_buf_init(&out, 0);
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_why why = {""};
    bl_err err = parse(bl_slice_text(cases[i].in), &out, &why);
    assert_int_equal(err, cases[i].pairs != NULL ? BL_OK : BL_ERR_FORMAT);
    assert_int_equal(why.text[0] != '\0', err != BL_OK);
    bl_buf_put_char(&out, '\0');
    if (err == BL_OK) assert_string_equal(out.data, cases[i].pairs);
  }
  bl_buf_fini(&out);
}

static void errors_name_the_line(void **state) {
  (void)state;
  struct bl_buf out;
  struct bl_why why = {""};
  bl_buf_init(&out, 0);
  assert_int_equal(parse(BL_SLICE("a=b\\\nc\n\nd=\\u1"), &out, &why), BL_ERR_FORMAT);
  assert_string_equal(why.text,
                      "line 4: \\u needs four hexadecimal digits; write \\\\ for a backslash");
  assert_int_equal(parse(BL_SLICE("a=b\n=c"), &out, NULL), BL_ERR_FORMAT);
  bl_buf_fini(&out);
}

static void lines_have_a_limit(void **state) {
  (void)state;
  size_t size = BL_PROPERTIES_LINE_BYTES_MAX + 1;
  char *text = malloc(size);
  assert_non_null(text);
  memset(text, 'x', size);
  struct bl_buf out;
  struct bl_why why = {""};
  bl_buf_init(&out, 0);
  assert_int_equal(parse(bl_slice_of(text, size - 1), &out, &why), BL_OK);
  assert_int_equal(parse(bl_slice_of(text, size), &out, &why), BL_ERR_FORMAT);
  assert_string_equal(why.text, "line 1 is longer than 65536 bytes");
  text[0] = '#';
  assert_int_equal(parse(bl_slice_of(text, size), &out, &why), BL_OK);
  bl_buf_fini(&out);
  free(text);
}

static bl_err refuse_second(void *context, int line, struct bl_slice key, struct bl_slice value,
                            struct bl_why *why) {
  (void)key, (void)value;
  ++*(int *)context;
  return line == 2 ? bl_why_set(why, BL_ERR_USAGE, "no") : BL_OK;
}

static void a_visitor_ends_the_reading(void **state) {
  (void)state;
  int visits = 0;
  struct bl_why why;
  assert_int_equal(bl_javaprops_parse(BL_SLICE("a\nb\nc"), refuse_second, &visits, &why),
                   BL_ERR_USAGE);
  assert_int_equal(visits, 2);
  assert_string_equal(why.text, "no");
}

static void what_is_written_reads_back(void **state) {
  (void)state;
  static const char *const texts[] = {"a",  " a ", "a b", "=",  ":",      "#a",  "!a",
                                      "a#", "\\",  "\\u", "\t", "a\nb\r", "\f ", "\xc3\xa9"};
  enum { COUNT = sizeof(texts) / sizeof(texts[0]) };
  struct bl_buf text, expected, out;
  bl_buf_init(&text, 0);
  bl_buf_init(&expected, 0);
  bl_buf_init(&out, 0);
  for (int i = 0; i < COUNT; i++) {
    struct bl_slice key = bl_slice_text(texts[i]);
    struct bl_slice value = bl_slice_text(texts[COUNT - 1 - i]);
    bl_javaprops_put(&text, key, value);
    note(&expected, i + 1, key, value, NULL);
  }
  assert_int_equal(parse(bl_buf_slice(&text), &out, NULL), BL_OK);
  assert_true(bl_slice_eq(bl_buf_slice(&out), bl_buf_slice(&expected)));
  bl_buf_clear(&text);
  bl_javaprops_put(&text, BL_SLICE("brokerIP1"), BL_SLICE("10.0.0.1:80 = x"));
  assert_true(bl_slice_is(bl_buf_slice(&text), "brokerIP1=10.0.0.1:80 = x\n"));
  bl_buf_fini(&text);
  bl_buf_fini(&expected);
  bl_buf_fini(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(texts_give_pairs),           cmocka_unit_test(errors_name_the_line),
      cmocka_unit_test(lines_have_a_limit),         cmocka_unit_test(a_visitor_ends_the_reading),
      cmocka_unit_test(what_is_written_reads_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
