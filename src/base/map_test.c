#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct bl_slice key_of(char *room, size_t size, unsigned number) {
  int len = snprintf(room, size, "key-%u", number);
  return bl_slice_of(room, (size_t)len);
}

static void empty_finds_and_removes_nothing(void **state) {
  (void)state;
  struct bl_map map;
  bl_map_init(&map);
  size_t cursor = 0;
  assert_null(bl_map_get(&map, BL_SLICE("a")));
  assert_null(bl_map_remove(&map, BL_SLICE("a")));
  assert_null(bl_map_next(&map, &cursor));
  bl_map_fini(&map);
}

static void put_replaces_and_remove_returns(void **state) {
  (void)state;
  struct bl_map map;
  int a, b;
  bl_map_init(&map);
  assert_null(bl_map_put(&map, BL_SLICE("k"), &a));
  assert_ptr_equal(bl_map_put(&map, BL_SLICE("k"), &b), &a);
  assert_int_equal(map.count, 1);
  assert_ptr_equal(bl_map_get(&map, BL_SLICE("k")), &b);
  assert_null(bl_map_get(&map, BL_SLICE("k2")));
  assert_ptr_equal(bl_map_remove(&map, BL_SLICE("k")), &b);
  assert_null(bl_map_remove(&map, BL_SLICE("k")));
  assert_null(bl_map_get(&map, BL_SLICE("k")));
  bl_map_fini(&map);
}

static void keys_are_copied_bytes_of_any_kind(void **state) {
  (void)state;
  struct bl_map map;
  int a, b, c;
  char key[] = "x";
  bl_map_init(&map);
  bl_map_put(&map, bl_slice_text(key), &a);
  key[0] = 'y';
  assert_ptr_equal(bl_map_get(&map, BL_SLICE("x")), &a);
  bl_map_put(&map, BL_SLICE(""), &b);
  bl_map_put(&map, bl_slice_of("\0\0", 2), &c);
  assert_ptr_equal(bl_map_get(&map, BL_SLICE("")), &b);
  assert_ptr_equal(bl_map_get(&map, bl_slice_of("\0\0", 2)), &c);
  assert_null(bl_map_get(&map, bl_slice_of("\0", 1)));
  bl_map_fini(&map);
}

static void a_walk_goes_in_order_of_insertion(void **state) {
  (void)state;
  struct bl_map map;
  int value;
  char room[32];
  bl_map_init(&map);
  for (unsigned i = 0; i < 100; i++) bl_map_put(&map, key_of(room, sizeof(room), i), &value);
  size_t cursor = 0;
  for (unsigned i = 0; i < 100; i++) {
    const struct bl_map_entry *entry = bl_map_next(&map, &cursor);
    assert_non_null(entry);
    assert_true(bl_slice_eq(entry->key, key_of(room, sizeof(room), i)));
  }
  assert_null(bl_map_next(&map, &cursor));
  assert_null(bl_map_next(&map, &cursor));
  bl_map_fini(&map);
}

static void a_walk_may_remove_what_it_is_at(void **state) {
  (void)state;
  struct bl_map map;
  int value;
  char room[32];
  bl_map_init(&map);
  for (unsigned i = 0; i < 50; i++) bl_map_put(&map, key_of(room, sizeof(room), i), &value);
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&map, &cursor)) != NULL) {
    assert_ptr_equal(bl_map_remove(&map, entry->key), &value);
  }
  assert_int_equal(map.count, 0);
  assert_int_equal(map.used, 0); /* holes at the end are given back at once */
  bl_map_fini(&map);
}

/* Entries that stay are seen exactly once although the others come, go and make the map rebuild. */
static void a_walk_survives_rebuilding(void **state) {
  (void)state;
  enum { STAY = 40 };
  struct bl_map map;
  int stays[STAY];
  int seen[STAY] = {0};
  int other;
  char room[32];
  bl_map_init(&map);
  for (unsigned i = 0; i < 4 * STAY; i++) { /* each one that stays among three that do not */
    bl_map_put(&map, key_of(room, sizeof(room), i), i % 4 == 2 ? &stays[i / 4] : &other);
  }
  for (unsigned i = 0; i < 4 * STAY; i++) {
    if (i % 4 != 2) bl_map_remove(&map, key_of(room, sizeof(room), i));
  }
  size_t cursor = 0;
  size_t cap = map.cap;
  bool was_rebuilt = false;
  unsigned next = 5000;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&map, &cursor)) != NULL && next < 50000) {
    int *value = entry->value;
    if (value != &other) seen[value - stays]++;
    for (unsigned i = 0; i < 400; i++) {
      bl_map_put(&map, key_of(room, sizeof(room), next + i), &other);
    }
    for (unsigned i = 0; i < 400; i++) {
      bl_map_remove(&map, key_of(room, sizeof(room), next + i));
    }
    next += 400;
    was_rebuilt |= map.cap != cap;
  }
  assert_true(was_rebuilt);
  for (unsigned i = 0; i < STAY; i++) assert_int_equal(seen[i], 1);
  bl_map_fini(&map);
}

static void churn_does_not_grow_the_map(void **state) {
  (void)state;
  struct bl_map map;
  int value;
  char room[32];
  bl_map_init(&map);
  for (unsigned i = 0; i < 100000; i++) {
    bl_map_put(&map, key_of(room, sizeof(room), i), &value);
    if (i >= 10) {
      assert_ptr_equal(bl_map_remove(&map, key_of(room, sizeof(room), i - 10)), &value);
    }
  }
  assert_int_equal(map.count, 10);
  assert_true(map.cap <= 64);
  bl_map_fini(&map);
}

/* Against a plain array as the model. */
static void agrees_with_a_model(void **state) {
  (void)state;
  enum { KEYS = 700, STEPS = 60000 };
  static char values[KEYS];
  bool in[KEYS] = {false};
  unsigned seed = (unsigned)time(NULL);
  print_message("seed %u\n", seed);
  srand(seed);
  struct bl_map map;
  bl_map_init(&map);
  size_t count = 0;
  char room[32];
  for (int step = 0; step < STEPS; step++) {
    unsigned k = (unsigned)rand() % KEYS;
    struct bl_slice key = key_of(room, sizeof(room), k);
    assert_ptr_equal(bl_map_get(&map, key), in[k] ? &values[k] : NULL);
    bool put = rand() % (step / 10000 % 2 == 0 ? 4 : 2) != 0;
    void *before = put ? bl_map_put(&map, key, &values[k]) : bl_map_remove(&map, key);
    assert_ptr_equal(before, in[k] ? &values[k] : NULL);
    count += put;
    count -= in[k];
    in[k] = put;
    assert_int_equal(map.count, count);
  }
  for (unsigned k = 0; k < KEYS; k++) {
    void *value = bl_map_get(&map, key_of(room, sizeof(room), k));
    assert_ptr_equal(value, in[k] ? &values[k] : NULL);
  }
  bl_map_fini(&map);
}

/* While slots are being moved: keys that moved, that did not, that went and came again. */
static void nothing_is_lost_while_it_grows(void **state) {
  (void)state;
  enum { KEYS = 3000 };
  static int values[KEYS];
  static bool there[KEYS];
  for (uint64_t seed = 1; seed <= 20; seed++) {
    struct bl_map map;
    bl_map_init(&map);
    memset(there, 0, sizeof(there));
    uint64_t random = seed;
    size_t count = 0;
    bool moving = false;
    for (int step = 0; step < 3 * KEYS; step++) {
      random = random * 6364136223846793005ull + 1442695040888963407ull;
      uint32_t i = (uint32_t)(random >> 33) % KEYS;
      struct bl_slice key = bl_slice_of(&i, sizeof(i));
      if (seed % 4 > 0 && (random >> 20) % (2 + seed % 3) == 0) {
        assert_ptr_equal(bl_map_remove(&map, key), there[i] ? &values[i] : NULL);
        count -= there[i];
        there[i] = false;
      } else {
        assert_ptr_equal(bl_map_put(&map, key, &values[i]), there[i] ? &values[i] : NULL);
        count += !there[i];
        there[i] = true;
      }
      assert_int_equal(map.count, count);
      moving = moving || map.old != NULL;
      if (step % 97 > 0 && step < 3 * KEYS - 1) continue;
      for (uint32_t k = 0; k < KEYS; k++) {
        assert_ptr_equal(bl_map_get(&map, bl_slice_of(&k, sizeof(k))),
                         there[k] ? &values[k] : NULL);
      }
      size_t cursor = 0;
      size_t walked = 0;
      while (bl_map_next(&map, &cursor) != NULL) walked++;
      assert_int_equal(walked, count);
    }
    assert_true(moving);
    bl_map_fini(&map);
  }
}

static void hash_sees_every_byte_and_the_length(void **state) {
  (void)state;
  char bytes[70] = {0};
  for (size_t len = 0; len <= sizeof(bytes); len++) {
    uint32_t whole = bl_hash(bl_slice_of(bytes, len));
    assert_int_equal(whole, bl_hash(bl_slice_of(bytes, len)));
    if (len > 0) assert_true(whole != bl_hash(bl_slice_of(bytes, len - 1)));
    for (size_t i = 0; i < len; i++) {
      bytes[i] ^= 1;
      assert_true(whole != bl_hash(bl_slice_of(bytes, len)));
      bytes[i] ^= 1;
    }
  }
}

static void hash_spreads_numbered_names(void **state) {
  (void)state;
  enum { SLOTS = 4096, NAMES = 4096 };
  static int hits[SLOTS];
  char room[32];
  for (unsigned i = 0; i < NAMES; i++) {
    hits[bl_hash(key_of(room, sizeof(room), i)) & (SLOTS - 1)]++;
  }
  int empty = 0;
  int most = 0;
  for (int i = 0; i < SLOTS; i++) {
    empty += hits[i] == 0;
    if (hits[i] > most) most = hits[i];
  }
  assert_true(empty < SLOTS * 2 / 5); /* 1/e of them by chance */
  assert_true(most <= 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(empty_finds_and_removes_nothing),
      cmocka_unit_test(put_replaces_and_remove_returns),
      cmocka_unit_test(keys_are_copied_bytes_of_any_kind),
      cmocka_unit_test(a_walk_goes_in_order_of_insertion),
      cmocka_unit_test(a_walk_may_remove_what_it_is_at),
      cmocka_unit_test(a_walk_survives_rebuilding),
      cmocka_unit_test(churn_does_not_grow_the_map),
      cmocka_unit_test(agrees_with_a_model),
      cmocka_unit_test(nothing_is_lost_while_it_grows),
      cmocka_unit_test(hash_sees_every_byte_and_the_length),
      cmocka_unit_test(hash_spreads_numbered_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
