/* Topics with a retention of their own: what is kept, to the message, with chunks of the queue
 * index on the disk and not in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/retention/retention_testlib.h"

#define QUEUES 3
#define MESSAGES_MAX 8000

struct sent {
  int32_t queue_id;
  int64_t queue_offset;
  int64_t log_offset;
  int64_t store_ms;
};

struct model {
  struct rt rt;
  struct sent sent[MESSAGES_MAX];
  int count;
};

static void begin(struct model *m, const char *attributes) {
  m->count = 0;
  rt_begin(&m->rt);
  rt_topic(&m->rt, "Own", QUEUES, attributes);
  rt_topic(&m->rt, "Other", QUEUES, "{}");
}

static void send_some(struct model *m, int count, uint32_t bytes) {
  struct bl_why why;
  for (int i = 0; i < count; i++) {
    struct bl_sent sent;
    int32_t queue_id = m->count % 7 == 0 ? 2 : m->count % 2;
    bl_err err;
    while ((err = rt_send(&m->rt, "Own", queue_id, bytes, &sent, &why)) == BL_ERR_BUSY)
      rt_settle(&m->rt);
    if (err != BL_OK) fail_msg("%s", why.text);
    m->sent[m->count++] =
        (struct sent){queue_id, sent.queue_offset, sent.log_offset, m->rt.clock.now_wall_ms};
    while ((err = rt_send(&m->rt, "Other", i % QUEUES, 100, &sent, &why)) == BL_ERR_BUSY)
      rt_settle(&m->rt);
    if (m->count % 50 == 0) rt_settle(&m->rt);
  }
  rt_settle(&m->rt);
}

static int64_t min_of(struct model *m, int32_t queue_id) {
  struct bl_queue *queue = bl_queues_find(m->rt.broker->queues, BL_SLICE("Own"), queue_id);
  assert_non_null(queue);
  struct bl_queue_entry entry;
  uint32_t count;
  /* As a reader finds it. */
  assert_int_equal(bl_queue_read_blocking(queue, bl_queue_min_offset(queue), &entry, 1, &count),
                   BL_OK);
  return bl_queue_min_offset(queue);
}

/* Bytes of what is kept; each kept entry is the message that was sent. */
static int64_t kept_bytes(struct model *m) {
  int64_t bytes = 0;
  for (int32_t q = 0; q < QUEUES; q++) {
    struct bl_queue *queue = bl_queues_find(m->rt.broker->queues, BL_SLICE("Own"), q);
    int64_t at = min_of(m, q);
    while (at < bl_queue_max_offset(queue)) {
      struct bl_queue_entry entry;
      uint32_t count;
      assert_int_equal(bl_queue_read_blocking(queue, at, &entry, 1, &count), BL_OK);
      assert_int_equal(count, 1);
      assert_int_equal(entry.queue_offset, at);
      bytes += entry.size_bytes;
      at++;
    }
  }
  return bytes;
}

static void check_min(struct model *m, int64_t keep_ms) {
  for (int32_t q = 0; q < QUEUES; q++) {
    int64_t expected = 0;
    for (int i = 0; i < m->count; i++) {
      const struct sent *sent = &m->sent[i];
      if (sent->queue_id == q && sent->store_ms < m->rt.clock.now_wall_ms - keep_ms)
        expected = sent->queue_offset + 1;
    }
    assert_int_equal(min_of(m, q), expected);
  }
}

static void reopen_cold(struct model *m) {
  rt_close(&m->rt);
  bl_disk_fake_set_cold(m->rt.fake);
  rt_open(&m->rt);
}

static void time_is_kept_to_the_message(void **state) {
  (void)state;
  struct model *m = calloc(1, sizeof(*m));
  begin(m, "{\"retention.ms\":\"600000\"}");
  for (int i = 0; i < 12; i++) {
    send_some(m, 500, 50);
    if (i == 8) reopen_cold(m);
    rt_pass(&m->rt, 110000);
    check_min(m, 600000);
  }
  rt_pass(&m->rt, 610000);
  check_min(m, 600000);
  assert_int_equal(kept_bytes(m), 0);
  rt_end(&m->rt);
  free(m);
}

static void check_bytes(struct model *m, int64_t limit, int64_t record_bytes) {
  rt_pass(&m->rt, 10000);
  int64_t bytes = kept_bytes(m);
  assert_in_range(bytes, limit - record_bytes, limit);
  assert_int_equal(bytes, bl_topics_find(&m->rt.broker->topics, BL_SLICE("Own"))->kept_bytes);
  /* The newest of all queues: what is gone is older than what is kept, nearly. */
  int64_t newest_gone = 0;
  int64_t oldest_kept = INT64_MAX;
  for (int i = 0; i < m->count; i++) {
    const struct sent *sent = &m->sent[i];
    bool gone = sent->queue_offset < min_of(m, sent->queue_id);
    if (gone && sent->log_offset > newest_gone) newest_gone = sent->log_offset;
    if (!gone && sent->log_offset < oldest_kept) oldest_kept = sent->log_offset;
  }
  if (newest_gone > oldest_kept + limit / 4)
    fail_msg("queues are cut unevenly, by %d bytes", (int)(newest_gone - oldest_kept));
}

static void bytes_are_kept_to_the_message(void **state) {
  (void)state;
  struct model *m = calloc(1, sizeof(*m));
  begin(m, "{\"retention.bytes\":\"300000\"}");
  for (int i = 0; i < 4; i++) {
    send_some(m, 1500, 60);
    check_bytes(m, 300000, 400);
    if (i == 1) reopen_cold(m);
    if (i == 1) check_bytes(m, 300000, 400);
  }
  /* A smaller limit takes more; none takes nothing any more. */
  rt_topic(&m->rt, "Own", QUEUES, "{\"retention.bytes\":\"100000\"}");
  check_bytes(m, 100000, 400);
  rt_topic(&m->rt, "Own", QUEUES, "{}");
  int64_t bytes = kept_bytes(m);
  send_some(m, 1000, 60);
  rt_pass(&m->rt, 10000);
  assert_true(kept_bytes(m) > bytes + 200000);
  rt_end(&m->rt);
  free(m);
}

static void files_that_go_are_not_counted(void **state) {
  (void)state;
  struct model *m = calloc(1, sizeof(*m));
  begin(m, "{\"retention.bytes\":\"3000000\",\"retention.ms\":\"3000000\"}");
  rt_set(&m->rt, "retentionBytes", "1");
  for (int i = 0; i < 10; i++) {
    send_some(m, 600, 700);
    bl_store_snapshot_now(m->rt.broker->store);
    rt_pass(&m->rt, 20000);
    rt_pass(&m->rt, 10000);
    assert_int_equal(kept_bytes(m),
                     bl_topics_find(&m->rt.broker->topics, BL_SLICE("Own"))->kept_bytes);
  }
  assert_true(m->rt.broker->retention->removed_files > 3);
  rt_end(&m->rt);
  free(m);
}

static void what_went_stays_gone_after_kill(void **state) {
  (void)state;
  struct model *m = calloc(1, sizeof(*m));
  begin(m, "{\"retention.ms\":\"60000\"}");
  send_some(m, 1500, 50);
  rt_pass(&m->rt, 100000);
  check_min(m, 60000);
  bl_store_snapshot_now(m->rt.broker->store);
  rt_settle(&m->rt);
  int64_t before[QUEUES];
  for (int q = 0; q < QUEUES; q++) before[q] = min_of(m, q);
  assert_true(before[0] > 0);
  bl_disk_fake_kill(m->rt.fake);
  rt_close(&m->rt);
  bl_disk_fake_restart(m->rt.fake);
  rt_open(&m->rt);
  for (int q = 0; q < QUEUES; q++) assert_int_equal(min_of(m, q), before[q]);
  rt_end(&m->rt);
  free(m);
}

static void many_topics_are_visited_in_small_steps(void **state) {
  (void)state;
  struct model *m = calloc(1, sizeof(*m));
  char name[32];
  struct bl_sent sent;
  struct bl_why why;
  begin(m, "{\"retention.ms\":\"1000\"}");
  for (int i = 0; i < 300; i++) {
    snprintf(name, sizeof(name), "Many%d", i);
    rt_topic(&m->rt, name, 4, "{\"retention.ms\":\"1000\"}");
    assert_int_equal(rt_send(&m->rt, name, i % 4, 20, &sent, &why), BL_OK);
    rt_settle(&m->rt);
  }
  rt_pass(&m->rt, 20000);
  for (int i = 0; i < 300; i++) {
    snprintf(name, sizeof(name), "Many%d", i);
    struct bl_queue *queue = bl_queues_find(m->rt.broker->queues, bl_slice_text(name), i % 4);
    assert_int_equal(bl_queue_min_offset(queue), 1);
  }
  /* One that is deleted while it is visited harms nobody. */
  int64_t end;
  assert_int_equal(bl_broker_delete_topic(m->rt.broker, BL_SLICE("Many7"), &end), BL_OK);
  rt_pass(&m->rt, 20000);
  rt_end(&m->rt);
  free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(time_is_kept_to_the_message),
      cmocka_unit_test(bytes_are_kept_to_the_message),
      cmocka_unit_test(files_that_go_are_not_counted),
      cmocka_unit_test(what_went_stays_gone_after_kill),
      cmocka_unit_test(many_topics_are_visited_in_small_steps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
