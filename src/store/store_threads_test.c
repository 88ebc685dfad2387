/* threads */
/* The store as it runs: real workers, the real disk. Checks what inline workers cannot show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/store_testlib.h"

#define MESSAGES 1500

static void remove_tree(struct bl_disk *disk, const char *path) {
  struct bl_arena arena;
  bl_arena_init(&arena);
  const char *const *names;
  size_t count;
  if (disk->ops->list(disk, path, &arena, &names, &count) == BL_OK) {
    for (size_t i = 0; i < count; i++)
      remove_tree(disk, bl_arena_printf(&arena, "%s/%s", path, names[i]).ptr);
  }
  assert_int_equal(disk->ops->remove(disk, path), BL_OK);
  bl_arena_fini(&arena);
}

/* A slow disk now and then, so that the write right goes over and comes back while others append.
 */
struct slow_disk {
  struct bl_disk disk;
  struct bl_disk_ops ops;
  atomic_int writes;
};

static bl_err slow_write(struct bl_disk *disk, int file, const void *from, size_t len,
                         int64_t offset) {
  struct slow_disk *slow = (struct slow_disk *)(void *)disk;
  if (atomic_fetch_add(&slow->writes, 1) % 7 == 0) {
    int64_t until_ns = bl_clock_mono_ns(bl_clock_real()) + 1500000;
    while (bl_clock_mono_ns(bl_clock_real()) < until_ns) continue;
  }
  return bl_disk_real()->ops->write(bl_disk_real(), file, from, len, offset);
}

static void make_dir(char *dir, size_t size) {
  const char *tmp = getenv("TMPDIR");
  snprintf(dir, size, "%s/bolide-store-XXXXXX", tmp != NULL ? tmp : "/tmp");
  assert_non_null(mkdtemp(dir));
}

static void run(enum bl_flush_mode mode) {
  char dir[200];
  make_dir(dir, sizeof(dir));
  struct slow_disk slow = {.ops = *bl_disk_real()->ops};
  slow.ops.write = slow_write;
  slow.disk.ops = &slow.ops;
  struct st st;
  st_init(&st);
  bl_worker_free(st.flush);
  bl_worker_free(st.pool);
  st.flush = bl_worker_new("flush", 2, false, NULL, NULL);
  st.pool = bl_worker_new("pool", 2, false, NULL, NULL);
  struct bl_disk *fake = st.disk;
  st.disk = &slow.disk;
  st.settings.dir = dir;
  st.settings.flush_mode = mode;
  st.settings.snapshot_bytes = 100000;
  struct bl_clock clock = *bl_clock_real();
  st.clock.clock = clock;
  st_open(&st);
  while (st.next < MESSAGES) {
    for (int i = 0; i < 20; i++) {
      bl_err err = st_append(&st, 200);
      if (err == BL_ERR_BUSY) break;
      assert_int_equal(err, BL_OK);
    }
    bl_store_end_turn(st.store);
    bl_worker_drain(st.flush);
    bl_worker_drain(st.pool);
    bl_timers_run(&st.timers, bl_clock_mono_ms(&clock), 10);
  }
  int64_t count = st.next;
  st_close(&st);
  assert_int_equal(st.acked, count);
  st_open(&st);
  assert_true(bl_store_marks(st.store).appended > 5 * 65536);
  assert_true(st.toy.snapshots_done >= 2);
  assert_int_equal(st.toy.shown, count);
  st_check_prefix(&st, count);
  st_close(&st);
  st.disk = fake;
  remove_tree(bl_disk_real(), dir);
  st_fini(&st);
}

static void sync_flush_with_real_threads(void **state) {
  (void)state;
  run(BL_FLUSH_SYNC);
}

static void async_flush_with_real_threads(void **state) {
  (void)state;
  run(BL_FLUSH_ASYNC);
}

/* A new store is there in a few milliseconds (best of five: other programs run too), with whole
 * files of 1 GiB. */
static void a_new_store_opens_fast(void **state) {
  (void)state;
  int64_t best_us = INT64_MAX;
  for (int i = 0; i < 5; i++) {
    char dir[200];
    make_dir(dir, sizeof(dir));
    struct st st;
    st_init(&st);
    struct bl_disk *fake = st.disk;
    st.disk = bl_disk_real();
    st.settings.dir = dir;
    st.settings.segment_bytes = 1 << 30;
    st.settings.ring_bytes = 64 << 20;
    int64_t before_ns = bl_clock_mono_ns(bl_clock_real());
    st_open(&st);
    int64_t took_us = (bl_clock_mono_ns(bl_clock_real()) - before_ns) / 1000;
    if (took_us < best_us) best_us = took_us;
    st_close(&st);
    st.disk = fake;
    remove_tree(bl_disk_real(), dir);
    st_fini(&st);
  }
  print_message("open: %d us\n", (int)best_us);
  assert_in_range(best_us, 0, 50000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sync_flush_with_real_threads),
      cmocka_unit_test(async_flush_with_real_threads),
      cmocka_unit_test(a_new_store_opens_fast),
  };
  return st_run(tests, sizeof(tests) / sizeof(tests[0]));
}
