/* What the fake disk keeps and loses. The claims that hold on every disk are in os/disk_test.c. */
#include "os/fake/disk_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
  struct bl_disk_fake *fake;
  struct bl_disk *disk;
  const struct bl_disk_ops *ops;
};

static struct fixture make_fixture(void) {
  struct fixture f = {.fake = bl_disk_fake_new()};
  f.disk = bl_disk_fake_disk(f.fake);
  f.ops = f.disk->ops;
  assert_int_equal(f.ops->make_dir(f.disk, "/d", NULL), BL_OK);
  assert_int_equal(f.ops->sync_dir(f.disk, "/"), BL_OK);
  return f;
}

static int open_at(struct fixture *f, const char *path) {
  int file = -1;
  unsigned flags = BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE;
  assert_int_equal(f->ops->open(f->disk, path, flags, &file, NULL), BL_OK);
  return file;
}

static char byte_at(struct fixture *f, int file, int64_t offset) {
  char byte = '?';
  size_t got = 0;
  assert_int_equal(f->ops->read(f->disk, file, &byte, 1, offset, &got), BL_OK);
  assert_int_equal(got, 1);
  return byte;
}

static bool exists(struct fixture *f, const char *path) {
  struct bl_disk_stat info;
  return f->ops->stat(f->disk, path, &info) == BL_OK;
}

static void crash(struct fixture *f, uint64_t seed) {
  bl_disk_fake_power_loss(f->fake, seed);
  bl_disk_fake_restart(f->fake);
}

/* Over many seeds: what was synced always stays; of two unsynced sectors all four outcomes are
 * seen. */
static void unsynced_sectors_are_old_or_new_independently(void **state) {
  (void)state;
  bool seen[2][2] = {{false}};
  for (uint64_t seed = 0; seed < 200; seed++) {
    struct fixture f = make_fixture();
    int file = open_at(&f, "/d/a");
    assert_int_equal(f.ops->allocate(f.disk, file, 4096), BL_OK);
    assert_int_equal(f.ops->write(f.disk, file, "s", 1, 0), BL_OK);
    assert_int_equal(f.ops->sync(f.disk, file), BL_OK);
    assert_int_equal(f.ops->sync_dir(f.disk, "/d"), BL_OK);
    assert_int_equal(f.ops->write(f.disk, file, "x", 1, 1024), BL_OK);
    assert_int_equal(f.ops->write(f.disk, file, "y", 1, 3000), BL_OK);
    f.ops->close(f.disk, file);
    crash(&f, seed);
    file = open_at(&f, "/d/a");
    assert_int_equal(byte_at(&f, file, 0), 's');
    seen[byte_at(&f, file, 1024) == 'x'][byte_at(&f, file, 3000) == 'y'] = true;
    f.ops->close(f.disk, file);
    bl_disk_fake_free(f.fake);
  }
  assert_true(seen[0][0] && seen[0][1] && seen[1][0] && seen[1][1]);
}

static void unsynced_names_may_go_and_go_in_order(void **state) {
  (void)state;
  bool seen[3] = {false};
  for (uint64_t seed = 0; seed < 100; seed++) {
    struct fixture f = make_fixture();
    f.ops->close(f.disk, open_at(&f, "/d/kept"));
    assert_int_equal(f.ops->sync_dir(f.disk, "/d"), BL_OK);
    f.ops->close(f.disk, open_at(&f, "/d/one"));
    assert_int_equal(f.ops->rename(f.disk, "/d/one", "/d/two"), BL_OK);
    crash(&f, seed);
    assert_true(exists(&f, "/d/kept"));
    assert_false(exists(&f, "/d/one") && exists(&f, "/d/two"));
    seen[exists(&f, "/d/one") ? 1 : exists(&f, "/d/two") ? 2 : 0] = true;
    bl_disk_fake_free(f.fake);
  }
  assert_true(seen[0] && seen[1] && seen[2]);
}

static void a_failed_sync_loses_for_good(void **state) {
  (void)state;
  bool lost = false;
  for (uint64_t seed = 0; seed < 50; seed++) {
    struct fixture f = make_fixture();
    int file = open_at(&f, "/d/a");
    assert_int_equal(f.ops->allocate(f.disk, file, 512), BL_OK);
    assert_int_equal(f.ops->sync(f.disk, file), BL_OK);
    assert_int_equal(f.ops->sync_dir(f.disk, "/d"), BL_OK);
    assert_int_equal(f.ops->write(f.disk, file, "x", 1, 0), BL_OK);
    bl_disk_fake_fail(f.fake, BL_FAKE_SYNC, "", 0, 1, BL_ERR_IO);
    assert_int_equal(f.ops->sync(f.disk, file), BL_ERR_IO);
    assert_int_equal(f.ops->sync(f.disk, file), BL_OK); /* and yet */
    assert_int_equal(byte_at(&f, file, 0), 'x');
    f.ops->close(f.disk, file);
    crash(&f, seed);
    file = open_at(&f, "/d/a");
    if (byte_at(&f, file, 0) == 0) lost = true;
    f.ops->close(f.disk, file);
    bl_disk_fake_free(f.fake);
  }
  assert_true(lost);
}

static void failures_are_counted_down_and_end(void **state) {
  (void)state;
  struct fixture f = make_fixture();
  int a = open_at(&f, "/d/a");
  int b = open_at(&f, "/d/b");
  bl_disk_fake_fail(f.fake, BL_FAKE_WRITE, "/a", 1, 2, BL_ERR_NO_SPACE);
  assert_int_equal(f.ops->write(f.disk, b, "x", 1, 0), BL_OK);
  assert_int_equal(f.ops->write(f.disk, a, "x", 1, 0), BL_OK);
  assert_int_equal(f.ops->write(f.disk, a, "x", 1, 0), BL_ERR_NO_SPACE);
  assert_int_equal(f.ops->write(f.disk, b, "x", 1, 0), BL_OK);
  assert_int_equal(f.ops->write(f.disk, a, "x", 1, 0), BL_ERR_NO_SPACE);
  assert_int_equal(f.ops->write(f.disk, a, "x", 1, 0), BL_OK);
  assert_int_equal(bl_disk_fake_count(f.fake, BL_FAKE_WRITE), 6);
  f.ops->close(f.disk, a);
  f.ops->close(f.disk, b);
  bl_disk_fake_free(f.fake);
}

/* A durable write makes its own bytes durable and no others. */
static void a_durable_write_covers_itself(void **state) {
  (void)state;
  bool lost = false;
  for (uint64_t seed = 0; seed < 50; seed++) {
    struct fixture f = make_fixture();
    int file = open_at(&f, "/d/a");
    assert_int_equal(f.ops->allocate(f.disk, file, 4096), BL_OK);
    assert_int_equal(f.ops->sync(f.disk, file), BL_OK);
    assert_int_equal(f.ops->sync_dir(f.disk, "/d"), BL_OK);
    struct bl_slice part = BL_SLICE("x");
    assert_int_equal(f.ops->write_parts(f.disk, file, &part, 1, 0, false), BL_OK);
    assert_int_equal(f.ops->write_parts(f.disk, file, &part, 1, 1024, true), BL_OK);
    bl_disk_fake_fail(f.fake, BL_FAKE_SYNC, "", 0, 1, BL_ERR_IO);
    assert_int_equal(f.ops->write_parts(f.disk, file, &part, 1, 2048, true), BL_ERR_IO);
    f.ops->close(f.disk, file);
    crash(&f, seed);
    file = open_at(&f, "/d/a");
    assert_int_equal(byte_at(&f, file, 1024), 'x');
    if (byte_at(&f, file, 0) == 0 && byte_at(&f, file, 2048) == 0) lost = true;
    f.ops->close(f.disk, file);
    bl_disk_fake_free(f.fake);
  }
  assert_true(lost);
}

static void direct_writes_are_in_whole_blocks_and_leave_nothing_cached(void **state) {
  (void)state;
  struct fixture f = make_fixture();
  int file = open_at(&f, "/d/a");
  assert_int_equal(f.ops->allocate(f.disk, file, 16384), BL_OK);
  bl_disk_fake_set_cold(f.fake);
  bl_disk_fake_set_direct(f.fake, false);
  int direct = -1;
  unsigned flags = BL_OPEN_WRITE | BL_OPEN_DIRECT;
  assert_int_equal(f.ops->open(f.disk, "/d/a", flags, &direct, NULL), BL_ERR_PARAMETER);
  bl_disk_fake_set_direct(f.fake, true);
  assert_int_equal(f.ops->open(f.disk, "/d/a", flags, &direct, NULL), BL_OK);
  char *block = aligned_alloc(4096, 8192);
  assert_non_null(block);
  memset(block, 'b', 8192);
  struct bl_slice whole = bl_slice_of(block, 4096);
  struct bl_slice beside = bl_slice_of(block + 512, 4096);
  struct bl_slice less = bl_slice_of(block, 512);
  assert_int_equal(f.ops->write_parts(f.disk, direct, &whole, 1, 512, false), BL_ERR_IO);
  assert_int_equal(f.ops->write_parts(f.disk, direct, &beside, 1, 0, false), BL_ERR_IO);
  assert_int_equal(f.ops->write_parts(f.disk, direct, &less, 1, 0, false), BL_ERR_IO);
  assert_int_equal(f.ops->write(f.disk, direct, block, 4096, 0), BL_ERR_IO);
  assert_int_equal(f.ops->write_parts(f.disk, direct, &whole, 1, 4096, false), BL_OK);
  char byte;
  size_t got;
  assert_int_equal(f.ops->read(f.disk, direct, &byte, 1, 0, &got), BL_ERR_IO);
  assert_int_equal(f.ops->read_cached(f.disk, file, &byte, 1, 4096, &got), BL_ERR_COLD);
  assert_int_equal(byte_at(&f, file, 4096), 'b');
  assert_int_equal(f.ops->read_cached(f.disk, file, &byte, 1, 4096, &got), BL_OK);
  f.ops->close(f.disk, direct);
  f.ops->close(f.disk, file);
  free(block);
  bl_disk_fake_free(f.fake);
}

static void space_is_counted(void **state) {
  (void)state;
  struct fixture f = make_fixture();
  bl_disk_fake_set_free(f.fake, 1000);
  int file = open_at(&f, "/d/a");
  assert_int_equal(f.ops->allocate(f.disk, file, 1001), BL_ERR_NO_SPACE);
  assert_int_equal(f.ops->allocate(f.disk, file, 800), BL_OK);
  assert_int_equal(f.ops->write(f.disk, file, "x", 1, 10), BL_OK); /* in what is allocated */
  assert_int_equal(f.ops->write(f.disk, file, "x", 1, 1000), BL_ERR_NO_SPACE);
  int64_t total = 0;
  int64_t left = 0;
  assert_int_equal(f.ops->space(f.disk, "/d", &total, &left), BL_OK);
  assert_int_equal(left, 200);
  f.ops->close(f.disk, file);
  assert_int_equal(f.ops->remove(f.disk, "/d/a"), BL_OK);
  assert_int_equal(f.ops->space(f.disk, "/d", &total, &left), BL_OK);
  assert_int_equal(left, 1000);
  bl_disk_fake_free(f.fake);
}

static void a_dead_disk_answers_nothing_until_restart(void **state) {
  (void)state;
  struct fixture f = make_fixture();
  int file = open_at(&f, "/d/a");
  assert_int_equal(f.ops->lock(f.disk, file), BL_OK);
  bl_disk_fake_kill(f.fake);
  assert_int_equal(f.ops->write(f.disk, file, "x", 1, 0), BL_ERR_IO);
  assert_int_equal(f.ops->remove(f.disk, "/d/a"), BL_ERR_IO);
  assert_int_equal(f.ops->make_dir(f.disk, "/e", NULL), BL_ERR_IO);
  f.ops->close(f.disk, file);
  bl_disk_fake_restart(f.fake);
  assert_true(exists(&f, "/d/a")); /* a kill loses nothing */
  file = open_at(&f, "/d/a");
  assert_int_equal(f.ops->lock(f.disk, file), BL_OK);
  f.ops->close(f.disk, file);
  bl_disk_fake_free(f.fake);
}

/* A sync that lies keeps nothing; one that does not, everything. */
static void a_lying_sync_is_none(void **state) {
  (void)state;
  bool lost = false;
  for (uint64_t seed = 0; seed < 50; seed++) {
    struct fixture f = make_fixture();
    bl_disk_fake_lie(f.fake, "/d/a");
    int a = open_at(&f, "/d/a");
    int b = open_at(&f, "/d/b");
    assert_int_equal(f.ops->sync_dir(f.disk, "/d"), BL_OK);
    assert_int_equal(f.ops->write(f.disk, a, "x", 1, 0), BL_OK);
    assert_int_equal(f.ops->write(f.disk, b, "x", 1, 0), BL_OK);
    assert_int_equal(f.ops->sync(f.disk, a), BL_OK);
    assert_int_equal(f.ops->sync(f.disk, b), BL_OK);
    f.ops->close(f.disk, a);
    f.ops->close(f.disk, b);
    crash(&f, seed);
    struct bl_disk_stat info;
    assert_int_equal(f.ops->stat(f.disk, "/d/a", &info), BL_OK);
    lost = lost || info.size_bytes == 0;
    b = open_at(&f, "/d/b");
    assert_int_equal(byte_at(&f, b, 0), 'x');
    f.ops->close(f.disk, b);
    bl_disk_fake_free(f.fake);
  }
  assert_true(lost);
}

/* Between two writes of a sector the system may have written the first one back. */
static void a_sector_may_be_what_it_was_in_between(void **state) {
  (void)state;
  bool seen[3] = {false};
  for (uint64_t seed = 0; seed < 100; seed++) {
    struct fixture f = make_fixture();
    int file = open_at(&f, "/d/a");
    assert_int_equal(f.ops->sync_dir(f.disk, "/d"), BL_OK);
    assert_int_equal(f.ops->write(f.disk, file, "0", 1, 0), BL_OK);
    assert_int_equal(f.ops->sync(f.disk, file), BL_OK);
    assert_int_equal(f.ops->write(f.disk, file, "1", 1, 0), BL_OK);
    bl_disk_fake_write_back(f.fake, seed);
    assert_int_equal(f.ops->write(f.disk, file, "2", 1, 0), BL_OK);
    f.ops->close(f.disk, file);
    crash(&f, seed * 7);
    file = open_at(&f, "/d/a");
    seen[byte_at(&f, file, 0) - '0'] = true;
    f.ops->close(f.disk, file);
    bl_disk_fake_free(f.fake);
  }
  assert_true(seen[0] && seen[1] && seen[2]);
}

/* The copy crashes by itself; loose names come and go by themselves. */
static void a_clone_is_another_disk(void **state) {
  (void)state;
  bool seen[2][2] = {{false}};
  struct fixture f = make_fixture();
  f.ops->close(f.disk, open_at(&f, "/d/a"));
  f.ops->close(f.disk, open_at(&f, "/d/b"));
  for (uint64_t seed = 0; seed < 100; seed++) {
    struct fixture g = {.fake = bl_disk_fake_clone(f.fake)};
    g.disk = bl_disk_fake_disk(g.fake);
    g.ops = g.disk->ops;
    assert_true(exists(&g, "/d/a") && exists(&g, "/d/b"));
    bl_disk_fake_set_names_loose(g.fake, true);
    crash(&g, seed);
    seen[exists(&g, "/d/a")][exists(&g, "/d/b")] = true;
    bl_disk_fake_free(g.fake);
  }
  assert_true(seen[0][0] && seen[0][1] && seen[1][0] && seen[1][1]);
  assert_true(exists(&f, "/d/a") && exists(&f, "/d/b"));
  bl_disk_fake_free(f.fake);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(unsynced_sectors_are_old_or_new_independently),
      cmocka_unit_test(unsynced_names_may_go_and_go_in_order),
      cmocka_unit_test(a_failed_sync_loses_for_good),
      cmocka_unit_test(failures_are_counted_down_and_end),
      cmocka_unit_test(a_durable_write_covers_itself),
      cmocka_unit_test(direct_writes_are_in_whole_blocks_and_leave_nothing_cached),
      cmocka_unit_test(space_is_counted),
      cmocka_unit_test(a_lying_sync_is_none),
      cmocka_unit_test(a_sector_may_be_what_it_was_in_between),
      cmocka_unit_test(a_clone_is_another_disk),
      cmocka_unit_test(a_dead_disk_answers_nothing_until_restart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
