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

#include "base/bytes.h"
#include "store/store_testlib.h"
#include "store/takeover.h"

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

/* A consume queue of Java's with units for messages of the log: {log offset, size, tags code};
 * zeros behind. */
static void put_queue(struct st *st, const char *path, const int64_t (*units)[2], int count) {
  struct bl_buf bytes;
  char folder[200];
  bl_buf_init(&bytes, 0);
  for (int i = 0; i < count; i++) {
    bl_buf_put_u64(&bytes, (uint64_t)units[i][0]);
    bl_buf_put_u32(&bytes, (uint32_t)units[i][1]);
    bl_buf_put_u64(&bytes, 7);
  }
  for (int i = 0; i < 100; i++) bl_buf_put_u32(&bytes, 0);
  snprintf(folder, sizeof(folder), "%s", path);
  *strrchr(folder, '/') = 0;
  assert_int_equal(st->disk->ops->make_dir(st->disk, folder, NULL), BL_OK);
  assert_int_equal(bl_disk_replace_file(st->disk, path, bl_buf_slice(&bytes), false, NULL), BL_OK);
  bl_buf_fini(&bytes);
}

#define CQ_FILE "/consumequeue/TopicTest/3/00000000000000000000"

/* What a Java broker leaves that dispatched messages [0, count). */
static void put_java_queue(struct st *st, int64_t count) {
  int64_t units[64][2];
  assert_true(count <= 64);
  for (int64_t i = 0; i < count; i++) {
    char size[4];
    units[i][0] = st->toy.at[i] - 1;
    assert_int_equal(bl_store_read_blocking(st->store, units[i][0], 4, size), BL_OK);
    units[i][1] = bl_load_u32(size);
  }
  put_queue(st, ST_DIR CQ_FILE, units, (int)count);
  put_file(st, ST_DIR "/index/20260101000000000", "index");
  put_file(st, ST_DIR "/checkpoint", "ck");
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

/* As it was found, but for the checkpoint. */
static void check_kept(struct st *st) {
  static const char *const kept[] = {
      "/consumequeue/TopicTest/0/00000000000000000000",
      "/consumequeue_ext/TopicTest/0/00000000000000000000",
      "/batchconsumequeue/T/0/00000000000000000000",
      "/index/20260101000000000",
      "/timerwheel",
      "/config/topics.json",
  };
  for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
    char path[300];
    snprintf(path, sizeof(path), ST_DIR "%s", kept[i]);
    if (!exists(st, path)) fail_msg("%s is gone", path);
  }
  assert_false(exists(st, ST_DIR "/checkpoint"));
  assert_true(exists(st, ST_DIR "/abort"));
}

static void only_the_checkpoint_is_moved_aside(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  put_java_files(&st);
  st_open(&st);
  char path[400];
  char aside[300];
  find_aside(&st, aside);
  snprintf(path, sizeof(path), "%s/checkpoint", aside);
  assert_true(exists(&st, path));
  check_kept(&st);
  assert_non_null(strstr(st.note, "store.takeover"));
  fill(&st, 5);
  st_kill(&st);
  st_open(&st);
  check_kept(&st);
  st_fini(&st);
}

static void queues_stay_while_java_can_go_on_from_them(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 20);
  put_java_queue(&st, 20);
  st_close(&st);
  st_open(&st);
  assert_true(exists(&st, ST_DIR CQ_FILE));
  /* The file in which they end is the first one: 8 more may follow. */
  while (bl_store_marks(st.store).flushed < 8 * 65536) fill(&st, 4);
  st_pass(&st, 1000);
  assert_true(exists(&st, ST_DIR CQ_FILE));
  st_kill(&st);
  st_open(&st);
  assert_true(exists(&st, ST_DIR CQ_FILE));
  while (bl_store_marks(st.store).flushed < 9 * 65536) fill(&st, 4);
  st_pass(&st, 1000);
  assert_false(exists(&st, ST_DIR "/consumequeue"));
  assert_false(exists(&st, ST_DIR "/index"));
  assert_non_null(strstr(st.note, "too far behind"));
  st_kill(&st);
  st_open(&st);
  st_pass(&st, 2000);
  st_check_prefix(&st, st.next);
  st_fini(&st);
}

/* The process died before it moved them: the start does. */
static void queues_that_are_too_far_behind_go_at_start(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 20);
  put_java_queue(&st, 20);
  while (bl_store_marks(st.store).flushed < 9 * 65536) fill(&st, 4);
  st_close(&st);
  st_open(&st);
  assert_false(exists(&st, ST_DIR "/consumequeue"));
  assert_false(exists(&st, ST_DIR "/checkpoint"));
  st_fini(&st);
}

/* Java's queues speak of messages that a power loss took: others will be there. */
static void queues_that_know_more_than_the_log_are_moved_aside(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 20);
  put_java_queue(&st, 20);
  int64_t cut = st.toy.at[12] - 1;
  st_close(&st);
  char zeros[65536] = {0};
  st_damage(&st, cut, zeros, 65536 - (size_t)cut);
  st_open(&st);
  assert_int_equal(bl_store_marks(st.store).appended, cut);
  char aside[300];
  char path[400];
  find_aside(&st, aside);
  snprintf(path, sizeof(path), "%s" CQ_FILE, aside);
  assert_true(exists(&st, path));
  assert_false(exists(&st, ST_DIR "/consumequeue"));
  assert_false(exists(&st, ST_DIR "/index"));
  assert_false(exists(&st, ST_DIR "/checkpoint"));
  st_fini(&st);
}

/* What we noted of their end is of an earlier visit. */
static void they_are_looked_at_again_when_java_was_here_again(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 20);
  put_java_queue(&st, 5);
  st_close(&st);
  st_open(&st);
  assert_true(exists(&st, ST_DIR CQ_FILE));
  put_java_queue(&st, 20);
  int64_t cut = st.toy.at[12] - 1;
  st_close(&st);
  char zeros[65536] = {0};
  st_damage(&st, cut, zeros, 65536 - (size_t)cut);
  st_open(&st);
  assert_false(exists(&st, ST_DIR "/consumequeue"));
  st_fini(&st);
}

/* The same under us: the log was durable, and is shorter now. */
static void a_log_that_became_shorter_under_us_counts_too(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 20);
  put_java_queue(&st, 20);
  st_close(&st);
  st_open(&st);
  st_close(&st);
  char zeros[65536] = {0};
  int64_t cut = st.toy.at[12] - 1;
  st_damage(&st, cut, zeros, 65536 - (size_t)cut);
  st_open(&st);
  assert_int_equal(bl_store_marks(st.store).appended, cut);
  assert_false(exists(&st, ST_DIR "/consumequeue"));
  st_fini(&st);
}

static void how_far_the_queues_reach(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  struct bl_log log = {.disk = st.disk, .settings = st.settings};
  struct bl_why why;
  int64_t end = 0;
  assert_int_equal(bl_takeover_queues_end(&log, &end, &why), BL_OK);
  assert_int_equal(end, -1);
  /* Room before the first message counts for nothing; what follows a unit without a size, too. */
  int64_t first[][2] = {{0, INT32_MAX}, {0, INT32_MAX}, {1000, 100}, {1500, 50}, {0, 0}, {9000, 9}};
  put_queue(&st, ST_DIR "/consumequeue/A/0/00000000000000000000", first, 6);
  assert_int_equal(bl_takeover_queues_end(&log, &end, &why), BL_OK);
  assert_int_equal(end, 1550);
  /* The newest file counts, unless it was only made ahead. */
  int64_t second[][2] = {{2000, 10}};
  put_queue(&st, ST_DIR "/consumequeue/A/1/00000000000000000000", first, 4);
  put_queue(&st, ST_DIR "/consumequeue/A/1/00000000000006000000", second, 1);
  put_queue(&st, ST_DIR "/consumequeue/A/1/00000000000012000000", NULL, 0);
  put_file(&st, ST_DIR "/consumequeue/a file", "x");
  put_file(&st, ST_DIR "/consumequeue/A/a file", "x");
  assert_int_equal(bl_takeover_queues_end(&log, &end, &why), BL_OK);
  assert_int_equal(end, 2010);
  /* More units than are read at once; a batch queue has units of 46 bytes. */
  struct bl_buf bytes;
  bl_buf_init(&bytes, 0);
  for (uint64_t i = 1; i <= 5000; i++) {
    bl_buf_put_u64(&bytes, i * 1000);
    bl_buf_put_u32(&bytes, 7);
    for (int k = 0; k < 34; k++) bl_buf_put_u8(&bytes, 1);
  }
  put_file(&st, ST_DIR "/batchconsumequeue/B/0/00000000000000000000", "");
  assert_int_equal(
      bl_disk_replace_file(st.disk, ST_DIR "/batchconsumequeue/B/0/00000000000000000000",
                           bl_buf_slice(&bytes), false, NULL),
      BL_OK);
  bl_buf_fini(&bytes);
  assert_int_equal(bl_takeover_queues_end(&log, &end, &why), BL_OK);
  assert_int_equal(end, 5000007);
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
    check_kept(&st);
    st_open(&st);
    st_check_prefix(&st, 2);
    st_fini(&st);
  }
}

/* Java's queues speak of more than the log has, and the machine dies at any point of the start:
 * they are never there again without the checkpoint, which makes the next start look at them. */
static void power_loss_between_the_moves(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 200; seed++) {
    print_message("seed %d\r", (int)seed);
    struct st st;
    st_init(&st);
    int64_t units[][2] = {{100, 100}};
    put_queue(&st, ST_DIR CQ_FILE, units, 1);
    put_file(&st, ST_DIR "/index/20260101000000000", "index");
    put_file(&st, ST_DIR "/checkpoint", "ck");
    enum bl_disk_fake_op op = seed % 2 == 0 ? BL_FAKE_RENAME : BL_FAKE_SYNC_DIR;
    bl_disk_fake_fail(st.fake, op, ST_DIR, (int64_t)(seed / 2 % 7), -1, BL_ERR_IO);
    struct bl_why why = {""};
    if (st_try_open(&st, &why) == BL_OK) bl_store_close(st.store);
    bl_disk_fake_power_loss(st.fake, seed);
    bl_disk_fake_restart(st.fake);
    assert_true(!exists(&st, ST_DIR "/consumequeue") || exists(&st, ST_DIR "/checkpoint"));
    st.store = NULL;
    bl_disk_fake_fail(st.fake, op, "", -1, 0, BL_OK);
    st_open(&st);
    assert_true(exists(&st, ST_DIR "/abort"));
    assert_false(exists(&st, ST_DIR "/checkpoint"));
    assert_false(exists(&st, ST_DIR "/consumequeue"));
    st_fini(&st);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_abort_file_is_there_while_open_and_after),
      cmocka_unit_test(only_the_checkpoint_is_moved_aside),
      cmocka_unit_test(queues_stay_while_java_can_go_on_from_them),
      cmocka_unit_test(queues_that_are_too_far_behind_go_at_start),
      cmocka_unit_test(queues_that_know_more_than_the_log_are_moved_aside),
      cmocka_unit_test(they_are_looked_at_again_when_java_was_here_again),
      cmocka_unit_test(a_log_that_became_shorter_under_us_counts_too),
      cmocka_unit_test(how_far_the_queues_reach),
      cmocka_unit_test(what_java_added_is_replayed),
      cmocka_unit_test(a_log_that_java_wrote_anew_is_read_whole),
      cmocka_unit_test(what_java_cut_off_stays_gone),
      cmocka_unit_test(power_loss_while_taking_over_never_looks_like_a_clean_java_store),
      cmocka_unit_test(power_loss_between_the_moves),
  };
  return st_run(tests, sizeof(tests) / sizeof(tests[0]));
}
