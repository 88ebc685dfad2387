#include "cli/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct given {
  bool json;
  const char *group;
  int64_t count;
  struct bl_args_list properties;
};

static bl_err parse(struct given *given, struct bl_args *args, struct bl_why *why, char **argv) {
  int argc = 0;
  while (argv[argc] != NULL) argc++;
  const struct bl_arg options[] = {
      {.name = "json", .kind = BL_ARG_FLAG, .to = &given->json},
      {.name = "group", .kind = BL_ARG_TEXT, .to = &given->group},
      {.name = "count", .kind = BL_ARG_NUMBER, .to = &given->count, .min = 1, .max = 1000},
      {.name = "property", .kind = BL_ARG_LIST, .to = &given->properties},
  };
  memset(given, 0, sizeof(*given));
  why->text[0] = '\0';
  return bl_args_parse(argc, argv, options, 4, args, why);
}

static void options_stand_anywhere(void **state) {
  (void)state;
  struct given given;
  struct bl_args args;
  struct bl_why why;
  char *argv[] = {"v",          "--count=7", "T",      "--group",        "g", "-",
                  "--property", "a=b",       "--json", "--property=c=d", NULL};
  assert_int_equal(parse(&given, &args, &why, argv), BL_OK);
  assert_true(given.json);
  assert_string_equal(given.group, "g");
  assert_int_equal(given.count, 7);
  assert_int_equal(given.properties.count, 2);
  assert_string_equal(given.properties.items[0], "a=b");
  assert_string_equal(given.properties.items[1], "c=d");
  assert_int_equal(args.positional_count, 2);
  assert_string_equal(args.positional[0], "T");
  assert_string_equal(args.positional[1], "-");
}

static void what_follows_two_dashes_is_positional(void **state) {
  (void)state;
  struct given given;
  struct bl_args args;
  struct bl_why why;
  char *argv[] = {"v", "T", "--", "--json", "-h", NULL};
  assert_int_equal(parse(&given, &args, &why, argv), BL_OK);
  assert_false(given.json);
  assert_false(args.help);
  assert_int_equal(args.positional_count, 3);
  assert_string_equal(args.positional[1], "--json");
  assert_string_equal(args.positional[2], "-h");
}

static void mistakes_are_one_sentence(void **state) {
  (void)state;
  static const struct {
    const char *words[3];
    const char *sentence;
  } cases[] = {
      {{"--grup", "x"}, "there is no option --grup; did you mean --group?"},
      {{"--jsno"}, "there is no option --jsno; did you mean --json?"},
      {{"--zebra=1"}, "there is no option --zebra"},
      {{"-c", "1"}, "there is no option -c; options are written --name"},
      {{"--group"}, "--group needs a value"},
      {{"--json=1"}, "--json takes no value"},
      {{"--count", "0"}, "--count is '0'; it is a number from 1 to 1000"},
      {{"--count", "1x"}, "--count is '1x'; it is a number from 1 to 1000"},
      {{"--count="}, "--count is ''; it is a number from 1 to 1000"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct given given;
    struct bl_args args;
    struct bl_why why;
    char *argv[] = {"v", (char *)cases[i].words[0], (char *)cases[i].words[1], NULL};
    assert_int_equal(parse(&given, &args, &why, argv), BL_ERR_USAGE);
    assert_string_equal(why.text, cases[i].sentence);
  }
}

static void nearest_is_near(void **state) {
  (void)state;
  static const char *const names[] = {"broker", "consume", "help", "produce", "server"};
  assert_string_equal(bl_args_nearest("prodcue", names, 5), "produce");
  assert_string_equal(bl_args_nearest("serve", names, 5), "server");
  assert_string_equal(bl_args_nearest("hlep", names, 5), "help");
  assert_null(bl_args_nearest("xyz", names, 5));
  assert_null(bl_args_nearest("", names, 5));
  assert_null(
      bl_args_nearest("a-name-that-is-much-longer-than-any-option-that-there-is", names, 5));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(options_stand_anywhere),
      cmocka_unit_test(what_follows_two_dashes_is_positional),
      cmocka_unit_test(mistakes_are_one_sentence),
      cmocka_unit_test(nearest_is_near),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
