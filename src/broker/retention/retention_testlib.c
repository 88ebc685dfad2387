#include "broker/retention/retention_testlib.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

void rt_set(struct rt *rt, const char *name, const char *value) {
  struct bl_why why = {""};
  if (bl_options_set(&bl_broker_options, &rt->settings, bl_slice_text(name), bl_slice_text(value),
                     BL_OPTION_AT_START, &why) != BL_OK)
    fail_msg("%s", why.text);
}

void rt_open(struct rt *rt) {
  struct bl_why why = {""};
  struct bl_broker_world world = {.settings = &rt->settings,
                                  .clock = &rt->clock.clock,
                                  .timers = &rt->timers,
                                  .disk = bl_disk_fake_disk(rt->fake),
                                  .flush_worker = rt->flush,
                                  .pool = rt->pool,
                                  .seed = 1};
  if (bl_broker_open(&world, &rt->broker, &why) != BL_OK) fail_msg("%s", why.text);
}

void rt_close(struct rt *rt) {
  bl_broker_close(rt->broker);
  rt->broker = NULL;
}

void rt_begin(struct rt *rt) {
  memset(rt, 0, sizeof(*rt));
  rt->fake = bl_disk_fake_new();
  bl_clock_fake_init(&rt->clock, RT_START);
  bl_timers_init(&rt->timers);
  rt->flush = bl_worker_new_inline();
  rt->pool = bl_worker_new_inline();
  bl_options_init(&bl_broker_options, &rt->settings);
  rt_set(rt, "storePathRootDir", "/data/store");
  rt->settings.segment_bytes = RT_MIB;
  rt->settings.ring_bytes = 4 * RT_MIB;
  rt_set(rt, "fileReservedTime", "1");
  rt_set(rt, "deleteWhen", "04;x; 16");
  rt_open(rt);
}

void rt_end(struct rt *rt) {
  rt_close(rt);
  bl_worker_free(rt->flush);
  bl_worker_free(rt->pool);
  bl_timers_fini(&rt->timers);
  bl_options_fini(&bl_broker_options, &rt->settings);
  bl_disk_fake_free(rt->fake);
}

void rt_settle(struct rt *rt) {
  size_t did;
  do {
    did = bl_broker_turn(rt->broker) ? 1 : 0;
    did += bl_worker_drain(rt->flush);
    did += bl_worker_drain(rt->pool);
  } while (did > 0);
}

/* Time passes, in steps in which timers fire. wall: what the wall clock makes of it. */
void rt_pass_as(struct rt *rt, int64_t ms, int64_t wall_ms) {
  rt->clock.now_wall_ms += wall_ms - ms;
  for (int64_t step; ms > 0; ms -= step) {
    step = ms < 10000 ? ms : 10000;
    rt->clock.now_mono_ns += step * 1000000;
    rt->clock.now_wall_ms += step;
    for (int i = 0; i < 20; i++) { /* the timers of one check */
      bl_timers_run(&rt->timers, bl_clock_mono_ms(&rt->clock.clock), 100);
      rt_settle(rt);
      rt->clock.now_mono_ns += 20000000;
    }
    rt->clock.now_mono_ns -= 400000000;
  }
}
void rt_pass(struct rt *rt, int64_t ms) {
  rt_pass_as(rt, ms, ms);
}

bl_err rt_send(struct rt *rt, const char *topic, int32_t queue_id, uint32_t bytes,
               struct bl_sent *out_sent, struct bl_why *why) {
  static char body[64 << 10];
  struct bl_send message = {.topic = bl_slice_text(topic),
                            .default_topic = BL_SLICE("TBW102"),
                            .default_queues = 4,
                            .queue_id = queue_id,
                            .max_reconsume_times = -1,
                            .born_host = {{127, 0, 0, 1}, 4, 1000},
                            .peer = "127.0.0.1:1000",
                            .body = bl_slice_of(body, bytes)};
  return bl_broker_send(rt->broker, &message, out_sent, why);
}

void rt_topic(struct rt *rt, const char *name, int queues, const char *attributes) {
  struct bl_topic *topic;
  struct bl_topic_change change = {.name = bl_slice_text(name),
                                   .perm = BL_PERM_READ | BL_PERM_WRITE,
                                   .read_queues = queues,
                                   .write_queues = queues,
                                   .attributes = bl_slice_text(attributes)};
  int64_t end;
  bl_err err;
  while ((err = bl_broker_put_topic(rt->broker, &change, &topic, &end)) == BL_ERR_BUSY)
    rt_settle(rt);
  assert_int_equal(err, BL_OK);
  rt_settle(rt);
}
