#include "broker/retention/topic_round.h"

#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"

#define BATCH_ENTRIES 128
#define STEP_NS 100000
#define STEP_FACTOR_MAX 8
#define HOUR_MS 3600000ll

void bl_topic_round_init(struct bl_topic_round *round, struct bl_broker *broker) {
  *round = (struct bl_topic_round){.broker = broker, .pinned_from = INT64_MAX};
}

void bl_topic_round_start(struct bl_topic_round *round, int64_t now_ms) {
  const struct bl_list *head = &round->broker->topics.retained;
  BL_ASSERT(!round->running);
  round->running = true;
  round->now_ms = now_ms;
  round->name_len = 0;
  round->pin = INT64_MAX;
  round->left = 0;
  for (const struct bl_list *node = head->next; node != head; node = node->next) round->left++;
}

/* NULL: it was deleted, or has no retention of its own any more. */
static struct bl_topic *topic_of(const struct bl_topic_round *round) {
  if (round->name_len == 0) return NULL;
  struct bl_topic *topic =
      bl_topics_find(&round->broker->topics, bl_slice_of(round->name, round->name_len));
  return topic != NULL && bl_list_linked(&topic->retained) ? topic : NULL;
}

/* Also those that the topic had once: they are counted. */
static int32_t queue_count(const struct bl_topic *topic) {
  int32_t count =
      topic->read_queues > topic->write_queues ? topic->read_queues : topic->write_queues;
  return count > topic->kept_count ? count : topic->kept_count;
}

static struct bl_kept_queue *kept_of(struct bl_topic *topic, int32_t queue_id) {
  if (queue_id >= topic->kept_count) {
    int32_t count = queue_count(topic);
    BL_ASSERT(queue_id < count);
    topic->kept = realloc(topic->kept, (size_t)count * sizeof(*topic->kept));
    BL_ASSERT(topic->kept != NULL);
    for (; topic->kept_count < count; topic->kept_count++)
      topic->kept[topic->kept_count] = (struct bl_kept_queue){.first = -1};
  }
  return &topic->kept[queue_id];
}

/* The list itself is the queue of visits: who was visited goes to its end. */
static void next_topic(struct bl_topic_round *round) {
  struct bl_list *node =
      round->left > 0 ? bl_list_take_first(&round->broker->topics.retained) : NULL;
  round->name_len = 0;
  if (node == NULL) {
    round->running = false;
    round->pinned_from = round->pin;
    return;
  }
  round->left--;
  struct bl_topic *topic = BL_CONTAINER(node, struct bl_topic, retained);
  bl_list_add_last(&round->broker->topics.retained, node);
  BL_ASSERT(topic->name.len < sizeof(round->name));
  memcpy(round->name, topic->name.ptr, topic->name.len);
  round->name_len = topic->name.len;
  round->phase = BL_ROUND_TIME;
  round->queue_id = 0;
  round->searched = false;
  round->warm_err = BL_OK;
}

static void on_warm(struct bl_queue_warm *warm) {
  struct bl_topic_round *round = BL_CONTAINER(warm, struct bl_topic_round, warm);
  round->waiting = false;
  round->warm_err = warm->err;
}

/* BL_ERR_COLD: the round waits, and comes here again. */
static bl_err read_entries(struct bl_topic_round *round, struct bl_queue *queue, int64_t offset,
                           struct bl_queue_entry *out_entries, uint32_t max, uint32_t *out_count) {
  bl_err err = bl_queue_read(queue, offset, out_entries, max, out_count);
  if (err == BL_ERR_COLD && round->warm_err != BL_OK) err = round->warm_err; /* it cannot be read */
  round->warm_err = BL_OK;
  if (err == BL_ERR_COLD) {
    round->waiting = true;
    bl_queue_warm(queue, &round->warm, offset, on_warm);
  }
  return err;
}

static void on_search(struct bl_time_search *search) {
  struct bl_topic_round *round = BL_CONTAINER(search, struct bl_topic_round, search);
  round->waiting = false;
  round->searched = true;
}

static void start_search(struct bl_topic_round *round, struct bl_queue *queue, bool first_only,
                         int64_t timestamp_ms) {
  round->search = (struct bl_time_search){.broker = round->broker,
                                          .queue = queue,
                                          .first_only = first_only,
                                          .timestamp_ms = timestamp_ms,
                                          .done = on_search};
  round->waiting = true;
  bl_time_search_start(&round->search);
}

/* Takes what lies before queue offset `until` or log offset `below` off the count, while the topic
 * has more than `keep` bytes. false: it waits for the disk. */
static bool uncount(struct bl_topic_round *round, struct bl_topic *topic, struct bl_queue *queue,
                    struct bl_kept_queue *kept, int64_t until, int64_t below, int64_t keep) {
  struct bl_queue_entry entries[BATCH_ENTRIES];
  int64_t retire = 0;
  bool more = true;
  bool waits = false;
  if (until > kept->to) until = kept->to;
  while (more && kept->from < until && topic->kept_bytes > keep) {
    uint32_t count = 0;
    bl_err err = read_entries(round, queue, kept->from, entries, BATCH_ENTRIES, &count);
    waits = err == BL_ERR_COLD;
    if (err != BL_OK || count == 0) break;
    for (uint32_t i = 0; i < count && more; i++) {
      const struct bl_queue_entry *entry = &entries[i];
      more = entry->queue_offset < until && entry->log_offset < below && topic->kept_bytes > keep;
      if (!more) break;
      topic->kept_bytes -= entry->size_bytes;
      kept->bytes -= entry->size_bytes;
      kept->from = entry->queue_offset + entry->count;
      retire = entry->log_offset + 1;
    }
  }
  if (retire > 0) bl_queues_retire_queue(queue, retire);
  if (retire > 0 && !waits && kept->from < bl_queue_min_offset(queue))
    kept->from = bl_queue_min_offset(queue); /* over a hole */
  return !waits;
}

/* What the search found is too old goes. false: it waits. */
static bool retire_older(struct bl_topic_round *round, struct bl_topic *topic,
                         struct bl_queue *queue, struct bl_kept_queue *kept) {
  int64_t offset = round->search.offset;
  struct bl_queue_entry last;
  uint32_t count = 0;
  if (round->search.err != BL_OK || offset <= bl_queue_min_offset(queue)) return true;
  if (kept->bytes > 0 && !uncount(round, topic, queue, kept, offset, INT64_MAX, 0)) return false;
  bl_err err = read_entries(round, queue, offset - 1, &last, 1, &count);
  if (err == BL_ERR_COLD) return false;
  if (err == BL_OK && count == 1 && last.queue_offset < offset)
    bl_queues_retire_queue(queue, last.log_offset + 1);
  if (kept->bytes > 0 && kept->from < bl_queue_min_offset(queue))
    kept->from = bl_queue_min_offset(queue);
  return true;
}

/* false: it waits, and comes here again. */
static bool expire_queue(struct bl_topic_round *round, struct bl_topic *topic,
                         struct bl_queue *queue, struct bl_kept_queue *kept) {
  int64_t limit_ms = round->now_ms - topic->retention.ms;
  int64_t min = bl_queue_min_offset(queue);
  if (min == bl_queue_max_offset(queue)) return true;
  if (round->searched && round->search.first_only) {
    round->searched = false;
    kept->first = round->search.err == BL_OK && round->search.store_ms >= 0 ? min : -1;
    kept->first_ms = round->search.store_ms;
    if (kept->first < 0) return true; /* the next round tries again */
  }
  if (round->searched) {
    if (!retire_older(round, topic, queue, kept)) return false;
    round->searched = false;
    return true;
  }
  if (kept->first != min) {
    start_search(round, queue, true, 0);
    return false;
  }
  if (kept->first_ms >= limit_ms) return true;
  start_search(round, queue, false, limit_ms);
  return false;
}

/* Files with messages of a topic that keeps longer than the log does stay. false: it waits. */
static bool pin_queue(struct bl_topic_round *round, struct bl_queue *queue) {
  struct bl_queue_entry first;
  uint32_t count = 0;
  bl_err err = read_entries(round, queue, bl_queue_min_offset(queue), &first, 1, &count);
  if (err == BL_ERR_COLD) return false;
  if (err != BL_OK) round->pin = 0; /* not known: nothing goes */
  if (err == BL_OK && count == 1 && first.log_offset < round->pin) round->pin = first.log_offset;
  return true;
}

static bool keeps_longer(const struct bl_topic_round *round, const struct bl_topic *topic) {
  const struct bl_topic_retention *retention = &topic->retention;
  int64_t log_ms = round->broker->settings->file_reserved_hours * HOUR_MS;
  return retention->timed && (retention->ms < 0 || retention->ms > log_ms);
}

static bool time_queue(struct bl_topic_round *round, struct bl_topic *topic, struct bl_queue *queue,
                       struct bl_kept_queue *kept) {
  const struct bl_topic_retention *retention = &topic->retention;
  if (retention->timed && retention->ms >= 0 && !expire_queue(round, topic, queue, kept))
    return false;
  return !keeps_longer(round, topic) || pin_queue(round, queue);
}

/* A part. true: all of the queue is counted. */
static bool count_queue(struct bl_topic_round *round, struct bl_topic *topic,
                        struct bl_queue *queue, struct bl_kept_queue *kept) {
  struct bl_queue_entry entries[BATCH_ENTRIES];
  uint32_t count = 0;
  int64_t min = bl_queue_min_offset(queue);
  if (kept->from < min) { /* a file of the log went: from anew */
    topic->kept_bytes -= kept->bytes;
    kept->bytes = 0;
    kept->from = min;
    kept->to = min;
  }
  if (kept->to >= bl_queue_max_offset(queue)) return true;
  bl_err err = read_entries(round, queue, kept->to, entries, BATCH_ENTRIES, &count);
  if (err == BL_ERR_COLD) return false;
  if (err != BL_OK || count == 0) return true;
  for (uint32_t i = 0; i < count; i++) {
    kept->bytes += entries[i].size_bytes;
    topic->kept_bytes += entries[i].size_bytes;
    kept->to = entries[i].queue_offset + entries[i].count;
  }
  return false;
}

static bool head_queue(struct bl_topic_round *round, struct bl_queue *queue,
                       const struct bl_kept_queue *kept) {
  struct bl_queue_entry first;
  uint32_t count = 0;
  if (kept->from >= kept->to) return true;
  bl_err err = read_entries(round, queue, kept->from, &first, 1, &count);
  if (err == BL_ERR_COLD) return false;
  if (err == BL_OK && count == 1 && first.log_offset < round->oldest_log)
    round->oldest_log = first.log_offset;
  return true;
}

/* Of the log behind the oldest message: a queue is not emptied for another. */
static bool drop_queue(struct bl_topic_round *round, struct bl_topic *topic, struct bl_queue *queue,
                       struct bl_kept_queue *kept) {
  int64_t below = round->oldest_log + round->step_bytes;
  return uncount(round, topic, queue, kept, INT64_MAX, below, topic->retention.bytes);
}

static bool visit_queue(struct bl_topic_round *round, struct bl_topic *topic,
                        struct bl_queue *queue) {
  struct bl_kept_queue *kept = kept_of(topic, round->queue_id);
  switch (round->phase) {
    case BL_ROUND_TIME: return time_queue(round, topic, queue, kept);
    case BL_ROUND_COUNT: return count_queue(round, topic, queue, kept);
    case BL_ROUND_HEAD: return head_queue(round, queue, kept);
    case BL_ROUND_DROP: return drop_queue(round, topic, queue, kept);
  }
  return true;
}

static void begin_phase(struct bl_topic_round *round, enum bl_round_phase phase) {
  round->phase = phase;
  round->queue_id = 0;
}

/* As much of the log as is likely to have the excess: what the step before had tells. */
static int64_t next_step(const struct bl_topic_round *round, const struct bl_topic *topic) {
  int64_t excess = topic->kept_bytes - topic->retention.bytes;
  int64_t dropped = round->before_bytes - topic->kept_bytes;
  if (round->step_bytes == 0) return excess;
  double part = dropped > 0 ? (double)excess / (double)dropped : STEP_FACTOR_MAX;
  if (part > STEP_FACTOR_MAX) part = STEP_FACTOR_MAX;
  return (int64_t)((double)round->step_bytes * part) + 1;
}

static void end_phase(struct bl_topic_round *round, const struct bl_topic *topic) {
  int64_t excess = topic->kept_bytes - topic->retention.bytes;
  if (topic->retention.bytes < 0) {
    next_topic(round);
    return;
  }
  switch (round->phase) {
    case BL_ROUND_TIME:
      round->step_bytes = 0;
      begin_phase(round, BL_ROUND_COUNT);
      return;
    case BL_ROUND_HEAD:
      if (round->oldest_log == INT64_MAX) break; /* it cannot be read */
      round->step_bytes = next_step(round, topic);
      round->before_bytes = topic->kept_bytes;
      begin_phase(round, BL_ROUND_DROP);
      return;
    case BL_ROUND_COUNT:
    case BL_ROUND_DROP:
      if (excess <= 0 || round->step_bytes > INT64_MAX / 16) break;
      round->oldest_log = INT64_MAX;
      begin_phase(round, BL_ROUND_HEAD);
      return;
  }
  next_topic(round);
}

static void visit(struct bl_topic_round *round) {
  struct bl_topic *topic = topic_of(round);
  if (topic == NULL) {
    next_topic(round);
    return;
  }
  if (round->queue_id >= queue_count(topic)) {
    end_phase(round, topic);
    return;
  }
  struct bl_queue *queue = bl_queues_find(round->broker->queues, topic->name, round->queue_id);
  if (queue != NULL && !visit_queue(round, topic, queue)) return;
  round->searched = false;
  round->queue_id++;
}

bool bl_topic_round_step(struct bl_topic_round *round) {
  const struct bl_clock *clock = round->broker->clock;
  if (!round->running || round->waiting) return false;
  int64_t until_ns = bl_clock_mono_ns(clock) + STEP_NS;
  while (round->running && !round->waiting) {
    visit(round);
    if (bl_clock_mono_ns(clock) > until_ns) return round->running && !round->waiting;
  }
  return false;
}
