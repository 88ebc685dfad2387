#include "cli/bench/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORDS_MAX 16

/* Parses "send --mode async" and so on. */
static bl_err parse(const char *line, struct bl_bench_plan *plan, struct bl_why *why) {
  static char text[512];
  char *words[WORDS_MAX] = {"bench"};
  int count = 1;
  bool help = false;
  size_t len = strlen(line);
  assert_true(len < sizeof(text));
  memcpy(text, line, len + 1);
  char *at = text;
  while (*at != '\0' && count < WORDS_MAX) {
    words[count++] = at;
    while (*at != '\0' && *at != ' ') at++;
    if (*at == ' ') *at++ = '\0';
  }
  why->text[0] = '\0';
  return bl_bench_plan_parse(count, words, plan, &help, why);
}

static void defaults_are_those_of_the_verb(void **state) {
  (void)state;
  struct bl_bench_plan plan;
  struct bl_why why;
  assert_int_equal(parse("send", &plan, &why), BL_OK);
  assert_true(plan.mode == BL_BENCH_SYNC && plan.window == 1 && plan.batch == 0);
  assert_true(plan.seconds == 10 && plan.warmup == 1 && plan.queues == 4 && plan.rate == 0);
  assert_true(plan.codec == BL_CODEC_BINARY);
  assert_int_equal(parse("send --mode async", &plan, &why), BL_OK);
  assert_int_equal(plan.window, 256);
  assert_int_equal(parse("send --mode batch --headers json", &plan, &why), BL_OK);
  assert_true(plan.batch == 32 && plan.window == 8 && plan.codec == BL_CODEC_JSON);
  assert_int_equal(parse("send --count 5", &plan, &why), BL_OK);
  assert_true(plan.seconds == -1 && plan.warmup == 0);
  assert_int_equal(parse("pull", &plan, &why), BL_OK);
  assert_true(plan.queues == 0 && plan.seconds == -1 && plan.warmup == 0);
  assert_true(plan.from == BL_BENCH_FROM_BEGIN);
  assert_int_equal(parse("pull --from 17", &plan, &why), BL_OK);
  assert_int_equal(plan.from, 17);
  assert_int_equal(parse("e2e", &plan, &why), BL_OK);
  assert_true(plan.mode == BL_BENCH_ASYNC && plan.rate == 1000 && plan.queues == 4);
  assert_int_equal(parse("echo --hop --rate 5", &plan, &why), BL_OK);
  assert_true(plan.mode == BL_BENCH_ASYNC && plan.rate == 5);
}

static void wrong_use_is_told(void **state) {
  (void)state;
  static const struct {
    const char *line;
    const char *says; /* part of the sentence */
  } rows[] = {
      {"", "send, pull, e2e"},
      {"sendd", "did you mean send"},
      {"send more", "'more'"},
      {"send --mode fast", "sync, async or batch"},
      {"send --window 9", "--window"},
      {"send --batch 9", "--mode batch"},
      {"send --headers xml", "json or binary"},
      {"send --conections 5", "did you mean --connections"},
      {"send --connections 0", "from 1"},
      {"send --size 4194305", "from 1"},
      {"send --mode batch --batch 4096 --size 8192", "16 MiB"},
      {"pull --from middle", "begin, end or an offset"},
      {"e2e --rate 0", "--rate"},
      {"e2e --size 15", "16 bytes"},
      {"e2e --topics 2", "one topic"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct bl_bench_plan plan;
    struct bl_why why;
    assert_int_equal(parse(rows[i].line, &plan, &why), BL_ERR_USAGE);
    if (strstr(why.text, rows[i].says) == NULL)
      fail_msg("'%s' says '%s', not '%s'", rows[i].line, why.text, rows[i].says);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults_are_those_of_the_verb),
      cmocka_unit_test(wrong_use_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
