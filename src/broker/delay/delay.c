#include "broker/delay/delay.h"

#include <stdlib.h>

#include "base/assert.h"
#include "broker/delay/delay_internal.h"

/* Records are fetched that much before they are due. */
#define AHEAD_MS 1000
#define TURN_NS 150000
#define FETCH_NS 70000 /* of it */
#define STEPS_PER_LOOK 8
/* A clock that is set is noticed within that time. */
#define SLEEP_MS_MAX 1000
/* What is due so soon when it comes is kept in memory. */
#define EARLY_MS 60000
#define WAIT_FOR_DISK_MS 5

int64_t bl_delay__now(struct bl_delay *delay) {
  const struct bl_clock *clock = delay->broker->clock;
  return bl_sure_clock_now(&delay->clock, bl_clock_wall_ms(clock), bl_clock_mono_ms(clock),
                           delay->broker->settings->timer_clock_confirm_ms);
}

static void on_timer(struct bl_timer *timer, int64_t now_ms) {
  (void)timer; /* the turn that follows looks */
  (void)now_ms;
}

struct bl_delay *bl_delay_new(struct bl_broker *broker) {
  struct bl_delay *delay = calloc(1, sizeof(*delay));
  struct bl_why why;
  BL_ASSERT(delay != NULL);
  delay->broker = broker;
  delay->pending = broker->pending;
  delay->timer.fire = on_timer;
  /* bl_broker_open refused what is no table. */
  BL_ASSERT(bl_delay_levels_parse(bl_slice_text(broker->settings->delay_levels), delay->levels_ms,
                                  &delay->level_count, &why) == BL_OK);
  bl_buf_init(&delay->properties, BL_RECORD_PROPERTIES_BYTES_MAX - BL_RECORD_CRC_BYTES - 1);
  int64_t now_ms = bl_clock_wall_ms(broker->clock);
  bl_sure_clock_init(&delay->clock, now_ms, bl_clock_mono_ms(broker->clock));
  struct bl_pending_limits limits = {.body_bytes = broker->settings->timer_memory_bytes,
                                     .early_ms = EARLY_MS};
  delay->started_ms = now_ms;
  bl_pending_go(delay->pending, &limits, now_ms);
  return delay;
}

void bl_delay_free(struct bl_delay *delay) {
  if (delay == NULL) return;
  BL_ASSERT(delay->reading == 0);
  bl_pending_body_free(delay->pending, delay->rolling.body);
  bl_timer_cancel(delay->broker->timers, &delay->timer);
  bl_buf_fini(&delay->properties);
  free(delay);
}

void bl_delay_stop(struct bl_delay *delay) {
  if (delay != NULL) delay->closing = true;
}

int64_t bl_delay_of_level(const struct bl_delay *delay, int64_t level) {
  if (level <= 0) return 0;
  if (level > delay->level_count) level = delay->level_count;
  return delay->levels_ms[level - 1];
}

int bl_delay_level_count(const struct bl_delay *delay) {
  return delay->level_count;
}

int64_t bl_delay_done_ms(const struct bl_delay *delay) {
  int64_t now_ms = bl_clock_wall_ms(delay->broker->clock);
  int64_t next_ms = bl_pending_next_ms(delay->pending, 0);
  return next_ms < now_ms ? next_ms : now_ms;
}

const struct bl_delay_stats *bl_delay_stats(const struct bl_delay *delay) {
  return &delay->stats;
}

/* Brings what is due soon near, with its bytes. true: the time of this turn is over. *out_full:
 * there is no room for more bytes, or too many are being read; what is near goes out first. */
static bool fetch_ahead(struct bl_delay *delay, int64_t now_ms, int64_t until_ns, bool *out_wait,
                        bool *out_full) {
  struct bl_pending_entry entry;
  *out_wait = false;
  for (int i = 1;; i++) {
    *out_full = !bl_pending_has_room(delay->pending, 0) || delay->reading == BL_DELAY_READS_MAX;
    if (*out_full) return false;
    if (!bl_pending_take_far(delay->pending, now_ms + AHEAD_MS, &entry, out_wait)) return false;
    bl_delay__fetch(delay, &entry);
    bl_pending_give_near(delay->pending, &entry);
    if (i % STEPS_PER_LOOK == 0 && bl_clock_mono_ns(delay->broker->clock) > until_ns) return true;
  }
}

static bool deliver_due(struct bl_delay *delay, int64_t now_ms, int64_t until_ns,
                        bool *out_blocked) {
  *out_blocked = false;
  for (int i = 1;; i++) {
    enum bl_delay_step step = bl_delay__deliver_next(delay, now_ms);
    *out_blocked = step == BL_DELAY_STEP_BLOCKED;
    if (step != BL_DELAY_STEP_DONE) return false;
    if (i % STEPS_PER_LOOK == 0 && bl_clock_mono_ns(delay->broker->clock) > until_ns) return true;
  }
}

/* Behind all that is due. */
static bool roll_some(struct bl_delay *delay, int64_t until_ns) {
  for (int i = 1;; i++) {
    if (bl_delay__roll_next(delay) != BL_DELAY_STEP_DONE) return false;
    if (i % STEPS_PER_LOOK == 0 && bl_clock_mono_ns(delay->broker->clock) > until_ns) return true;
  }
}

/* blocked: the end of a job or of a write makes a turn, too. */
static void sleep_until(struct bl_delay *delay, int64_t next_ms, int64_t now_ms, bool blocked) {
  int64_t mono_ms = bl_clock_mono_ms(delay->broker->clock);
  int64_t wait_ms = SLEEP_MS_MAX;
  if (next_ms - now_ms < wait_ms) wait_ms = next_ms - now_ms;
  if (blocked && wait_ms < WAIT_FOR_DISK_MS) wait_ms = WAIT_FOR_DISK_MS;
  if (delay->retry_ms > mono_ms) wait_ms = delay->retry_ms - mono_ms;
  if (wait_ms < 0) wait_ms = 0;
  bl_timer_set(delay->broker->timers, &delay->timer, mono_ms + wait_ms);
}

bool bl_delay_turn(struct bl_delay *delay) {
  if (delay->closing) return false;
  if (bl_pending_turn(delay->pending)) return true;
  bool parked = bl_pending_unpark(delay->pending, bl_clock_mono_ms(delay->broker->clock));
  int64_t next_ms = bl_pending_next_ms(delay->pending, AHEAD_MS);
  struct bl_pending_entry roll;
  if (next_ms == INT64_MAX && !parked && !bl_pending_take_roll(delay->pending, &roll)) return false;
  int64_t now_ms = bl_delay__now(delay);
  int64_t mono_ns = bl_clock_mono_ns(delay->broker->clock);
  /* A message that was stored before it was due would look as if it were early. */
  if (next_ms <= now_ms) {
    int64_t turn_ms = bl_store_turn_ms(delay->broker->store);
    if (turn_ms < now_ms) now_ms = turn_ms;
  }
  bool blocked = delay->retry_ms > mono_ns / 1000000;
  bool more = false;
  if ((next_ms <= now_ms || bl_pending_take_roll(delay->pending, &roll)) && !blocked) {
    bool wait = false;
    bool full = false;
    more = fetch_ahead(delay, now_ms, mono_ns + FETCH_NS, &wait, &full);
    more = deliver_due(delay, now_ms, mono_ns + TURN_NS, &blocked) || (more && !blocked);
    blocked = blocked || wait;
    if (!more && !blocked) more = roll_some(delay, mono_ns + TURN_NS);
    next_ms = bl_pending_next_ms(delay->pending, full ? 0 : AHEAD_MS);
  }
  if (!more && (next_ms != INT64_MAX || blocked || parked))
    sleep_until(delay, next_ms, now_ms, blocked);
  return more;
}
