/* A directory that a Java broker wrote, and what we leave for it. */
#include "store/takeover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/store_testlib.h"

static bool exists(struct st *st, const char *path) {
  struct bl_disk_stat info;
  return st->disk->ops->stat(st->disk, path, &info) == BL_OK;
}

static void put_file(struct st *st, const char *path, const char *text) {
  char folder[200];
  snprintf(folder, sizeof(folder), "%s", path);
  *strrchr(folder, '/') = 0;
  assert_int_equal(st->disk->ops->make_dir(st->disk, folder, NULL), BL_OK);
  assert_int_equal(bl_disk_replace_file(st->disk, path, bl_slice_text(text), false, NULL), BL_OK);
}

/* What a Java broker leaves after a clean stop, on top of a log. */
static void put_java_files(struct st *st) {
  put_file(st, ST_DIR "/consumequeue/TopicTest/0/00000000000000000000", "cq");
  put_file(st, ST_DIR "/consumequeue_ext/TopicTest/0/00000000000000000000", "ext");
  put_file(st, ST_DIR "/batchconsumequeue/T/0/00000000000000000000", "bcq");
  put_file(st, ST_DIR "/index/20260101000000000", "index");
  put_file(st, ST_DIR "/checkpoint", "ck");
  put_file(st, ST_DIR "/timerwheel", "wheel");
  put_file(st, ST_DIR "/config/topics.json", "{}");
}

static void fill(struct st *st, int count) {
  for (int i = 0; i < count; i++) st_send(st, 500);
  st_settle(st);
}

static void find_aside(struct st *st, char out_path[300]) {
  struct bl_arena arena;
  bl_arena_init(&arena);
  const char *const *names;
  size_t count = 0;
  assert_int_equal(st->disk->ops->list(st->disk, ST_DIR "/bolide/aside", &arena, &names, &count),
                   BL_OK);
  assert_int_equal(count, 1);
  assert_memory_equal(names[0], "java-", 5);
  snprintf(out_path, 300, ST_DIR "/bolide/aside/%s", names[0]);
  bl_arena_fini(&arena);
}

static void an_abort_file_is_there_while_open_and_after(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  assert_true(exists(&st, ST_DIR "/abort"));
  assert_true(exists(&st, ST_DIR "/lock"));
  fill(&st, 3);
  st_close(&st);
  assert_true(exists(&st, ST_DIR "/abort"));
  assert_false(exists(&st, ST_DIR "/checkpoint"));
  st_fini(&st);
}

static void derived_files_are_moved_aside(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  put_java_files(&st);
  st_open(&st);
  char aside[300];
  find_aside(&st, aside);
  static const char *const moved[] = {"consumequeue/TopicTest/0/00000000000000000000",
                                      "consumequeue_ext/TopicTest/0/00000000000000000000",
                                      "batchconsumequeue/T/0/00000000000000000000",
                                      "index/20260101000000000", "checkpoint"};
  for (size_t i = 0; i < sizeof(moved) / sizeof(moved[0]); i++) {
    char path[400];
    snprintf(path, sizeof(path), ST_DIR "/%s", moved[i]);
    assert_false(exists(&st, path));
    snprintf(path, sizeof(path), "%s/%s", aside, moved[i]);
    assert_true(exists(&st, path));
  }
  assert_true(exists(&st, ST_DIR "/timerwheel"));
  assert_true(exists(&st, ST_DIR "/config/topics.json"));
  assert_non_null(strstr(st.note, "store.takeover"));
  st_fini(&st);
}

/* Java went on with our log: what we know of it stays, what Java added is replayed. */
static void what_java_added_is_replayed(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 20);
  st_close(&st);
  /* Java's part, played by a second store that keeps no snapshot of ours. */
  char kept[1 << 16];
  int file = -1;
  size_t len = 0;
  st.disk->ops->open(st.disk, ST_DIR "/bolide/toy.snapshot", BL_OPEN_READ, &file, NULL);
  st.disk->ops->read(st.disk, file, kept, sizeof(kept), 0, &len);
  st.disk->ops->close(st.disk, file);
  char checkpoint[5000];
  size_t checkpoint_len = 0;
  st.disk->ops->open(st.disk, ST_DIR "/bolide/log.checkpoint", BL_OPEN_READ, &file, NULL);
  st.disk->ops->read(st.disk, file, checkpoint, sizeof(checkpoint), 0, &checkpoint_len);
  st.disk->ops->close(st.disk, file);
  st_open(&st);
  fill(&st, 10);
  st_close(&st);
  assert_int_equal(bl_disk_replace_file(st.disk, ST_DIR "/bolide/toy.snapshot",
                                        bl_slice_of(kept, len), false, NULL),
                   BL_OK);
  assert_int_equal(bl_disk_replace_file(st.disk, ST_DIR "/bolide/log.checkpoint",
                                        bl_slice_of(checkpoint, checkpoint_len), false, NULL),
                   BL_OK);
  put_java_files(&st);
  st.toy.shown = 0;
  st_open(&st);
  assert_int_equal(st.toy.discards, 0);
  assert_int_equal(st.toy.shown, 10);
  st_check_prefix(&st, 30);
  st_fini(&st);
}

/* Java cut our log and wrote other records: the snapshot must not be believed. */
static void a_log_that_java_wrote_anew_is_read_whole(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 20);
  int64_t cut = st.toy.at[12] - 1;
  st_close(&st);
  char zeros[65536] = {0};
  st_damage(&st, cut, zeros, 65536 - (size_t)cut);
  put_java_files(&st);
  st_open(&st);
  assert_int_equal(st.toy.discards, 1);
  assert_int_equal(st_check_prefix(&st, 0), 12);
  assert_int_equal(bl_store_marks(st.store).appended, cut);
  st_fini(&st);
}

/* What Java cut off lies behind its last record: it must not come back as ours. */
static void what_java_cut_off_stays_gone(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 20);
  int64_t cut = st.toy.at[12] - 1;
  st_pass(&st, 1000); /* our checkpoint says: durable up to 20 */
  st_kill(&st);
  st_damage(&st, cut + 4, "\0\0\0\0", 4); /* Java ends here; 13..19 lie behind as they were */
  put_java_files(&st);
  st_open(&st);
  assert_int_equal(st_check_prefix(&st, 0), 12);
  assert_int_equal(bl_store_marks(st.store).appended, cut);
  st.next = 12;
  fill(&st, 1);
  st_kill(&st);
  st_open(&st);
  assert_int_equal(st_check_prefix(&st, 13), 13);
  st_fini(&st);
}

static void power_loss_while_taking_over_never_looks_like_a_clean_java_store(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 100; seed++) {
    print_message("seed %d\r", (int)seed);
    struct st st;
    st_init(&st);
    put_java_files(&st);
    st_open(&st);
    fill(&st, 2);
    st_power_loss(&st, seed);
    assert_true(exists(&st, ST_DIR "/abort"));
    assert_false(exists(&st, ST_DIR "/checkpoint"));
    assert_false(exists(&st, ST_DIR "/consumequeue"));
    st_open(&st);
    st_check_prefix(&st, 2);
    st_fini(&st);
  }
}

/* Whatever of the moves survives: a directory without Java's derived files has the abort file. */
static void power_loss_between_the_moves(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 200; seed++) {
    print_message("seed %d\r", (int)seed);
    struct st st;
    st_init(&st);
    put_java_files(&st);
    enum bl_disk_fake_op op = seed % 2 == 0 ? BL_FAKE_RENAME : BL_FAKE_SYNC_DIR;
    bl_disk_fake_fail(st.fake, op, ST_DIR, (int64_t)(seed / 2 % 7), -1, BL_ERR_IO);
    struct bl_why why = {""};
    if (st_try_open(&st, &why) == BL_OK) bl_store_close(st.store);
    bl_disk_fake_power_loss(st.fake, seed);
    bl_disk_fake_restart(st.fake);
    bool whole = exists(&st, ST_DIR "/checkpoint") && exists(&st, ST_DIR "/index") &&
                 exists(&st, ST_DIR "/consumequeue");
    assert_true(whole || exists(&st, ST_DIR "/abort"));
    st.store = NULL;
    bl_disk_fake_fail(st.fake, op, "", -1, 0, BL_OK);
    st_open(&st);
    assert_false(exists(&st, ST_DIR "/checkpoint"));
    st_fini(&st);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_abort_file_is_there_while_open_and_after),
      cmocka_unit_test(derived_files_are_moved_aside),
      cmocka_unit_test(what_java_added_is_replayed),
      cmocka_unit_test(a_log_that_java_wrote_anew_is_read_whole),
      cmocka_unit_test(what_java_cut_off_stays_gone),
      cmocka_unit_test(power_loss_while_taking_over_never_looks_like_a_clean_java_store),
      cmocka_unit_test(power_loss_between_the_moves),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
