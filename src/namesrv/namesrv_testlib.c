#include "namesrv/namesrv_testlib.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "namesrv/route_json.h"

#define TOPICS_MAX 16

static void note_close(void *context, uint64_t conn_id) {
  struct ns_test *t = context;
  t->closed[t->closed_count++ % NS_TEST_EVENTS_MAX] = conn_id;
}

static void note_min(void *context, struct bl_slice to,
                     const struct bl_namesrv_min_change *change) {
  struct ns_test *t = context;
  snprintf(t->told[t->told_count++ % NS_TEST_EVENTS_MAX], sizeof(t->told[0]),
           "%.*s: %lld %.*s %.*s %.*s", BL_FMT(to), (long long)change->min_broker_id,
           BL_FMT(change->min_broker_addr), BL_FMT(change->offline_broker_addr),
           BL_FMT(change->ha_broker_addr));
}

static void open_ns(struct ns_test *t) {
  struct bl_namesrv_deps deps = {
      .clock = &t->clock.clock,
      .timers = &t->timers,
      .disk = bl_disk_fake_disk(t->disk),
      .worker = t->worker,
      .actions = {.context = t, .close_conn = note_close, .min_broker_changed = note_min},
  };
  t->ns = bl_namesrv_new(&deps, &t->settings);
}

int ns_test_setup(void **state) {
  struct ns_test *t = calloc(1, sizeof(*t));
  bl_clock_fake_init(&t->clock, 1700000000000);
  bl_timers_init(&t->timers);
  t->disk = bl_disk_fake_new();
  t->worker = bl_worker_new_inline();
  bl_options_init(&bl_namesrv_options, &t->settings);
  open_ns(t);
  *state = t;
  return 0;
}

int ns_test_teardown(void **state) {
  struct ns_test *t = *state;
  bl_worker_finish(t->worker);
  bl_namesrv_free(t->ns);
  bl_worker_free(t->worker);
  bl_options_fini(&bl_namesrv_options, &t->settings);
  bl_disk_fake_free(t->disk);
  bl_timers_fini(&t->timers);
  free(t);
  return 0;
}

void ns_test_restart(struct ns_test *t) {
  bl_worker_finish(t->worker);
  bl_namesrv_free(t->ns);
  open_ns(t);
}

void ns_test_wait(struct ns_test *t, int64_t ms) {
  t->clock.now_mono_ns += ms * 1000000;
  t->clock.now_wall_ms += ms;
  while (bl_timers_run(&t->timers, bl_clock_mono_ms(&t->clock.clock), 100) > 0) continue;
}

static size_t split_topics(const char *text, struct bl_namesrv_topic *topics) {
  size_t count = 0;
  struct bl_slice rest = bl_slice_text(text);
  while (rest.len > 0) {
    struct bl_slice one = bl_slice_cut(&rest, ' ');
    struct bl_slice name = bl_slice_cut(&one, ':');
    assert_true(count < TOPICS_MAX);
    topics[count] = (struct bl_namesrv_topic){.name = name, .read_queues = 4, .write_queues = 4};
    assert_true(bl_slice_i32(one, &topics[count++].perm));
  }
  return count;
}

struct bl_namesrv_registration *ns_test_registration(const char *name, int64_t id, const char *addr,
                                                     const char *topics) {
  static struct bl_namesrv_registration registration;
  static struct bl_namesrv_topic list[TOPICS_MAX];
  static struct bl_namesrv_topics chunk;
  chunk = (struct bl_namesrv_topics){.topics = list, .count = split_topics(topics, list)};
  registration = (struct bl_namesrv_registration){
      .cluster = BL_SLICE("C"),
      .broker_addr = bl_slice_text(addr),
      .broker_name = bl_slice_text(name),
      .broker_id = id,
      .ha_addr = BL_SLICE("ha:1"),
      .version = {.counter = 1, .timestamp_ms = 1},
      .topics = &chunk,
      .conn_id = 1,
  };
  return &registration;
}

void ns_test_register(struct ns_test *t, const struct bl_namesrv_registration *registration) {
  struct bl_namesrv_registered registered;
  assert_int_equal(bl_namesrv_register(t->ns, registration, &registered), BL_OK);
}

const char *ns_test_route(struct ns_test *t, const char *topic) {
  static char text[16384];
  struct bl_slice route = bl_namesrv_route(t->ns, bl_slice_text(topic), BL_NAMESRV_DIALECT_STANDARD,
                                           NULL, bl_slice_text(NULL));
  if (route.ptr == NULL) return "none";
  snprintf(text, sizeof(text), "%.*s", BL_FMT(route));
  return text;
}
