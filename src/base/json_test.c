#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct bl_arena arena;

static int start(void **state) {
  (void)state;
  bl_arena_init(&arena);
  return 0;
}

static int stop(void **state) {
  (void)state;
  bl_arena_fini(&arena);
  return 0;
}

/* From a copy of exactly this size on the heap, so that a read past the end is seen. */
static bl_err parse_bytes(struct bl_slice input, enum bl_json_mode mode,
                          const struct bl_json **root, struct bl_why *why) {
  char *copy = malloc(input.len > 0 ? input.len : 1);
  assert_non_null(copy);
  if (input.len > 0) memcpy(copy, input.ptr, input.len);
  struct bl_slice held = bl_slice_of(copy, input.len);
  const struct bl_json *parsed = NULL;
  bl_err err = bl_json_parse(held, mode, &arena, &parsed, why);
  free(copy);
  if (err != BL_OK) return err;
  return root != NULL ? bl_json_parse(input, mode, &arena, root, why) : BL_OK;
}

static const struct bl_json *parse(const char *text, enum bl_json_mode mode) {
  const struct bl_json *root = NULL;
  struct bl_why why = {""};
  bl_err err = parse_bytes(bl_slice_text(text), mode, &root, &why);
  if (err != BL_OK) print_message("%s: %s\n", text, why.text);
  assert_int_equal(err, BL_OK);
  return root;
}

/* What a text gives in either mode when written again; NULL is an error. */
static const struct {
  const char *in;
  const char *strict;
  const char *dialect;
} inputs[] = {
    {"", NULL, NULL},
    {"  ", NULL, NULL},
    {"null", "null", "null"},
    {" true ", "true", "true"},
    {"false", "false", "false"},
    {"tru", NULL, NULL},
    {"truex", NULL, NULL},
    {"NaN", NULL, "null"},
    {"undefined", NULL, "null"},
    {"abc", NULL, NULL},
    {"0", "0", "0"},
    {"-0", "-0", "-0"},
    {"-", NULL, NULL},
    {"+7", NULL, "7"},
    {"007", NULL, "7"},
    {"-007.50", NULL, "-7.50"},
    {"00", NULL, "0"},
    {"1.", NULL, NULL},
    {".5", NULL, NULL},
    {"1.5e+10", "1.5e+10", "1.5e+10"},
    {"1e", NULL, NULL},
    {"1e+", NULL, NULL},
    {"1 2", NULL, NULL},
    {"1x", NULL, NULL},
    {"\"\"", "\"\"", "\"\""},
    {"\"", NULL, NULL},
    {"\"a", NULL, NULL},
    {"\"a\\", NULL, NULL},
    {"\"a\\\"", NULL, NULL},
    {"''", NULL, "\"\""},
    {"'a\"b'", NULL, "\"a\\\"b\""},
    {"'a\\'b'", NULL, "\"a'b\""},
    {"\"a'b\"", "\"a'b\"", "\"a'b\""},
    {"'a", NULL, NULL},
    {"\"a\nb\"", NULL, "\"a\\nb\""},
    {"\"0123\x1f"
     "456789abcdef\"",
     NULL, "\"0123\\u001F456789abcdef\""},
    {"\"\\n\nb\"", NULL, "\"\\n\\nb\""},
    {"\"0123456789abcdef\x1f\"", NULL, "\"0123456789abcdef\\u001F\""},
    {"{}", "{}", "{}"},
    {" { } ", "{}", "{}"},
    {"{", NULL, NULL},
    {"}", NULL, NULL},
    {"{}}", NULL, NULL},
    {"{]", NULL, NULL},
    {"[}", NULL, NULL},
    {"[", NULL, NULL},
    {"[1", NULL, NULL},
    {"[1,", NULL, NULL},
    {"[]", "[]", "[]"},
    {"[1,\"a\",null,true,{},[]]", "[1,\"a\",null,true,{},[]]", "[1,\"a\",null,true,{},[]]"},
    {"[1,]", NULL, "[1]"},
    {"[,]", NULL, "[]"},
    {"[,1,,2,]", NULL, "[1,2]"},
    {"[1 2]", NULL, NULL},
    {"{\"a\":1}", "{\"a\":1}", "{\"a\":1}"},
    {"{\"a\" \t:\r\n1 }", "{\"a\":1}", "{\"a\":1}"},
    {"{\"a\"}", NULL, NULL},
    {"{\"a\":}", NULL, NULL},
    {"{\"a\":1 \"b\":2}", NULL, NULL},
    {"{\"a\":1,}", NULL, "{\"a\":1}"},
    {"{,,a:1,,b:2,,}", NULL, "{\"a\":1,\"b\":2}"},
    {"{a:1}", NULL, "{\"a\":1}"},
    {"{'a':1}", NULL, "{\"a\":1}"},
    {"{0:\"ip:1\",1:'x'}", NULL, "{\"0\":\"ip:1\",\"1\":\"x\"}"},
    {"{-1:2}", NULL, "{\"-1\":2}"},
    {"{null:1,$a_b-c.d:2}", NULL, "{\"null\":1,\"$a_b-c.d\":2}"},
    {"{\xc3\xa9:1}", NULL, "{\"\xc3\xa9\":1}"},
    {"{:1}", NULL, NULL},
    {"{a b:1}", NULL, NULL},
    {"{[1]:1}", NULL, NULL},
    {"{{\"t\":1}:2}", NULL, "{{\"t\":1}:2}"},
    {"{{t:{1:2},}:{3:4},{}:5}", NULL, "{{\"t\":{\"1\":2}}:{\"3\":4},{}:5}"},
    {"{{\n   \"t\" : 1\n}\n : 2}", NULL, "{{\"t\":1}:2}"},
    {"{{a:1} 2}", NULL, NULL},
    {"/*c*/{a:1//x\n}//", NULL, "{\"a\":1}"},
    {"/*/ 1", NULL, NULL},
    {"/**/1", NULL, "1"},
    {"1/", NULL, NULL},
    {"\f1\b", NULL, "1"},
    {"\v1", NULL, NULL},
};

static void inputs_in_both_modes(void **state) {
  (void)state;
  struct bl_buf out;
  bl_buf_init(&out, 0);
  for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
    for (int mode = BL_JSON_STRICT; mode <= BL_JSON_DIALECT; mode++) {
      const char *expected = mode == BL_JSON_STRICT ? inputs[i].strict : inputs[i].dialect;
      const struct bl_json *root = NULL;
      struct bl_why why = {""};
      bl_err err = parse_bytes(bl_slice_text(inputs[i].in), (enum bl_json_mode)mode, &root, &why);
      if ((err == BL_OK) != (expected != NULL)) print_message("%s %s\n", inputs[i].in, why.text);
      assert_int_equal(err, expected != NULL ? BL_OK : BL_ERR_FORMAT);
      assert_int_equal(why.text[0] != '\0', expected == NULL);
      if (expected == NULL) continue;
      struct bl_json_writer w = bl_json_writer_of(&out, false);
      bl_buf_clear(&out);
      bl_json_put_node(&w, root);
      bl_buf_put_char(&out, '\0');
      assert_string_equal(out.data, expected);
    }
  }
  bl_buf_fini(&out);
}

static void escapes_become_bytes(void **state) {
  (void)state;
  static const struct {
    const char *in;
    const char *text; /* NULL: an error */
    bool dialect;
  } cases[] = {
      {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", false},
      {"\"abc\\u0041def\"", "abcAdef", false},
      {"\"\\u007f\\u0080\"", "\x7f\xc2\x80", false},
      {"\"\\u07ff\\u0800\"", "\xdf\xbf\xe0\xa0\x80", false},
      {"\"\\uFFff\"", "\xef\xbf\xbf", false},
      {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", false},
      {"\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf", false},
      {"\"\\ud83d\"", "?", false},
      {"\"\\ud83dx\"", "?x", false},
      {"\"\\ud83d\\n\"", "?\n", false},
      {"\"\\ud83d\\u0041\"", "?A", false},
      {"\"\\ude00\\ud83d\"", "??", false},
      {"\"\\u12\"", NULL, true},
      {"\"\\u12g4\"", NULL, true},
      {"\"\\u123", NULL, true},
      {"\"\\q\"", NULL, true},
      {"\"\\x41\"", NULL, false},
      {"\"\\x41\\xE9\"", "A\xc3\xa9", true},
      {"\"\\x4\"", NULL, true},
      {"\"\\v\\F\\7\\'\"", "\v\f\7'", true},
      {"\"\\8\"", NULL, true},
      {"\"\\v\"", NULL, false},
      {"\"\xff\xfe\\n\xc3\"", "\xff\xfe\n\xc3", false}, /* invalid UTF-8 passes */
      {"\"0123456701234567\\\\\"", "0123456701234567\\", false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    const struct bl_json *root = NULL;
    enum bl_json_mode mode = cases[i].dialect ? BL_JSON_DIALECT : BL_JSON_STRICT;
    bl_err err = parse_bytes(bl_slice_text(cases[i].in), mode, &root, NULL);
    assert_int_equal(err, cases[i].text != NULL ? BL_OK : BL_ERR_FORMAT);
    if (cases[i].text != NULL) assert_true(bl_slice_is(bl_json_text(root), cases[i].text));
  }
  struct bl_slice zero = bl_json_text(parse("\"a\\u0000b\\0\"", BL_JSON_DIALECT));
  assert_true(bl_slice_eq(zero, bl_slice_of("a\0b\0", 4)));
}

static void a_special_byte_is_found_at_every_place(void **state) {
  (void)state;
  static const char *const specials[] = {"\\n", "\\u00e9", "\xc3\xa9", "\x80", "!", "#", "[", "]"};
  char in[64];
  for (size_t k = 0; k < sizeof(specials) / sizeof(specials[0]); k++) {
    for (int before = 0; before < 20; before++) {
      for (int after = 0; after < 20; after++) {
        snprintf(in, sizeof(in), "\"%.*s%s%.*s\"", before, "aaaaaaaaaaaaaaaaaaaa", specials[k],
                 after, "bbbbbbbbbbbbbbbbbbbb");
        const char *inside = k == 0 ? "\n" : k == 1 ? "\xc3\xa9" : specials[k];
        struct bl_slice text = bl_json_text(parse(in, BL_JSON_STRICT));
        assert_int_equal(text.len, (size_t)before + strlen(inside) + (size_t)after);
        assert_memory_equal(text.ptr + before, inside, strlen(inside));
      }
    }
  }
}

static void texts_without_escapes_are_borrowed(void **state) {
  (void)state;
  static const char in[] = "{\"key\":\"text\",n:12}";
  const struct bl_json *root = parse(in, BL_JSON_DIALECT);
  assert_ptr_equal(root->child->key.ptr, in + 2);
  assert_ptr_equal(root->child->text.ptr, in + 8);
  assert_ptr_equal(bl_json_get(root, "n")->text.ptr, in + 16);
}

static void nested(char *room, size_t size, int depth, char open, char close) {
  assert_true((size_t)depth * 2 + 2 <= size);
  memset(room, open, (size_t)depth);
  room[depth] = '\0';
  memset(room + depth, close, (size_t)depth);
  room[2 * depth] = '\0';
}

static void depth_32_is_read_and_33_is_not(void **state) {
  (void)state;
  char in[300];
  nested(in, sizeof(in), 32, '[', ']');
  parse(in, BL_JSON_STRICT);
  nested(in, sizeof(in), 33, '[', ']');
  struct bl_why why = {""};
  assert_int_equal(parse_bytes(bl_slice_text(in), BL_JSON_STRICT, NULL, &why), BL_ERR_FORMAT);
  assert_string_equal(why.text, "JSON is not valid at byte 32: more than 32 levels");
  memset(in, '{', sizeof(in)); /* objects as keys of objects as keys */
  assert_int_equal(parse_bytes(bl_slice_of(in, sizeof(in)), BL_JSON_DIALECT, NULL, &why),
                   BL_ERR_FORMAT);
  assert_string_equal(why.text, "JSON is not valid at byte 32: more than 32 levels");
}

/* What was read 32 deep can be written again below levels of our own. */
static void a_node_of_any_depth_can_be_written(void **state) {
  (void)state;
  char in[80];
  nested(in, sizeof(in), 32, '[', ']');
  const struct bl_json *root = parse(in, BL_JSON_STRICT);
  struct bl_buf out;
  bl_buf_init(&out, 0);
  struct bl_json_writer w = bl_json_writer_of(&out, true);
  for (int i = 0; i < 32; i++) bl_json_open_array(&w);
  bl_json_put_node(&w, root);
  for (int i = 0; i < 32; i++) bl_json_close_array(&w);
  assert_int_equal(w.depth, 0);
  assert_int_equal(w.indent, 0);
  bl_buf_fini(&out);
}

static void values_are_bounded_by_the_input(void **state) {
  (void)state;
  enum { SMALL = 2 * 65000, LARGE = 1000000 };
  char *in = malloc(LARGE);
  assert_non_null(in);
  for (size_t i = 0; i < LARGE; i++) in[i] = i % 2 == 0 ? ',' : '1';
  in[0] = '[';
  in[SMALL] = ']';
  const struct bl_json *root = NULL;
  assert_int_equal(bl_json_parse(bl_slice_of(in, SMALL + 1), BL_JSON_STRICT, &arena, &root, NULL),
                   BL_OK);
  assert_int_equal(root->count, SMALL / 2);
  in[SMALL] = ',';
  in[LARGE - 1] = ']';
  bl_arena_reset(&arena);
  struct bl_why why = {""};
  assert_int_equal(bl_json_parse(bl_slice_of(in, LARGE), BL_JSON_DIALECT, &arena, &root, &why),
                   BL_ERR_FORMAT);
  assert_non_null(strstr(why.text, "too many values"));
  assert_true(arena.used_bytes <= 64 * (65536 + LARGE / 4));
  free(in);
}

static void errors_name_place_and_cause(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"{\"a\":1 \"b\"}", "JSON is not valid at byte 7: a comma or } is expected"},
      {"[1,2", "JSON is not valid at byte 4: a comma or ] is expected"},
      {"[1,", "JSON is not valid at byte 3: the text ends inside an array or object"},
      {"{\"a\":", "JSON is not valid at byte 5: the text ends where a value is expected"},
      {"", "JSON is not valid at byte 0: the text ends where a value is expected"},
      {"{} x", "JSON is not valid at byte 3: something follows the end of the value"},
      {"[\"\\q\"]", "JSON is not valid at byte 3: unknown escape"},
      {"{1:2}", "JSON is not valid at byte 1: a key is expected"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_why why = {""};
    assert_int_equal(parse_bytes(bl_slice_text(cases[i][0]), BL_JSON_STRICT, NULL, &why),
                     BL_ERR_FORMAT);
    assert_string_equal(why.text, cases[i][1]);
  }
}

static void get_finds_members_of_objects_only(void **state) {
  (void)state;
  const struct bl_json *root = parse("{a:1,b:{c:2},a:3,\"\":4,{}:5}", BL_JSON_DIALECT);
  assert_int_equal(root->count, 5);
  assert_int_equal(bl_json_i64(bl_json_get(root, "a"), 0), 3); /* the last one */
  assert_int_equal(bl_json_i64(bl_json_get(bl_json_get(root, "b"), "c"), 0), 2);
  assert_int_equal(bl_json_i64(bl_json_get(root, ""), 0), 4);
  assert_null(bl_json_get(root, "c"));
  assert_null(bl_json_get(NULL, "a"));
  assert_null(bl_json_get(bl_json_get(root, "a"), "a"));
}

static void numbers_are_converted_as_fastjson_does(void **state) {
  (void)state;
  enum { NO = 99 };
  static const struct {
    const char *in;
    int64_t i64;
    int32_t i32;
    bool truth;         /* with false as the default */
    bool truth_or_true; /* with true as the default */
  } cases[] = {
      {"null", NO, NO, false, true},
      {"{}", NO, NO, false, true},
      {"[1]", NO, NO, false, true},
      {"0", 0, 0, false, false},
      {"1", 1, 1, true, true},
      {"2", 2, 2, false, false},
      {"-7", -7, -7, false, false},
      {"1.9", 1, 1, true, true},
      {"-1.9", -1, -1, false, false},
      {"1e3", 1000, 1000, false, false},
      {"1E-1", 0, 0, false, false},
      {"1e400", NO, NO, false, false},
      {"2147483648", 2147483648, NO, false, false},
      {"-2147483648", INT32_MIN, INT32_MIN, false, false},
      {"9223372036854775807", INT64_MAX, NO, false, false},
      {"9223372036854775808", NO, NO, false, false},
      {"9223372036854775808.0", NO, NO, false, false},
      {"-9223372036854775808.0", INT64_MIN, NO, false, false},
      {"true", 1, 1, true, true},
      {"false", 0, 0, false, false},
      {"'12'", 12, 12, false, true},
      {"'-12'", -12, -12, false, true},
      {"'1,234'", 1234, 1234, false, true},
      {"'12.0'", 12, 12, false, true},
      {"'12.00'", 12, 12, false, true},
      {"'12.5'", NO, NO, false, true},
      {"'100'", 100, 100, false, true},
      {"'0'", 0, 0, false, false},
      {"'1'", 1, 1, true, true},
      {"''", NO, NO, false, true},
      {"' 1'", NO, NO, false, true},
      {"'null'", NO, NO, false, true},
      {"'true'", NO, NO, true, true},
      {"'FALSE'", NO, NO, false, false},
      {"'Y'", NO, NO, true, true},
      {"'n'", NO, NO, false, false},
      {"'yes'", NO, NO, false, true},
      {"'1234567890123456789012345678901234567890123456789012345678901234567890'", NO, NO, false,
       true},
      {"1234567890123456789012345678901234567890123456789012345678901234.5", NO, NO, false, false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    const struct bl_json *node = parse(cases[i].in, BL_JSON_DIALECT);
    assert_true(bl_json_i64(node, NO) == cases[i].i64);
    assert_int_equal(bl_json_i32(node, NO), cases[i].i32);
    assert_int_equal(bl_json_bool(node, false), cases[i].truth);
    assert_int_equal(bl_json_bool(node, true), cases[i].truth_or_true);
  }
  assert_int_equal(bl_json_i64(NULL, 5), 5);
  assert_int_equal(bl_json_i32(NULL, 5), 5);
  assert_true(bl_json_bool(NULL, true));
}

static void text_is_that_of_plain_values(void **state) {
  (void)state;
  static const char *const cases[][2] = {{"'a'", "a"},     {"''", ""},         {"12.50", "12.50"},
                                         {"true", "true"}, {"false", "false"}, {"null", NULL},
                                         {"[]", NULL},     {"{}", NULL}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_slice text = bl_json_text(parse(cases[i][0], BL_JSON_DIALECT));
    assert_int_equal(text.ptr != NULL, cases[i][1] != NULL);
    if (cases[i][1] != NULL) assert_true(bl_slice_is(text, cases[i][1]));
  }
  assert_null(bl_json_text(NULL).ptr);
}

/* Damaged texts are refused or read, and never read past; what is read is the same when written and
 * read. */
static void damaged_texts_are_harmless(void **state) {
  (void)state;
  static const char sound[] =
      "{\"code\":34,extFields:{'a':\"x\\u00e9\\n\",\"b\":[1,-2.5e3,true,null,]},{\"t\":0}:{0:12,},/"
      "**/}";
  unsigned seed = (unsigned)time(NULL);
  print_message("seed %u\n", seed);
  srand(seed);
  struct bl_buf once, twice;
  bl_buf_init(&once, 0);
  bl_buf_init(&twice, 0);
  int read = 0;
  for (int round = 0; round < 20000; round++) {
    char in[sizeof(sound)];
    memcpy(in, sound, sizeof(sound));
    size_t len = round % 4 == 0 ? (size_t)rand() % sizeof(sound) : sizeof(sound) - 1;
    for (int k = rand() % 3; k > 0; k--)
      in[(size_t)rand() % sizeof(sound)] = sound[(size_t)rand() % (sizeof(sound) - 1)];
    bl_arena_reset(&arena);
    const struct bl_json *root = NULL;
    if (parse_bytes(bl_slice_of(in, len), BL_JSON_DIALECT, &root, NULL) != BL_OK) continue;
    read++;
    bl_buf_clear(&once);
    bl_buf_clear(&twice);
    struct bl_json_writer w = bl_json_writer_of(&once, false);
    bl_json_put_node(&w, root);
    assert_int_equal(parse_bytes(bl_buf_slice(&once), BL_JSON_DIALECT, &root, NULL), BL_OK);
    w = bl_json_writer_of(&twice, false);
    bl_json_put_node(&w, root);
    assert_true(bl_slice_eq(bl_buf_slice(&once), bl_buf_slice(&twice)));
  }
  assert_true(read > 100);
  bl_buf_fini(&once);
  bl_buf_fini(&twice);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(inputs_in_both_modes, start, stop),
      cmocka_unit_test_setup_teardown(escapes_become_bytes, start, stop),
      cmocka_unit_test_setup_teardown(a_special_byte_is_found_at_every_place, start, stop),
      cmocka_unit_test_setup_teardown(texts_without_escapes_are_borrowed, start, stop),
      cmocka_unit_test_setup_teardown(depth_32_is_read_and_33_is_not, start, stop),
      cmocka_unit_test_setup_teardown(a_node_of_any_depth_can_be_written, start, stop),
      cmocka_unit_test_setup_teardown(values_are_bounded_by_the_input, start, stop),
      cmocka_unit_test_setup_teardown(errors_name_place_and_cause, start, stop),
      cmocka_unit_test_setup_teardown(get_finds_members_of_objects_only, start, stop),
      cmocka_unit_test_setup_teardown(numbers_are_converted_as_fastjson_does, start, stop),
      cmocka_unit_test_setup_teardown(text_is_that_of_plain_values, start, stop),
      cmocka_unit_test_setup_teardown(damaged_texts_are_harmless, start, stop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
