#include "broker/pull/pull.h"

#include <stdio.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "broker/pull/wanted.h"
#include "broker/ttl/ttl.h"

/* What the record of a new group takes at most. */
#define GROUP_RECORD_BYTES 4096
#define SEE "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."
#define PULL_COUNT_MAX 1024
/* Entries looked at in one pull, as max(16000, 20 * maxMsgNums) bytes of Java's 20-byte units. */
#define SCAN_ENTRIES 800
#define READ_ENTRIES 256
/* Reading over a gap costs less than another call into the kernel, up to about this. */
#define SPAN_GAP_BYTES 4096
#define SPAN_BYTES (256 << 10)
/* What one pull copies out of files, gaps included. */
#define READ_BYTES_MAX (1 << 20)
#define HINTS_MAX 16
/* One pull looks through records by SQL92 no longer than that in a turn; all pulls that one turn
 * brings together about so long, and each for one look at the clock, which is once in so many (a
 * long expression counts as several). */
#define FILTER_NS_PER_PULL 100000
#define FILTER_NS_PER_TURN 400000
#define FILTER_LOOKS 32

struct scan {
  struct bl_broker *broker;
  const struct bl_pull *pull;
  struct bl_wanted wanted;
  struct bl_arena *arena;
  struct bl_pulled *out;
  struct bl_cold_place *cold;
  int32_t count_max;
  int64_t bytes_max;
  int64_t read_bytes; /* copied so far */
  uint32_t run_cap;
  bool removed; /* a record that matched is not in the log any more */
  /* of looking through records */
  int64_t until_ns;
  uint32_t looks; /* since the clock was looked at */
  uint32_t look_cost;
  bool cut;    /* its time is over */
  char *spare; /* in the arena: read into, and not part of the answer */
  size_t spare_bytes;
};

static bl_err refuse(struct bl_pulled *out, bl_err err, enum bl_forbidden forbidden) {
  out->code = bl_err_code(err);
  out->forbidden = forbidden;
  return err;
}

static bl_err check_group(struct bl_broker *broker, const struct bl_pull *pull,
                          struct bl_pulled *out, struct bl_group **out_group, struct bl_why *why) {
  if ((broker->settings->broker_permission & BL_PERM_READ) == 0) {
    bl_why_set(why, BL_OK, "the broker[%s] pulling message is forbidden",
               broker->settings->broker_ip1);
    return refuse(out, BL_ERR_NO_PERMISSION, BL_FORBIDDEN_BROKER);
  }
  if (pull->lite && !broker->settings->lite_pull_enable) {
    bl_why_set(why, BL_OK, "the broker[%s] for lite pull consumer is forbidden",
               broker->settings->broker_ip1);
    return refuse(out, BL_ERR_NO_PERMISSION, BL_FORBIDDEN_BROKER);
  }
  struct bl_group *group = bl_broker_group(broker, pull->group);
  if (group == NULL && broker->settings->auto_create_group &&
      bl_store_can_append_metadata(broker->store, GROUP_RECORD_BYTES) == BL_ERR_BUSY) {
    bl_why_set(why, BL_OK, "broker busy: the log has no room to note the new group yet, try again");
    return refuse(out, BL_ERR_BUSY, BL_FORBIDDEN_NONE);
  }
  if (group == NULL) {
    bl_why_set(why, BL_OK, "subscription group [%.*s] does not exist, " SEE, BL_FMT(pull->group));
    return refuse(out, BL_ERR_NO_GROUP, BL_FORBIDDEN_NONE);
  }
  if (!group->consume_enable) {
    bl_why_set(why, BL_OK, "subscription group no permission, %.*s", BL_FMT(pull->group));
    return refuse(out, BL_ERR_NO_PERMISSION, BL_FORBIDDEN_GROUP);
  }
  *out_group = group;
  return BL_OK;
}

static bl_err check_topic(struct bl_broker *broker, const struct bl_pull *pull,
                          struct bl_pulled *out, struct bl_topic **out_topic, struct bl_why *why) {
  struct bl_topic *topic = bl_topics_find(&broker->topics, pull->topic);
  if (topic == NULL) {
    bl_why_set(why, BL_OK, "topic[%.*s] not exist, apply first please! " SEE, BL_FMT(pull->topic));
    return refuse(out, BL_ERR_NO_TOPIC, BL_FORBIDDEN_NONE);
  }
  if ((topic->perm & BL_PERM_READ) == 0) {
    bl_why_set(why, BL_OK, "the topic[%.*s] pulling message is forbidden", BL_FMT(pull->topic));
    return refuse(out, BL_ERR_NO_PERMISSION, BL_FORBIDDEN_TOPIC);
  }
  if (pull->queue_id < 0 || pull->queue_id >= topic->read_queues) {
    bl_why_set(why, BL_OK,
               "queueId[%d] is illegal, topic:[%.*s] topicConfig.readQueueNums:[%d] consumer:[/%s]",
               pull->queue_id, BL_FMT(pull->topic), topic->read_queues, pull->peer);
    return refuse(out, BL_ERR_PARAMETER, BL_FORBIDDEN_NONE);
  }
  *out_topic = topic;
  return BL_OK;
}

/* The subscription of the group, as heartbeats brought it. */
static bl_err group_filter(struct bl_broker *broker, const struct bl_pull *pull,
                           const struct bl_group *group, struct bl_pulled *out,
                           const struct bl_subscription **out_filter, struct bl_why *why) {
  const struct bl_member_group *members = bl_members_consumers(broker, pull->group);
  if (members == NULL) {
    bl_why_set(why, BL_OK, "the consumer's group info not exist" SEE);
    return refuse(out, BL_ERR_NO_SUBSCRIPTION, BL_FORBIDDEN_NONE);
  }
  if (!group->consume_broadcast_enable && members->model == BL_BROADCASTING) {
    bl_why_set(why, BL_OK, "the consumer group[%.*s] can not consume by broadcast way",
               BL_FMT(pull->group));
    return refuse(out, BL_ERR_NO_PERMISSION, BL_FORBIDDEN_BROADCASTING);
  }
  struct bl_subscription *filter = bl_map_get(&members->subscriptions, pull->topic);
  if (filter == NULL) {
    bl_why_set(why, BL_OK, "the consumer's subscription not exist" SEE);
    return refuse(out, BL_ERR_NO_SUBSCRIPTION, BL_FORBIDDEN_NONE);
  }
  if (filter->version < pull->sub_version) {
    bl_why_set(why, BL_OK, "the consumer's subscription not latest");
    return refuse(out, BL_ERR_SUBSCRIPTION_OLD, BL_FORBIDDEN_NONE);
  }
  struct bl_why cause = {{0}};
  if (bl_subscription_compile(filter, &broker->filters, &cause) != BL_OK) {
    bl_why_set(why, BL_OK,
               "The broker's consumer filter data is not exist!Your expression may be wrong! %s",
               cause.text);
    return refuse(out, BL_ERR_NO_FILTER, BL_FORBIDDEN_NONE);
  }
  *out_filter = filter;
  return BL_OK;
}

/* What the pull brings itself. */
static bl_err carried_filter(struct bl_broker *broker, const struct bl_pull *pull,
                             struct bl_pulled *out, struct bl_subscription **out_carried,
                             struct bl_why *why) {
  struct bl_why cause = {{0}};
  bl_err err = bl_subscription_new(pull->topic, pull->subscription, pull->expression_type,
                                   pull->sub_version, out_carried);
  if (err == BL_OK && broker->settings->property_filter)
    err = bl_subscription_compile(*out_carried, &broker->filters, &cause);
  if (err == BL_OK) return BL_OK;
  bl_subscription_free(*out_carried);
  *out_carried = NULL;
  bl_why_set(why, BL_OK, "parse the consumer's subscription failed%s%s",
             cause.text[0] != '\0' ? ": " : "", cause.text);
  return refuse(out, BL_ERR_SUBSCRIPTION_PARSE, BL_FORBIDDEN_NONE);
}

static void grow_runs(struct scan *scan) {
  if (scan->out->body_count < scan->run_cap) return;
  scan->run_cap = scan->run_cap == 0 ? 32 : scan->run_cap * 2;
  struct bl_slice *bodies = bl_arena_take(scan->arena, scan->run_cap * sizeof(*bodies));
  if (scan->out->bodies != NULL) {
    memcpy(bodies, scan->out->bodies, scan->out->body_count * sizeof(*bodies));
  }
  scan->out->bodies = bodies;
}

/* Records that are read at once: entries [0, count), which lie in [from, from + len) of the log. */
struct span {
  uint32_t count;
  int32_t messages; /* in those that are wanted: an inner batch is several */
  int64_t bytes;
  int64_t from;
  int64_t len;
};

static bool is_wanted(const struct scan *scan, const struct bl_queue_entry *entry) {
  return bl_wanted_entry(&scan->wanted, entry->tags_code);
}

static bool fits(const struct scan *scan, int64_t messages, int64_t bytes) {
  return messages <= scan->count_max && bytes <= scan->bytes_max;
}

/* What is read at once: what lies closely enough behind one another. The first entry is wanted and
 * fits; `single`: it alone. */
static struct span span_of(const struct scan *scan, const struct bl_queue_entry *entries,
                           uint32_t count, bool single) {
  const struct bl_pulled *out = scan->out;
  bool all_fit = bl_wanted_needs_record(&scan->wanted); /* most will not match */
  struct span span = {1, (int32_t)entries[0].count, entries[0].size_bytes, entries[0].log_offset,
                      entries[0].size_bytes};
  for (uint32_t i = 1; i < count && !single; i++) {
    const struct bl_queue_entry *entry = &entries[i];
    if (!is_wanted(scan, entry)) continue;
    int64_t gap = entry->log_offset - span.from - span.len;
    int64_t len = entry->log_offset + entry->size_bytes - span.from;
    if (gap < 0 || gap > SPAN_GAP_BYTES || len > SPAN_BYTES) break;
    if (!all_fit && !fits(scan, out->message_count + span.messages + (int32_t)entry->count,
                          out->bytes + span.bytes + entry->size_bytes))
      break;
    span.count = i + 1;
    span.messages += (int32_t)entry->count;
    span.bytes += entry->size_bytes;
    span.len = len;
  }
  return span;
}

/* What a read before did not find anything in is used again. */
static char *take_space(struct scan *scan, size_t bytes) {
  if (bytes > scan->spare_bytes) {
    scan->spare = bl_arena_take(scan->arena, bytes);
    scan->spare_bytes = bytes;
    scan->read_bytes += (int64_t)bytes;
  }
  return scan->spare;
}

/* BORROWS the bytes of the span from memory, or reads them into the arena. */
static bl_err read_span(struct scan *scan, const struct span *span, const char **out_bytes) {
  struct bl_store *store = scan->broker->store;
  struct bl_slice lent = bl_store_peek(store, span->from, (uint32_t)span->len);
  *out_bytes = lent.ptr;
  if (lent.ptr != NULL) return BL_OK;
  char *space = take_space(scan, (size_t)span->len);
  *out_bytes = space;
  return bl_store_read(store, span->from, (uint32_t)span->len, space);
}

/* The bytes are part of the answer. */
static void keep_span(struct scan *scan, const char *bytes) {
  if (bytes != scan->spare) return;
  scan->spare = NULL;
  scan->spare_bytes = 0;
}

/* Joined to the run before when it follows it in memory. */
static void put_run(struct scan *scan, const char *bytes, size_t len) {
  struct bl_pulled *out = scan->out;
  struct bl_slice *last = out->body_count > 0 ? &out->bodies[out->body_count - 1] : NULL;
  if (last != NULL && last->ptr + last->len == bytes) {
    last->len += len;
    return;
  }
  grow_runs(scan);
  BL_ASSERT(out->bodies != NULL);
  out->bodies[out->body_count++] = bl_slice_of(bytes, len);
}

static void put_span(struct scan *scan, const struct span *span,
                     const struct bl_queue_entry *entries, const char *bytes) {
  struct bl_store *store = scan->broker->store;
  struct bl_pulled *out = scan->out;
  bool fresh = bl_store_is_fresh(store, span->from, span->len);
  keep_span(scan, bytes);
  if (fresh && span->bytes == span->len) {
    put_run(scan, bytes, (size_t)span->len);
    out->message_count += span->messages;
    out->bytes += span->bytes;
    return;
  }
  for (uint32_t i = 0; i < span->count; i++) {
    const struct bl_queue_entry *entry = &entries[i];
    if (!is_wanted(scan, entry)) continue;
    const char *at = bytes + (entry->log_offset - span->from);
    if (!fresh &&
        !bl_store_is_sound(store, entry->log_offset, bl_slice_of(at, entry->size_bytes))) {
      scan->removed = true;
      continue;
    }
    put_run(scan, at, entry->size_bytes);
    out->message_count += (int32_t)entry->count;
    out->bytes += entry->size_bytes;
  }
}

/* Its time in this turn is over. */
static bool is_over_time(struct scan *scan) {
  scan->looks += scan->look_cost;
  if (scan->looks < FILTER_LOOKS) return false;
  scan->looks = 0;
  scan->cut = bl_clock_mono_ns(scan->broker->clock) >= scan->until_ns;
  return scan->cut;
}

/* By SQL92 and by its time, on the record as it lies there. What is no record is damaged: that is
 * found out by who gives it. */
static bool is_wanted_record(struct scan *scan, struct bl_slice bytes) {
  struct bl_record record;
  int64_t now_ms = scan->wanted.now_ms;
  scan->broker->stats.filter_looked++;
  if (bl_record_decode(bytes, BL_RECORD_UNCHECKED, &record) != BL_OK) return true;
  if (now_ms > 0 && bl_ttl_expires_ms(record.properties) <= now_ms) {
    scan->broker->stats.ttl_passed++;
    return false;
  }
  if (bl_wanted_record(&scan->wanted, record.properties)) return true;
  scan->broker->stats.filter_passed++;
  return false;
}

/* Gives of the span what the expression matches. FILLS how many entries are done. RETURNS BL_OK to
 * go on, BL_ERR_FULL when the answer ends here. */
static bl_err put_matching(struct scan *scan, const struct span *span,
                           const struct bl_queue_entry *entries, const char *bytes,
                           uint32_t *out_done) {
  struct bl_store *store = scan->broker->store;
  struct bl_pulled *out = scan->out;
  bool fresh = bl_store_is_fresh(store, span->from, span->len);
  for (*out_done = 0; *out_done < span->count;) {
    const struct bl_queue_entry *entry = &entries[*out_done];
    struct bl_slice record =
        bl_slice_of(bytes + (entry->log_offset - span->from), entry->size_bytes);
    if (is_wanted(scan, entry) && is_wanted_record(scan, record)) {
      if (out->message_count > 0 &&
          !fits(scan, out->message_count + (int32_t)entry->count, out->bytes + entry->size_bytes))
        return BL_ERR_FULL;
      if (fresh || bl_store_is_sound(store, entry->log_offset, record)) {
        keep_span(scan, bytes);
        put_run(scan, record.ptr, record.len);
        out->message_count += (int32_t)entry->count;
        out->bytes += entry->size_bytes;
      } else {
        scan->removed = true;
      }
    }
    ++*out_done;
    if (out->message_count >= scan->count_max || is_over_time(scan)) return BL_ERR_FULL;
  }
  return BL_OK;
}

/* The pool is told of the next records, too, when they lie far from one another: their reads go on
 * at the same time. */
static void hint(struct scan *scan, const struct bl_queue_entry *entries, uint32_t count) {
  uint32_t hints = 0;
  for (uint32_t i = 0; i < count && hints < HINTS_MAX && (int32_t)hints < scan->count_max; i++) {
    if (!is_wanted(scan, &entries[i])) continue;
    bl_store_hint(scan->broker->store, entries[i].log_offset, entries[i].size_bytes);
    hints++;
  }
}

/* Takes from the first entry on. FILLS how many are done. RETURNS BL_OK to go on, BL_ERR_FULL when
 * the answer ends here, BL_ERR_COLD; others as bl_store_read. */
static bl_err take_entries(struct scan *scan, const struct bl_queue_entry *entries, uint32_t count,
                           uint32_t *out_done) {
  struct bl_pulled *out = scan->out;
  uint32_t skipped = 0;
  while (skipped < count && !is_wanted(scan, &entries[skipped])) skipped++;
  *out_done = skipped;
  if (skipped == count) return BL_OK;
  entries += skipped;
  bool first = out->message_count == 0;
  bool fits_next = bl_wanted_needs_record(&scan->wanted) ||
                   fits(scan, out->message_count + (int32_t)entries[0].count,
                        out->bytes + entries[0].size_bytes);
  if (!first && (!fits_next || scan->read_bytes >= READ_BYTES_MAX)) return BL_ERR_FULL;
  struct span span = span_of(scan, entries, count - skipped, false);
  const char *bytes = NULL;
  bl_err err = read_span(scan, &span, &bytes);
  /* One of them is gone (deleted with its segment, or fenced as damage), or the disk refused one:
   * the others are not. */
  if (err != BL_OK && err != BL_ERR_COLD && span.count > 1) {
    span = span_of(scan, entries, 1, true);
    err = read_span(scan, &span, &bytes);
  }
  if (err == BL_ERR_COLD) {
    if (!first) return BL_ERR_FULL;
    *scan->cold = (struct bl_cold_place){.log_offset = span.from, .log_bytes = span.len};
    hint(scan, entries + span.count, count - skipped - span.count);
    return err;
  }
  /* Stored, but after a failure of the log not known to be durable: not gone. */
  if (err == BL_ERR_NOT_FOUND && span.from + span.len > bl_store_marks(scan->broker->store).visible)
    err = BL_ERR_NOT_AVAILABLE;
  /* A record that is gone is stepped over; one that cannot be read now is not. What was found so
   * far is an answer already. */
  if (err != BL_OK && err != BL_ERR_NOT_FOUND) return first ? err : BL_ERR_FULL;
  *out_done = skipped + span.count;
  if (err == BL_ERR_NOT_FOUND) {
    scan->removed = true;
  } else if (bl_wanted_needs_record(&scan->wanted)) {
    uint32_t done;
    err = put_matching(scan, &span, entries, bytes, &done);
    *out_done = skipped + done;
    return err;
  } else {
    put_span(scan, &span, entries, bytes);
  }
  return BL_OK;
}

static bl_err read_entries(struct scan *scan, int64_t offset, struct bl_queue_entry *entries,
                           uint32_t max, uint32_t *out_count) {
  struct bl_queue *queue = scan->out->queue;
  bl_err err = bl_queue_read(queue, offset, entries, max, out_count);
  if (err == BL_ERR_COLD)
    *scan->cold = (struct bl_cold_place){.queue = queue, .queue_offset = offset};
  return err;
}

/* Looks through the queue from the asked offset on until the answer is full. */
static bl_err scan_queue(struct scan *scan) {
  struct bl_queue_entry entries[READ_ENTRIES];
  struct bl_pulled *out = scan->out;
  int32_t scan_max = scan->count_max > SCAN_ENTRIES ? scan->count_max : SCAN_ENTRIES;
  out->scanned = scan->pull->scanned;
  out->next_offset = out->scanned > 0 ? scan->pull->scan_from : scan->pull->offset;
  while (out->scanned < scan_max && out->next_offset < out->max_offset) {
    if (out->message_count >= scan->count_max) return BL_OK;
    int32_t most =
        scan->wanted.filter->all ? scan->count_max - out->message_count : scan_max - out->scanned;
    uint32_t max = most < READ_ENTRIES ? (uint32_t)most : READ_ENTRIES;
    uint32_t count = 0;
    bl_err err = read_entries(scan, out->next_offset, entries, max, &count);
    if (err != BL_OK) return out->message_count > 0 ? BL_OK : err;
    if (count == 0) return BL_OK;
    for (uint32_t i = 0; i < count;) {
      uint32_t done = 0;
      err = take_entries(scan, entries + i, count - i, &done);
      i += done;
      out->scanned += (int32_t)done;
      if (i > 0) out->next_offset = entries[i - 1].queue_offset + entries[i - 1].count;
      if (err == BL_ERR_FULL) return BL_OK;
      if (err != BL_OK) return err;
    }
  }
  return BL_OK;
}

static void answer(struct bl_pulled *out, int32_t code, const char *status, int64_t next_offset) {
  out->code = code;
  out->status = status;
  out->next_offset = next_offset;
  out->counted = true;
}

/* The table of reference protocol.md 6.1b. RETURNS true when it decides without reading. */
static bool decide_by_bounds(const struct bl_pull *pull, struct bl_pulled *out) {
  int32_t moved = bl_err_code(BL_ERR_PULL_MOVED);
  int32_t none = bl_err_code(BL_ERR_PULL_NOT_FOUND);
  int64_t offset = pull->offset;
  if (out->max_offset == 0) {
    answer(out, offset == 0 ? none : moved, "NO_MESSAGE_IN_QUEUE", 0);
    out->none_yet = offset == 0;
    return true;
  }
  if (offset < out->min_offset) {
    answer(out, moved, "OFFSET_TOO_SMALL", out->min_offset);
    return true;
  }
  if (offset > out->max_offset) {
    answer(out, moved, "OFFSET_OVERFLOW_BADLY", out->max_offset);
    return true;
  }
  if (offset == out->max_offset) {
    answer(out, none, "OFFSET_OVERFLOW_ONE", offset);
    out->none_yet = true;
    return true;
  }
  return false;
}

static bl_err read_messages(struct scan *scan, struct bl_topic *topic) {
  struct bl_broker *broker = scan->broker;
  struct bl_pulled *out = scan->out;
  if (bl_broker_open_queue(broker, topic, scan->pull->queue_id, &out->queue) != BL_OK) {
    answer(out, bl_err_code(scan->pull->offset == 0 ? BL_ERR_PULL_NOT_FOUND : BL_ERR_PULL_MOVED),
           "NO_MATCHED_LOGIC_QUEUE", 0);
    return BL_OK;
  }
  out->min_offset = bl_queue_min_offset(out->queue);
  out->max_offset = bl_queue_max_offset(out->queue);
  if (decide_by_bounds(scan->pull, out)) return BL_OK;
  bl_err err = scan_queue(scan);
  if (err != BL_OK) return err;
  if (out->message_count > 0) {
    answer(out, 0, "FOUND", out->next_offset);
    return BL_OK;
  }
  if (out->next_offset > scan->pull->offset) {
    answer(out, bl_err_code(BL_ERR_PULL_RETRY),
           scan->removed ? "MESSAGE_WAS_REMOVING" : "NO_MATCHED_MESSAGE", out->next_offset);
    out->more = scan->cut;
    if (out->more) broker->stats.filter_cuts++;
    return BL_OK;
  }
  /* Reading may have shown a higher minimum. If not, nothing is left up to the end: go on there. */
  out->min_offset = bl_queue_min_offset(out->queue);
  if (decide_by_bounds(scan->pull, out)) return BL_OK;
  answer(out, bl_err_code(BL_ERR_PULL_NOT_FOUND), "OFFSET_FOUND_NULL", out->max_offset);
  return BL_OK;
}

static void note_pull(struct bl_broker *broker, const struct bl_pull *pull,
                      const struct bl_pulled *out) {
  struct bl_offset_row *row = bl_offsets_note_pull(&broker->offsets, pull->topic, pull->group,
                                                   pull->queue_id, out->next_offset);
  if (out->message_count == 0) {
    broker->stats.get_missed++;
    return;
  }
  broker->stats.get_found++;
  broker->stats.get_count += out->message_count;
  broker->stats.get_bytes += out->bytes;
  if (row == NULL) return;
  row->got.calls++;
  row->got.count += out->message_count;
  row->got.bytes += out->bytes;
}

static int32_t limit_of(int32_t asked, int32_t limit) {
  if (asked < 1) return 1;
  return asked < limit ? asked : limit;
}

/* An administrator's reset that this pull is the first to see. The offset that it brings is of
 * before the reset, and not committed. RETURNS whether there is one. */
static bool take_reset(struct bl_broker *broker, const struct bl_pull *pull,
                       struct bl_pulled *out) {
  int64_t target =
      bl_offsets_take_reset(&broker->offsets, pull->topic, pull->group, pull->queue_id);
  if (target < 0 || !broker->settings->server_side_reset) return false;
  const struct bl_queue *queue = bl_queues_find(broker->queues, pull->topic, pull->queue_id);
  out->min_offset = queue != NULL ? bl_queue_min_offset(queue) : 0;
  out->max_offset = queue != NULL ? bl_queue_max_offset(queue) : 0;
  answer(out, bl_err_code(BL_ERR_PULL_MOVED), "OFFSET_RESET", target);
  return true;
}

static bl_err run(struct bl_broker *broker, const struct bl_pull *pull, bool first,
                  struct scan *scan, struct bl_topic *topic) {
  struct bl_pulled *out = scan->out;
  if (broker->offsets.resets > 0 && take_reset(broker, pull, out)) return BL_OK;
  if (first && (pull->sys_flag & BL_PULL_COMMIT) != 0) {
    /* The queue id was checked against the topic: it cannot be refused. */
    bl_err err = bl_offsets_commit(&broker->offsets, pull->topic, pull->group, pull->queue_id,
                                   pull->commit_offset);
    (void)err;
  }
  scan->count_max = limit_of(pull->max_count, broker->settings->max_transfer_count < PULL_COUNT_MAX
                                                  ? broker->settings->max_transfer_count
                                                  : PULL_COUNT_MAX);
  scan->bytes_max = broker->settings->max_transfer_bytes;
  if (pull->max_bytes >= 100 && pull->max_bytes < scan->bytes_max)
    scan->bytes_max = pull->max_bytes;
  bl_err err = read_messages(scan, topic);
  if (err == BL_OK && !out->more) note_pull(broker, pull, out);
  return err;
}

/* One that looks through records has its time. */
static bl_err run_in_time(struct bl_broker *broker, const struct bl_pull *pull, bool first,
                          struct scan *scan, struct bl_topic *topic) {
  if (!bl_wanted_needs_record(&scan->wanted)) return run(broker, pull, first, scan, topic);
  const struct bl_filter *filter = scan->wanted.filter->filter;
  scan->look_cost = filter != NULL ? bl_filter_cost(filter) : 1;
  int64_t from_ns = bl_clock_mono_ns(broker->clock);
  int64_t left_ns = FILTER_NS_PER_TURN - broker->holds.looking_ns;
  scan->until_ns = from_ns + (left_ns < FILTER_NS_PER_PULL ? left_ns : FILTER_NS_PER_PULL);
  bl_err err = run(broker, pull, first, scan, topic);
  broker->holds.looking_ns += bl_clock_mono_ns(broker->clock) - from_ns;
  return err;
}

bl_err bl_broker_pull(struct bl_broker *broker, const struct bl_pull *pull, bool first,
                      struct bl_arena *arena, struct bl_pulled *out_pulled,
                      struct bl_cold_place *out_cold, struct bl_why *why) {
  struct bl_group *group = NULL;
  struct bl_topic *topic = NULL;
  const struct bl_subscription *filter = NULL;
  struct bl_subscription *carried = NULL;
  memset(out_pulled, 0, sizeof(*out_pulled));
  why->text[0] = '\0';
  if (check_group(broker, pull, out_pulled, &group, why) != BL_OK) return BL_OK;
  if (check_topic(broker, pull, out_pulled, &topic, why) != BL_OK) return BL_OK;
  if ((pull->sys_flag & BL_PULL_SUBSCRIPTION) != 0) {
    if (carried_filter(broker, pull, out_pulled, &carried, why) != BL_OK) return BL_OK;
    filter = carried;
  } else if (group_filter(broker, pull, group, out_pulled, &filter, why) != BL_OK) {
    return BL_OK;
  }
  bl_err err = BL_OK;
  if (!bl_subscription_is_tag(filter) && !broker->settings->property_filter) {
    bl_why_set(why, BL_OK, "The broker does not support consumer to filter message by %.*s",
               BL_FMT(filter->expression_type));
    refuse(out_pulled, BL_ERR_SYSTEM, BL_FORBIDDEN_NONE);
  } else {
    struct scan scan = {.broker = broker,
                        .pull = pull,
                        .wanted = bl_wanted_of(broker, pull->group, pull->topic, filter),
                        .arena = arena,
                        .out = out_pulled,
                        .cold = out_cold};
    if (bl_topic_expires(topic)) scan.wanted.now_ms = bl_clock_wall_ms(broker->clock);
    out_pulled->topic_sys_flag = topic->sys_flag;
    out_pulled->group_sys_flag = group->sys_flag;
    err = run_in_time(broker, pull, first, &scan, topic);
  }
  bl_subscription_free(carried);
  return err;
}
