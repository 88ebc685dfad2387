#include "broker/broker_testlib.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* After what it needs. */
#include <cmocka.h>

#define SEGMENT_BYTES (1 << 20)
#define RING_BYTES (1 << 20)
#define SETTLE_MAX 100000

static void open_broker(struct bt *bt) {
  struct bl_why why = {{0}};
  bl_timers_init(&bt->timers);
  bt->flush = bl_worker_new_inline();
  bt->pool = bl_worker_new_inline();
  struct bl_broker_world world = {.settings = &bt->settings,
                                  .clock = &bt->clock.clock,
                                  .timers = &bt->timers,
                                  .disk = bt->disk,
                                  .flush_worker = bt->flush,
                                  .pool = bt->pool,
                                  .seed = 1};
  if (bl_broker_open(&world, &bt->broker, &why) != BL_OK) fail_msg("%s", why.text);
  bt_settle(bt);
}

static void close_broker(struct bt *bt) {
  bt_settle(bt);
  bl_broker_close(bt->broker);
  bt->broker = NULL;
  bl_worker_free(bt->flush);
  bl_worker_free(bt->pool);
  bl_timers_fini(&bt->timers);
}

void bt_start(struct bt *bt) {
  memset(bt, 0, sizeof(*bt));
  bt->fake = bl_disk_fake_new();
  bt->disk = bl_disk_fake_disk(bt->fake);
  bl_clock_fake_init(&bt->clock, 1700000000000);
  bl_options_init(&bl_broker_options, &bt->settings);
  assert_int_equal(bl_options_set(&bl_broker_options, &bt->settings, BL_SLICE("storePathRootDir"),
                                  BL_SLICE("/data/store"), BL_OPTION_AT_START, NULL),
                   BL_OK);
  bt->settings.segment_bytes = SEGMENT_BYTES;
  bt->settings.ring_bytes = RING_BYTES;
  open_broker(bt);
}

void bt_stop(struct bt *bt) {
  close_broker(bt);
  bl_options_fini(&bl_broker_options, &bt->settings);
  bl_disk_fake_free(bt->fake);
}

void bt_restart(struct bt *bt) {
  close_broker(bt);
  open_broker(bt);
}

void bt_power_loss(struct bt *bt, uint64_t seed) {
  bl_disk_fake_power_loss(bt->fake, seed);
  close_broker(bt);
  bl_disk_fake_restart(bt->fake);
  open_broker(bt);
}

void bt_reopen_after_crash(struct bt *bt) {
  bl_broker_close(bt->broker);
  bt->broker = NULL;
  bl_worker_free(bt->flush);
  bl_worker_free(bt->pool);
  bl_timers_fini(&bt->timers);
  bl_disk_fake_restart(bt->fake);
  open_broker(bt);
}

void bt_cold(struct bt *bt) {
  bt_restart(bt);
  bl_disk_fake_set_cold(bt->fake);
}

void bt_settle(struct bt *bt) {
  size_t did = 1;
  for (int i = 0; did > 0; i++) {
    if (i == SETTLE_MAX) fail_msg("the broker does not come to rest");
    did = bl_broker_turn(bt->broker) ? 1 : 0;
    did += bl_worker_drain(bt->flush) + bl_worker_drain(bt->pool);
  }
}

void bt_pass(struct bt *bt, int64_t ms) {
  bt->clock.now_mono_ns += ms * 1000000;
  bt->clock.now_wall_ms += ms;
  bl_timers_run(&bt->timers, bl_clock_mono_ms(&bt->clock.clock), 100);
  bt_settle(bt);
}

void bt_send(struct bt *bt, const char *topic, int32_t queue_id, const char *properties,
             uint32_t body_bytes) {
  struct bl_sent sent;
  struct bl_why why = {{0}};
  char *body = malloc(body_bytes + 1);
  memset(body, 'x', body_bytes + 1);
  struct bl_send send = {.producer_group = BL_SLICE("PG"),
                         .topic = bl_slice_text(topic),
                         .default_topic = BL_SLICE("TBW102"),
                         .default_queues = 4,
                         .queue_id = queue_id,
                         .properties = bl_slice_text(properties),
                         .body = bl_slice_of(body, body_bytes),
                         .born_host = bt->broker->store_host,
                         .max_reconsume_times = -1,
                         .peer = ""};
  bl_err err = bl_broker_send(bt->broker, &send, &sent, &why);
  free(body);
  if (err != BL_OK) fail_msg("send: %s %s", bl_err_name(err), why.text);
  bt_settle(bt);
}

void bt_send_batch(struct bt *bt, const char *topic, int32_t queue_id, uint32_t count) {
  char properties[32];
  struct bl_queue *queue = bt_queue(bt, topic, queue_id);
  int len = snprintf(properties, sizeof(properties), "INNER_NUM\1%u\2", count);
  struct bl_record record = {.topic = bl_slice_text(topic),
                             .queue_id = queue_id,
                             .queue_offset = bl_queue_assign(queue, count),
                             .sys_flag = BL_SYS_INNER_BATCH,
                             .born_host = bt->broker->store_host,
                             .store_host = bt->broker->store_host,
                             .properties = bl_slice_of(properties, (size_t)len),
                             .body = BL_SLICE("batch")};
  assert_int_equal(bl_store_append(bt->broker->store, &record), BL_OK);
  bt_settle(bt);
}

struct bl_queue *bt_queue(struct bt *bt, const char *topic, int32_t queue_id) {
  struct bl_topic *of = bl_topics_find(&bt->broker->topics, bl_slice_text(topic));
  struct bl_queue *queue = NULL;
  assert_non_null(of);
  assert_int_equal(bl_broker_open_queue(bt->broker, of, queue_id, &queue), BL_OK);
  return queue;
}
