/* Random schedules, recalls, cancels, moves, snapshots, restarts, kills and losses of power against
 * a simple model: every message is delivered once, none early, none lost, in the millisecond that
 * it was asked for while the broker runs. SEED=n repeats one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "broker/broker_testlib.h"
#include "broker/delay/delay.h"
#include "broker/delay/operate.h"
#include "store/timers/pending_internal.h"
#include "wire/properties.h"

#define MESSAGES_MAX 6000
#define ROUNDS 6
#define STEPS 400

struct message {
  int64_t due_ms;
  bool cancelled;
  bool delivered;
};

static struct bt bt;
static struct message messages[MESSAGES_MAX];
static int message_count;
static int64_t read_to; /* queue offset in T */
static uint64_t random_state;

static uint32_t dice(uint32_t below) {
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (uint32_t)(((z ^ (z >> 31)) >> 32) % below);
}

static int64_t some_delay(void) {
  switch (dice(6)) {
    case 0: return dice(5);
    case 1: return dice(100);
    case 2: return dice(3000);
    case 3: return dice(30000);
    case 4: return dice(300000);
    default: return dice(3000000);
  }
}

static void put(const char *properties, const char *body, uint32_t bytes) {
  struct bl_sent sent;
  struct bl_why why = {{0}};
  struct bl_send send = {.topic = BL_SLICE("T"),
                         .default_topic = BL_SLICE("TBW102"),
                         .default_queues = 1,
                         .properties = bl_slice_text(properties),
                         .body = bl_slice_of(body, bytes),
                         .born_host = bt.broker->store_host,
                         .max_reconsume_times = -1,
                         .peer = ""};
  bl_err err;
  while ((err = bl_broker_send(bt.broker, &send, &sent, &why)) == BL_ERR_BUSY) bt_settle(&bt);
  if (err != BL_OK) fail_msg("%s", why.text);
}

static void send_one(void) {
  char properties[256];
  char body[600] = {0};
  if (message_count == MESSAGES_MAX) return;
  int id = message_count++;
  struct message *message = &messages[id];
  bool level = dice(8) == 0;
  int64_t delay_ms = level ? 1000 : some_delay();
  message->due_ms = bt.clock.now_wall_ms + delay_ms;
  message->cancelled = false;
  message->delivered = false;
  bl_store_u32(body, (uint32_t)id);
  if (level) {
    snprintf(properties, sizeof(properties), "UNIQ_KEY\1k%d\2DELAY\0011\2", id);
  } else {
    snprintf(properties, sizeof(properties), "UNIQ_KEY\1k%d\2TIMER_DELAY_MS\1%lld\2", id,
             (long long)delay_ms);
  }
  put(properties, body, 4 + dice(500));
}

/* As the handle has it: a slot earlier, and a millisecond. */
static void cancel_one(void) {
  char properties[256];
  if (message_count == 0) return;
  int id = (int)dice((uint32_t)message_count);
  struct message *message = &messages[id];
  int64_t time_ms = (message->due_ms - 1) / 1000 * 1000 + 1;
  if (message->delivered || message->cancelled || time_ms <= bt.clock.now_wall_ms + 5) return;
  if (message->due_ms - bt.clock.now_wall_ms <= 1000) return; /* perhaps one with a level */
  message->cancelled = true;
  snprintf(properties, sizeof(properties),
           "UNIQ_KEY\1c%d\2TIMER_DEL_UNIQKEY\1T+k%d\2TIMER_DELIVER_MS\1%lld\2", id, id,
           (long long)time_ms);
  put(properties, "0", 1);
}

/* What came: each once, none early. */
static void look(void) {
  static char bytes[1 << 16];
  struct bl_queue *queue = bl_queues_find(bt.broker->queues, BL_SLICE("T"), 0);
  for (; queue != NULL && read_to < bl_queue_max_offset(queue); read_to++) {
    struct bl_queue_entry entry;
    struct bl_record record;
    uint32_t count = 0;
    assert_int_equal(bl_queue_read_blocking(queue, read_to, &entry, 1, &count), BL_OK);
    assert_int_equal(entry.queue_offset, read_to);
    assert_int_equal(
        bl_store_read_blocking(bt.broker->store, entry.log_offset, entry.size_bytes, bytes), BL_OK);
    assert_int_equal(
        bl_record_decode(bl_slice_of(bytes, entry.size_bytes), BL_RECORD_CHECKED, &record), BL_OK);
    uint32_t id = bl_load_u32(record.body.ptr);
    assert_true(id < (uint32_t)message_count);
    if (messages[id].delivered) fail_msg("message %u came twice", id);
    if (messages[id].cancelled) fail_msg("message %u came though it was cancelled", id);
    if (record.store_ms < messages[id].due_ms) fail_msg("message %u came early", id);
    messages[id].delivered = true;
  }
}

/* All that is due came. */
static void all_came(void) {
  look();
  for (int i = 0; i < message_count; i++) {
    const struct message *message = &messages[i];
    if (message->delivered || message->cancelled) continue;
    if (message->due_ms <= bt.clock.now_wall_ms) {
      fail_msg("message %d is late: due %lld, now %lld", i, (long long)message->due_ms,
               (long long)bt.clock.now_wall_ms);
    }
  }
}

static void small_heaps(void) {
  bl_pending__set_seal_entries(bt.broker->pending, 40 + dice(200));
}

/* The process is gone; what was acknowledged is there. */
static void crash(bool power) {
  bt_settle(&bt);
  look();
  /* Some of what is going on, and not waited for. */
  bt.clock.now_mono_ns += 500000000;
  bt.clock.now_wall_ms += 500;
  bl_timers_run(&bt.timers, bl_clock_mono_ms(&bt.clock.clock), 100);
  for (uint32_t i = dice(6); i > 0; i--) {
    (void)bl_broker_turn(bt.broker);
    if (dice(2) == 0) bl_worker_drain(bt.flush);
    if (dice(2) == 0) bl_worker_drain(bt.pool);
  }
  if (power) {
    bl_disk_fake_power_loss(bt.fake, ((uint64_t)dice(UINT32_MAX) << 32) + dice(UINT32_MAX));
  } else {
    bl_disk_fake_kill(bt.fake);
  }
  bt_reopen_after_crash(&bt);
  small_heaps();
  /* What was on its way when the power went may be there or not: it is looked at anew. */
  for (int i = 0; i < message_count; i++) messages[i].delivered = false;
  read_to = 0;
  look();
  bt_settle(&bt);
}

/* An operator drops a message, or gives it another time. */
static void operate_one(void) {
  char key[32];
  if (message_count == 0) return;
  int id = (int)dice((uint32_t)message_count);
  struct message *message = &messages[id];
  snprintf(key, sizeof(key), "k%d", id);
  struct bl_delay_change change = {.broker = bt.broker,
                                   .topic = BL_SLICE("T"),
                                   .uniq_key = bl_slice_text(key),
                                   .moves = dice(3) > 0,
                                   .new_due_ms = bt.clock.now_wall_ms + some_delay(),
                                   .born_host = bt.broker->store_host};
  bool changed = false;
  bool ended = false;
  while (!ended) {
    ended = bl_delay_change_step(&change) == BL_DELAY_ENDED;
    if (change.changed == 1 && !changed) {
      if (message->delivered || (message->cancelled && change.moves))
        fail_msg("message %d was changed", id);
      if (change.moves) message->due_ms = change.new_due_ms;
      message->cancelled = message->cancelled || !change.moves;
      changed = true;
    }
    if (ended) break;
    bt_pass(&bt, dice(50) == 0);
    look();
  }
  if (change.err != BL_OK && change.err != BL_ERR_NOT_FOUND && change.err != BL_ERR_NOT_ALLOWED)
    fail_msg("%s", change.why.text);
  bl_delay_change_fini(&change);
  bt_pass(&bt, 1);
  all_came();
  if (!changed && !message->delivered && !message->cancelled &&
      message->due_ms > bt.clock.now_wall_ms)
    fail_msg("message %d waits and was not found", id);
}

static void one_step(void) {
  uint32_t what = dice(100);
  if (what < 40) {
    for (uint32_t i = dice(10); i > 0; i--) send_one();
    bt_settle(&bt);
  } else if (what < 43) {
    cancel_one();
    bt_settle(&bt);
  } else if (what < 50) {
    operate_one();
  } else if (what < 80) {
    bt_pass(&bt, 1 + dice(40));
    all_came();
  } else if (what < 90) {
    bt_pass(&bt, dice(20000));
    all_came();
  } else if (what < 95) {
    bl_store_snapshot_now(bt.broker->store);
    bt_settle(&bt);
  } else if (what < 97) {
    bt_restart(&bt);
    small_heaps();
    look();
  } else {
    crash(what == 99);
  }
}

static void a_random_life(void **state) {
  (void)state;
  const char *given = getenv("SEED");
  uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
  print_message("SEED=%llu\n", (unsigned long long)seed);
  for (int round = 0; round < (given != NULL ? 1 : ROUNDS); round++) {
    random_state = seed + (uint64_t)round;
    print_message("round SEED=%llu\n", (unsigned long long)random_state);
    message_count = 0;
    read_to = 0;
    bt_start(&bt);
    small_heaps();
    for (int i = 0; i < STEPS; i++) one_step();
    /* To the end of time. */
    for (int i = 0; i < 400; i++) bt_pass(&bt, 10000);
    all_came();
    struct bl_pending_stats stats;
    bl_pending_stats(bt.broker->pending, &stats);
    assert_int_equal(stats.count, 0);
    bt_restart(&bt);
    bt_pass(&bt, 10000);
    look();
    bt_stop(&bt);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_random_life)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
