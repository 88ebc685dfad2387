#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void takes_are_aligned_and_apart(void **state) {
  (void)state;
  static const size_t sizes[] = {0, 1, 15, 16, 17, 4095, 4096, 4097, 16384, 16385, 100000, 3};
  enum { COUNT = sizeof(sizes) / sizeof(sizes[0]), ROUNDS = 20 };
  struct bl_arena arena;
  bl_arena_init(&arena);
  assert_null(arena.block);
  unsigned char *taken[ROUNDS][COUNT];
  for (int round = 0; round < ROUNDS; round++) {
    for (size_t i = 0; i < COUNT; i++) {
      taken[round][i] = bl_arena_take(&arena, sizes[i]);
      assert_int_equal((uintptr_t)taken[round][i] % _Alignof(max_align_t), 0);
      memset(taken[round][i], round * COUNT + (int)i, sizes[i]);
    }
  }
  for (int round = 0; round < ROUNDS; round++) {
    for (size_t i = 0; i < COUNT; i++) {
      for (size_t k = 0; k < sizes[i]; k++) {
        assert_int_equal(taken[round][i][k], (unsigned char)(round * COUNT + (int)i));
      }
    }
  }
  bl_arena_fini(&arena);
}

static void a_large_take_leaves_the_block_in_use(void **state) {
  (void)state;
  struct bl_arena arena;
  bl_arena_init(&arena);
  char *small = bl_arena_take(&arena, 16);
  bl_arena_take(&arena, 100000);
  assert_ptr_equal(bl_arena_take(&arena, 16), small + 16);
  bl_arena_fini(&arena);
}

static void reset_keeps_one_block_and_counts_anew(void **state) {
  (void)state;
  struct bl_arena arena;
  bl_arena_init(&arena);
  bl_arena_reset(&arena);
  assert_null(arena.block);
  bl_arena_take(&arena, 1000000); /* larger than a block of ordinary size: not kept */
  assert_true(arena.used_bytes >= 1000000);
  bl_arena_reset(&arena);
  assert_null(arena.block);
  for (int i = 0; i < 100; i++) bl_arena_take(&arena, 1000);
  bl_arena_take(&arena, 1000000);
  bl_arena_reset(&arena);
  assert_int_equal(arena.used_bytes, 0);
  const struct bl_arena_block *kept = arena.block;
  assert_non_null(kept);
  for (int i = 0; i < 16; i++) bl_arena_take(&arena, 1000);
  assert_ptr_equal(arena.block, kept);
  bl_arena_fini(&arena);
  bl_arena_fini(&arena);
}

static void zero_is_zero_also_in_used_memory(void **state) {
  (void)state;
  struct bl_arena arena;
  bl_arena_init(&arena);
  memset(bl_arena_take(&arena, 64), 0xff, 64);
  bl_arena_reset(&arena);
  const char *at = bl_arena_zero(&arena, 64);
  for (int i = 0; i < 64; i++) assert_int_equal(at[i], 0);
  bl_arena_fini(&arena);
}

static void copies_end_with_nul(void **state) {
  (void)state;
  struct bl_arena arena;
  bl_arena_init(&arena);
  struct bl_slice copy = bl_arena_copy(&arena, bl_slice_of("abcdef", 3));
  assert_int_equal(copy.len, 3);
  assert_string_equal(copy.ptr, "abc");
  assert_string_equal(bl_arena_copy(&arena, BL_SLICE("")).ptr, "");
  assert_null(bl_arena_copy(&arena, bl_slice_text(NULL)).ptr);
  bl_arena_fini(&arena);
}

static void printf_takes_short_and_long_texts(void **state) {
  (void)state;
  static const int widths[] = {0, 1, 254, 255, 256, 257, 5000};
  struct bl_arena arena;
  bl_arena_init(&arena);
  for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
    struct bl_slice text = bl_arena_printf(&arena, "%*s", widths[i], widths[i] > 0 ? "x" : "");
    assert_int_equal(text.len, widths[i]);
    assert_int_equal(strlen(text.ptr), widths[i]);
    if (widths[i] > 0) assert_int_equal(text.ptr[text.len - 1], 'x');
  }
  bl_arena_fini(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(takes_are_aligned_and_apart),
      cmocka_unit_test(a_large_take_leaves_the_block_in_use),
      cmocka_unit_test(reset_keeps_one_block_and_counts_anew),
      cmocka_unit_test(zero_is_zero_also_in_used_memory),
      cmocka_unit_test(copies_end_with_nul),
      cmocka_unit_test(printf_takes_short_and_long_texts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
