#include "cli/bench/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/json.h"

static const struct bl_bench_plan plan = {.verb = "send",
                                          .mode_text = "async",
                                          .codec_text = "json",
                                          .topic = "T",
                                          .connections = 3,
                                          .window = 7,
                                          .size = 128};

static int64_t number(const struct bl_json *root, const char *name) {
  const struct bl_json *node = bl_json_get(root, name);
  assert_non_null(node);
  return bl_json_i64(node, -77);
}

static void the_object_is_json(void **state) {
  (void)state;
  struct bl_bench_result *result = bl_bench_result_new(&plan);
  struct bl_buf out = {0};
  struct bl_arena arena;
  const struct bl_json *root = NULL;
  bl_arena_init(&arena);
  bl_bench_result_server(result, "h:1");
  result->messages = 12345678;
  result->bytes = 12345678 * 128ull;
  result->seconds = 2.0004;
  result->cpu_us = 500000;
  for (int i = 0; i < 100; i++) bl_hist_add_many(&result->latency, 1000 * i, 1);
  bl_bench_result_error(result, 2, 5, BL_SLICE("busy \"now\""));
  bl_bench_result_error(result, 2, 1, BL_SLICE("later"));
  bl_bench_result_error(result, BL_BENCH_CODE_LOST, 4, (struct bl_slice){NULL, 0});
  bl_bench_result_note(result, "gaps", 9);
  bl_bench_result_json(result, &out);
  assert_int_equal(bl_json_parse(bl_buf_slice(&out), BL_JSON_STRICT, &arena, &root, NULL), BL_OK);
  assert_int_equal(number(root, "messages"), 12345678);
  assert_int_equal(number(root, "errors"), 10);
  assert_int_equal(number(bl_json_get(root, "errors_by_code"), "2"), 6);
  assert_int_equal(number(bl_json_get(root, "errors_by_code"), "lost"), 4);
  assert_int_equal(number(root, "gaps"), 9);
  assert_int_equal(number(root, "batch"), 1);
  assert_int_equal(number(bl_json_get(root, "latency_us"), "max"), 99);
  assert_true(bl_slice_is(bl_json_text(bl_json_get(root, "seconds")), "2.0004"));
  assert_string_equal(result->first_error, "busy \"now\"");
  bl_buf_fini(&out);
  bl_arena_fini(&arena);
  bl_bench_result_free(result);
}

static void nothing_gives_zeros(void **state) {
  (void)state;
  struct bl_bench_result *result = bl_bench_result_new(&plan);
  struct bl_buf out = {0};
  struct bl_arena arena;
  const struct bl_json *root = NULL;
  bl_arena_init(&arena);
  bl_bench_result_json(result, &out);
  assert_int_equal(bl_json_parse(bl_buf_slice(&out), BL_JSON_STRICT, &arena, &root, NULL), BL_OK);
  assert_int_equal(number(root, "rate_per_s"), 0);
  assert_int_equal(number(root, "cpu_us_per_message"), 0);
  bl_buf_fini(&out);
  bl_arena_fini(&arena);
  bl_bench_result_free(result);
}

/* More kinds than there is room for: counted, with the last. */
static void many_codes_are_counted(void **state) {
  (void)state;
  struct bl_bench_result *result = bl_bench_result_new(&plan);
  struct bl_bench_result *sum = bl_bench_result_new(&plan);
  for (int32_t code = 1; code <= 100; code++)
    bl_bench_result_error(result, code, 2, (struct bl_slice){NULL, 0});
  assert_int_equal(result->errors, 200);
  assert_int_equal(result->code_count, BL_BENCH_CODES_MAX);
  bl_bench_result_take_errors(sum, result);
  assert_int_equal(sum->errors, 200);
  bl_bench_result_free(result);
  bl_bench_result_free(sum);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_object_is_json),
      cmocka_unit_test(nothing_gives_zeros),
      cmocka_unit_test(many_codes_are_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
