/* The same claims on the real and on the fake disk: the fake is worth nothing where they differ. */
#include "os/disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/fake/disk_fake.h"

struct place {
  struct bl_disk *disk;
  struct bl_disk_fake *fake; /* NULL: the real one */
  char dir[200];
};

static struct place open_place(bool is_fake) {
  struct place place = {.disk = bl_disk_real()};
  const char *tmp = getenv("TMPDIR");
  snprintf(place.dir, sizeof(place.dir), "%s/bolide-disk-XXXXXX", tmp != NULL ? tmp : "/tmp");
  if (!is_fake) {
    assert_non_null(mkdtemp(place.dir));
    return place;
  }
  place.fake = bl_disk_fake_new();
  place.disk = bl_disk_fake_disk(place.fake);
  assert_int_equal(place.disk->ops->make_dir(place.disk, place.dir, NULL), BL_OK);
  return place;
}

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

static void close_place(struct place *place) {
  remove_tree(place->disk, place->dir);
  bl_disk_fake_free(place->fake);
}

static const char *in(const struct place *place, const char *name) {
  static char path[2][300];
  static int turn;
  turn = !turn;
  snprintf(path[turn], sizeof(path[turn]), "%s/%s", place->dir, name);
  return path[turn];
}

static int open_file(struct place *place, const char *name, unsigned flags) {
  int file = -1;
  bl_err err = place->disk->ops->open(place->disk, in(place, name), flags, &file, NULL);
  assert_int_equal(err, BL_OK);
  return file;
}

static void bytes_come_back(struct bl_disk *disk, struct place *place) {
  int file = open_file(place, "a", BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE);
  assert_int_equal(disk->ops->allocate(disk, file, 4096), BL_OK);
  int64_t size = 0;
  assert_int_equal(disk->ops->size(disk, file, &size), BL_OK);
  assert_int_equal(size, 4096);
  assert_int_equal(disk->ops->write(disk, file, "hello", 5, 1000), BL_OK);
  char back[16];
  size_t got = 0;
  assert_int_equal(disk->ops->read(disk, file, back, 7, 999, &got), BL_OK);
  assert_int_equal(got, 7);
  assert_memory_equal(back, "\0hello\0", 7);
  assert_int_equal(disk->ops->read_cached(disk, file, back, 5, 1000, &got), BL_OK);
  assert_memory_equal(back, "hello", 5);
  assert_int_equal(disk->ops->read(disk, file, back, 16, 4090, &got), BL_OK);
  assert_int_equal(got, 6);
  assert_int_equal(disk->ops->read_cached(disk, file, back, 16, 4090, &got), BL_OK);
  assert_int_equal(got, 6);
  int64_t from = 0;
  int64_t to = 0;
  assert_int_equal(disk->ops->next_data(disk, file, 0, &from, &to), BL_OK);
  assert_true(from <= 1000 && to >= 1005);
  assert_int_equal(disk->ops->next_data(disk, file, 4096, &from, &to), BL_OK);
  assert_int_equal(from, 4096);
  assert_int_equal(to, 4096);
  assert_int_equal(disk->ops->sync(disk, file), BL_OK);
  assert_int_equal(disk->ops->truncate(disk, file, 1002), BL_OK);
  assert_int_equal(disk->ops->truncate(disk, file, 1010), BL_OK);
  assert_int_equal(disk->ops->read(disk, file, back, 16, 1000, &got), BL_OK);
  assert_int_equal(got, 10);
  assert_memory_equal(back, "he\0\0\0\0\0\0\0\0", 10);
  disk->ops->close(disk, file);
  disk->ops->close(disk, -1);
}

static void parts_are_written_in_a_row(struct bl_disk *disk, struct place *place) {
  int file = open_file(place, "a", BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE);
  struct bl_slice parts[] = {BL_SLICE("one"), BL_SLICE(""), BL_SLICE("two"), BL_SLICE("three")};
  assert_int_equal(disk->ops->write_parts(disk, file, parts, 4, 10, false), BL_OK);
  assert_int_equal(disk->ops->write_parts(disk, file, parts, 1, 30, true), BL_OK);
  assert_int_equal(disk->ops->write_parts(disk, file, parts, 0, 50, true), BL_OK);
  char back[64];
  size_t got = 0;
  assert_int_equal(disk->ops->read(disk, file, back, sizeof(back), 9, &got), BL_OK);
  assert_int_equal(got, 24);
  assert_memory_equal(back, "\0onetwothree\0\0\0\0\0\0\0\0\0one", 24);
  disk->ops->close(disk, file);
}

/* Where the file system has them at all. */
static void direct_writes_are_seen_by_others(struct bl_disk *disk, struct place *place) {
  char *block = aligned_alloc(BL_DISK_DIRECT_BYTES, 2 * BL_DISK_DIRECT_BYTES);
  assert_non_null(block);
  memset(block, 'd', 2 * BL_DISK_DIRECT_BYTES);
  int file = open_file(place, "a", BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE);
  assert_int_equal(disk->ops->allocate(disk, file, 4 * BL_DISK_DIRECT_BYTES), BL_OK);
  assert_int_equal(disk->ops->write(disk, file, "cached", 6, BL_DISK_DIRECT_BYTES), BL_OK);
  assert_int_equal(disk->ops->sync(disk, file), BL_OK);
  int direct = -1;
  struct bl_why why = {""};
  bl_err err = disk->ops->open(disk, in(place, "a"), BL_OPEN_WRITE | BL_OPEN_DIRECT, &direct, &why);
  if (err == BL_ERR_PARAMETER) {
    assert_non_null(strstr(why.text, "no direct writes"));
  } else {
    assert_int_equal(err, BL_OK);
    struct bl_slice parts[] = {bl_slice_of(block, BL_DISK_DIRECT_BYTES),
                               bl_slice_of(block, BL_DISK_DIRECT_BYTES)};
    err = disk->ops->write_parts(disk, direct, parts, 2, BL_DISK_DIRECT_BYTES, true);
    assert_int_equal(err, BL_OK);
    char back[8];
    size_t got = 0;
    assert_int_equal(disk->ops->read(disk, file, back, 8, BL_DISK_DIRECT_BYTES - 2, &got), BL_OK);
    assert_memory_equal(back, "\0\0dddddd", 8);
    assert_int_equal(disk->ops->sync(disk, direct), BL_OK);
    disk->ops->close(disk, direct);
  }
  disk->ops->close(disk, file);
  free(block);
}

static void names_come_and_go(struct bl_disk *disk, struct place *place) {
  struct bl_why why = {""};
  int file = -1;
  assert_int_equal(disk->ops->open(disk, in(place, "no"), BL_OPEN_READ, &file, &why),
                   BL_ERR_NOT_FOUND);
  assert_non_null(strstr(why.text, "/no"));
  assert_int_equal(disk->ops->make_dir(disk, in(place, "x/y"), NULL), BL_OK);
  assert_int_equal(disk->ops->make_dir(disk, in(place, "x/y"), NULL), BL_OK);
  disk->ops->close(disk, open_file(place, "x/b", BL_OPEN_WRITE | BL_OPEN_CREATE));
  disk->ops->close(disk, open_file(place, "x/a", BL_OPEN_WRITE | BL_OPEN_CREATE));
  assert_int_equal(disk->ops->rename(disk, in(place, "x/b"), in(place, "x/y/c")), BL_OK);
  assert_int_equal(disk->ops->rename(disk, in(place, "x/b"), in(place, "x/d")), BL_ERR_NOT_FOUND);
  struct bl_arena arena;
  bl_arena_init(&arena);
  const char *const *names;
  size_t count = 0;
  assert_int_equal(disk->ops->list(disk, in(place, "x"), &arena, &names, &count), BL_OK);
  assert_int_equal(count, 2);
  assert_string_equal(names[0], "a");
  assert_string_equal(names[1], "y");
  assert_int_equal(disk->ops->list(disk, in(place, "z"), &arena, &names, &count), BL_ERR_NOT_FOUND);
  bl_arena_fini(&arena);
  struct bl_disk_stat info;
  assert_int_equal(disk->ops->stat(disk, in(place, "x/y"), &info), BL_OK);
  assert_true(info.is_dir);
  assert_int_equal(disk->ops->remove(disk, in(place, "x/y")), BL_ERR_EXISTS);
  assert_int_equal(disk->ops->rename(disk, in(place, "x"), in(place, "moved")), BL_OK);
  assert_int_equal(disk->ops->stat(disk, in(place, "moved/y/c"), &info), BL_OK);
  assert_false(info.is_dir);
  assert_int_equal(disk->ops->sync_dir(disk, place->dir), BL_OK);
}

static void the_lock_is_held_once(struct bl_disk *disk, struct place *place) {
  int one = open_file(place, "lock", BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE);
  int two = open_file(place, "lock", BL_OPEN_READ | BL_OPEN_WRITE);
  assert_int_equal(disk->ops->lock(disk, one), BL_OK);
  assert_int_equal(disk->ops->lock(disk, two), BL_ERR_LOCKED);
  disk->ops->close(disk, open_file(place, "lock", BL_OPEN_READ)); /* loses nothing */
  assert_int_equal(disk->ops->lock(disk, two), BL_ERR_LOCKED);
  disk->ops->close(disk, one);
  assert_int_equal(disk->ops->lock(disk, two), BL_OK);
  disk->ops->close(disk, two);
}

static void files_are_replaced_whole(struct bl_disk *disk, struct place *place) {
  struct bl_arena arena;
  bl_arena_init(&arena);
  struct bl_slice bytes;
  char path[300];
  snprintf(path, sizeof(path), "%s/f.json", place->dir);
  assert_int_equal(bl_disk_read_file(disk, path, 100, &arena, &bytes), BL_ERR_NOT_FOUND);
  assert_int_equal(bl_disk_replace_file(disk, path, BL_SLICE("first"), true, NULL), BL_OK);
  assert_int_equal(bl_disk_replace_file(disk, path, BL_SLICE("second"), true, NULL), BL_OK);
  assert_int_equal(bl_disk_read_file(disk, path, 100, &arena, &bytes), BL_OK);
  assert_true(bl_slice_is(bytes, "second"));
  assert_int_equal(bytes.ptr[bytes.len], 0);
  assert_int_equal(bl_disk_read_file(disk, path, 5, &arena, &bytes), BL_ERR_FULL);
  assert_int_equal(bl_disk_read_file(disk, in(place, "f.json.bak"), 100, &arena, &bytes), BL_OK);
  assert_true(bl_slice_is(bytes, "first"));
  const char *const *names;
  size_t count = 0;
  assert_int_equal(disk->ops->list(disk, place->dir, &arena, &names, &count), BL_OK);
  assert_int_equal(count, 2); /* no temporary file stays */
  bl_arena_fini(&arena);
}

static void on_both(void (*claim)(struct bl_disk *disk, struct place *place)) {
  for (int is_fake = 0; is_fake < 2; is_fake++) {
    struct place place = open_place(is_fake == 1);
    claim(place.disk, &place);
    close_place(&place);
  }
}

static void test_bytes(void **state) {
  (void)state;
  on_both(bytes_come_back);
}
static void test_parts(void **state) {
  (void)state;
  on_both(parts_are_written_in_a_row);
}
static void test_direct(void **state) {
  (void)state;
  on_both(direct_writes_are_seen_by_others);
}
static void test_names(void **state) {
  (void)state;
  on_both(names_come_and_go);
}
static void test_lock(void **state) {
  (void)state;
  on_both(the_lock_is_held_once);
}
static void test_replace(void **state) {
  (void)state;
  on_both(files_are_replaced_whole);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bytes), cmocka_unit_test(test_parts), cmocka_unit_test(test_direct),
      cmocka_unit_test(test_names), cmocka_unit_test(test_lock),  cmocka_unit_test(test_replace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
