#include "base/option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct settings {
  bool enabled;
  int32_t port;
  int32_t any32;
  int64_t any64;
  int64_t size_bytes;
  int32_t mode;
  char *root;
  char *name;
  char *password;
};

static const struct bl_option rows[] = {
    {"storePathRootDir", BL_OPTION_TEXT, offsetof(struct settings, root), "store", 1, 8, NULL, NULL,
     "Where the store is.", BL_OPTION_READ_ONLY},
    {"listenPort", BL_OPTION_I32, offsetof(struct settings, port), "10911", 1, 65535, NULL, NULL,
     "The port of the broker.", 0},
    {"any32", BL_OPTION_I32, offsetof(struct settings, any32), "-1", 0, 0, NULL, NULL, "Any.", 0},
    {"any64", BL_OPTION_I64, offsetof(struct settings, any64), "-1", 0, 0, NULL, NULL, "Any.", 0},
    {"maxMessageSize", BL_OPTION_I64, offsetof(struct settings, size_bytes), "4194304", 0,
     1073741824, NULL, "bytes", "Largest message.", 0},
    {"flushDiskType", BL_OPTION_ENUM, offsetof(struct settings, mode), "SYNC_FLUSH", 0, 0,
     "ASYNC_FLUSH|SYNC_FLUSH", NULL, "When a send | is answered.", 0},
    {"enabled", BL_OPTION_BOOL, offsetof(struct settings, enabled), "true", 0, 0, NULL, NULL, "On.",
     0},
    {"brokerName", BL_OPTION_TEXT, offsetof(struct settings, name), "", 0, 0, NULL, NULL, "Name.",
     0},
    {"password", BL_OPTION_TEXT, offsetof(struct settings, password), "", 0, 0, NULL, NULL, "Word.",
     BL_OPTION_SECRET},
};
static const struct bl_options options = {rows, sizeof(rows) / sizeof(rows[0])};

static struct settings settings;

static int start(void **state) {
  (void)state;
  settings = (struct settings){0};
  bl_options_init(&options, &settings);
  return 0;
}

static int stop(void **state) {
  (void)state;
  bl_options_fini(&options, &settings);
  bl_options_fini(&options, &settings);
  return 0;
}

static void defaults_are_set(void **state) {
  (void)state;
  assert_true(settings.enabled);
  assert_int_equal(settings.port, 10911);
  assert_int_equal(settings.any32, -1);
  assert_int_equal(settings.any64, -1);
  assert_int_equal(settings.size_bytes, 4194304);
  assert_int_equal(settings.mode, 1);
  assert_string_equal(settings.root, "store");
  assert_string_equal(settings.name, "");
}

static void values_keep_to_their_row(void **state) {
  (void)state;
  static const struct {
    const char *name;
    const char *value;
    bl_err err;
    const char *after; /* as printed */
  } cases[] = {
      {"listenPort", "1", BL_OK, "1"},
      {"listenPort", "65535", BL_OK, "65535"},
      {"listenPort", " 80\t", BL_OK, "80"},
      {"listenPort", "0", BL_ERR_PARAMETER, "80"},
      {"listenPort", "65536", BL_ERR_PARAMETER, "80"},
      {"listenPort", "", BL_ERR_PARAMETER, "80"},
      {"listenPort", "8o", BL_ERR_PARAMETER, "80"},
      {"any32", "2147483647", BL_OK, "2147483647"},
      {"any32", "-2147483648", BL_OK, "-2147483648"},
      {"any32", "2147483648", BL_ERR_PARAMETER, "-2147483648"},
      {"any64", "9223372036854775807", BL_OK, "9223372036854775807"},
      {"any64", "9223372036854775808", BL_ERR_PARAMETER, "9223372036854775807"},
      {"maxMessageSize", "0", BL_OK, "0"},
      {"maxMessageSize", "-1", BL_ERR_PARAMETER, "0"},
      {"enabled", "false", BL_OK, "false"},
      {"enabled", "True", BL_OK, "true"},
      {"enabled", "ture", BL_ERR_PARAMETER, "true"},
      {"enabled", "", BL_ERR_PARAMETER, "true"},
      {"enabled", "falsefalse", BL_ERR_PARAMETER, "true"},
      {"flushDiskType", "ASYNC_FLUSH", BL_OK, "ASYNC_FLUSH"},
      {"flushDiskType", "SYNC_FLUSH", BL_OK, "SYNC_FLUSH"},
      {"flushDiskType", "SYNC", BL_ERR_PARAMETER, "SYNC_FLUSH"},
      {"flushDiskType", "", BL_ERR_PARAMETER, "SYNC_FLUSH"},
      {"storePathRootDir", "12345678", BL_OK, "12345678"},
      {"storePathRootDir", "123456789", BL_ERR_PARAMETER, "12345678"},
      {"storePathRootDir", "", BL_ERR_PARAMETER, "12345678"},
      {"brokerName", "a b", BL_OK, "a b"},
      {"brokerName", "", BL_OK, ""},
      {"password", "", BL_OK, ""},
      {"password", "hush", BL_OK, "******"},
  };
  struct bl_buf out;
  bl_buf_init(&out, 0);
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_slice name = bl_slice_text(cases[i].name);
    struct bl_why why = {""};
    bl_err err = bl_options_set(&options, &settings, name, bl_slice_text(cases[i].value),
                                BL_OPTION_AT_START, &why);
    assert_int_equal(err, cases[i].err);
    assert_int_equal(why.text[0] != '\0', err != BL_OK);
    if (err != BL_OK) assert_non_null(strstr(why.text, cases[i].name));
    bl_buf_clear(&out);
    bl_options_put_value(bl_options_find(&options, name), &settings, &out);
    assert_true(bl_slice_is(bl_buf_slice(&out), cases[i].after));
  }
  assert_string_equal(settings.password, "hush");
  bl_buf_fini(&out);
}

static void texts_have_a_limit_and_no_zero_byte(void **state) {
  (void)state;
  static char text[BL_OPTION_TEXT_BYTES_MAX + 1];
  memset(text, 'x', sizeof(text));
  struct bl_slice name = BL_SLICE("brokerName");
  assert_int_equal(bl_options_set(&options, &settings, name, bl_slice_of(text, sizeof(text)),
                                  BL_OPTION_AT_START, NULL),
                   BL_ERR_PARAMETER);
  assert_int_equal(bl_options_set(&options, &settings, name, bl_slice_of(text, sizeof(text) - 1),
                                  BL_OPTION_AT_START, NULL),
                   BL_OK);
  assert_int_equal(strlen(settings.name), BL_OPTION_TEXT_BYTES_MAX);
  assert_int_equal(
      bl_options_set(&options, &settings, name, bl_slice_of("a\0b", 3), BL_OPTION_AT_START, NULL),
      BL_ERR_PARAMETER);
}

static void errors_are_sentences(void **state) {
  (void)state;
  static const char *const cases[][3] = {
      {"listenPort", "x", "listenPort: 'x' is not a whole number from 1 to 65535"},
      {"maxMessageSize", "-1",
       "maxMessageSize: '-1' is not a whole number from 0 to 1073741824 bytes"},
      {"enabled", "1", "enabled: '1' is neither true nor false"},
      {"flushDiskType", "x", "flushDiskType: 'x' is none of ASYNC_FLUSH|SYNC_FLUSH"},
      {"listenport", "1", "there is no option 'listenport'; did you mean listenPort?"},
      {"zzzzzz", "1", "there is no option 'zzzzzz'"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_why why = {""};
    assert_true(bl_options_set(&options, &settings, bl_slice_text(cases[i][0]),
                               bl_slice_text(cases[i][1]), BL_OPTION_AT_START, &why) != BL_OK);
    assert_string_equal(why.text, cases[i][2]);
  }
}

static void the_nearest_name_is_found(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"brokername", "brokerName"},
      {"brokerNmae", "brokerName"},
      {"broker", NULL},
      {"listenPrt", "listenPort"},
      {"enable", "enabled"},
      {"", NULL},
      {"flushDisk", "flushDiskType"},
      {"x", NULL},
      {"storePathRoot", "storePathRootDir"},
      {"maxMsgSize", "maxMessageSize"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    const char *nearest = bl_options_nearest(&options, bl_slice_text(cases[i][0]));
    assert_int_equal(nearest != NULL, cases[i][1] != NULL);
    if (nearest != NULL) assert_string_equal(nearest, cases[i][1]);
  }
  static char text[100];
  memset(text, 'b', sizeof(text));
  assert_null(bl_options_nearest(&options, bl_slice_of(text, sizeof(text))));
}

static void read_only_is_for_the_start(void **state) {
  (void)state;
  struct bl_slice name = BL_SLICE("storePathRootDir");
  struct bl_why why;
  assert_int_equal(
      bl_options_set(&options, &settings, name, BL_SLICE("x"), BL_OPTION_RUNNING, &why),
      BL_ERR_NO_PERMISSION);
  assert_string_equal(settings.root, "store");
  assert_int_equal(
      bl_options_set(&options, &settings, name, BL_SLICE("x"), BL_OPTION_AT_START, NULL), BL_OK);
  assert_string_equal(settings.root, "x");
}

static int unknown_line;
static int unknown_count;

static void note_unknown(void *context, int line, struct bl_slice name, const struct bl_why *why) {
  assert_null(context);
  assert_true(bl_slice_is(name, "brokerNam"));
  assert_non_null(strstr(why->text, "did you mean brokerName?"));
  unknown_line = line;
  unknown_count++;
}

static void properties_set_all_or_nothing(void **state) {
  (void)state;
  struct bl_why why = {""};
  struct bl_slice good =
      BL_SLICE("# ours\nlistenPort = 1\nflushDiskType: ASYNC_FLUSH\nbrokerName=\\u0061\\\n b\n");
  assert_int_equal(
      bl_options_set_properties(&options, &settings, good, BL_OPTION_AT_START, NULL, NULL, &why),
      BL_OK);
  assert_int_equal(settings.port, 1);
  assert_int_equal(settings.mode, 0);
  assert_string_equal(settings.name, "ab");

  struct bl_slice bad = BL_SLICE("listenPort=2\nenabled=maybe");
  assert_int_equal(
      bl_options_set_properties(&options, &settings, bad, BL_OPTION_AT_START, NULL, NULL, &why),
      BL_ERR_PARAMETER);
  assert_string_equal(why.text, "line 2: enabled: 'maybe' is neither true nor false");
  assert_int_equal(settings.port, 1);

  struct bl_slice strange = BL_SLICE("listenPort=3\n\nbrokerNam=x\n");
  assert_int_equal(
      bl_options_set_properties(&options, &settings, strange, BL_OPTION_AT_START, NULL, NULL, &why),
      BL_ERR_NOT_FOUND);
  assert_int_equal(settings.port, 1);
  unknown_count = 0;
  assert_int_equal(bl_options_set_properties(&options, &settings, strange, BL_OPTION_AT_START,
                                             note_unknown, NULL, &why),
                   BL_OK);
  assert_int_equal(settings.port, 3);
  assert_int_equal(unknown_count, 1);
  assert_int_equal(unknown_line, 3);

  assert_int_equal(bl_options_set_properties(&options, &settings, BL_SLICE("storePathRootDir=x"),
                                             BL_OPTION_RUNNING, NULL, NULL, &why),
                   BL_ERR_NO_PERMISSION);
  assert_int_equal(bl_options_set_properties(&options, &settings, BL_SLICE("=x"), BL_OPTION_RUNNING,
                                             NULL, NULL, &why),
                   BL_ERR_FORMAT);
}

static void all_are_printed_sorted_and_read_back(void **state) {
  (void)state;
  struct bl_buf out, again;
  bl_buf_init(&out, 0);
  bl_buf_init(&again, 0);
  assert_int_equal(bl_options_set_properties(&options, &settings,
                                             BL_SLICE("password=hush\nbrokerName=a\\\\b\\nc"),
                                             BL_OPTION_AT_START, NULL, NULL, NULL),
                   BL_OK);
  bl_options_put_properties(&options, &settings, &out);
  bl_buf_put_char(&out, '\0');
  assert_string_equal(out.data,
                      "any32=-1\nany64=-1\nbrokerName=a\\\\b\\nc\nenabled=true\n"
                      "flushDiskType=SYNC_FLUSH\nlistenPort=10911\nmaxMessageSize=4194304\n"
                      "password=******\nstorePathRootDir=store\n");
  out.len--;
  assert_int_equal(bl_options_set_properties(&options, &settings, bl_buf_slice(&out),
                                             BL_OPTION_AT_START, NULL, NULL, NULL),
                   BL_OK);
  assert_string_equal(settings.password, "hush"); /* the stars change nothing */
  bl_options_put_properties(&options, &settings, &again);
  assert_true(bl_slice_eq(bl_buf_slice(&out), bl_buf_slice(&again)));
  bl_buf_fini(&out);
  bl_buf_fini(&again);
}

static void the_page_has_a_row_for_each(void **state) {
  (void)state;
  struct bl_buf out;
  bl_buf_init(&out, 0);
  bl_options_put_markdown(&options, &out);
  bl_buf_put_char(&out, '\0');
  static const char *const lines[] = {
      "| name | default | values | while running | meaning |\n|---|---|---|---|---|\n| `any32` | "
      "`-1` | number | yes | Any. |\n",
      "| `flushDiskType` | `SYNC_FLUSH` | `ASYNC_FLUSH`, `SYNC_FLUSH` | yes | When a send \\| is "
      "answered. |\n",
      "| `maxMessageSize` | `4194304` | 0 to 1073741824 bytes | yes | Largest message. |\n",
      "| `password` |  | text | yes | Word. Never shown. |\n",
      "| `storePathRootDir` | `store` | text | no | Where the store is. |\n",
  };
  for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
    assert_non_null(strstr(out.data, lines[i]));
  }
  bl_buf_fini(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(defaults_are_set, start, stop),
      cmocka_unit_test_setup_teardown(values_keep_to_their_row, start, stop),
      cmocka_unit_test_setup_teardown(texts_have_a_limit_and_no_zero_byte, start, stop),
      cmocka_unit_test_setup_teardown(errors_are_sentences, start, stop),
      cmocka_unit_test_setup_teardown(the_nearest_name_is_found, start, stop),
      cmocka_unit_test_setup_teardown(read_only_is_for_the_start, start, stop),
      cmocka_unit_test_setup_teardown(properties_set_all_or_nothing, start, stop),
      cmocka_unit_test_setup_teardown(all_are_printed_sorted_and_read_back, start, stop),
      cmocka_unit_test_setup_teardown(the_page_has_a_row_for_each, start, stop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
