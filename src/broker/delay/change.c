#include "broker/broker.h"
#include "broker/delay/delay_internal.h"
#include "broker/delay/operate.h"
#include "broker/retention/retention.h"
#include "broker/send/put.h"
#include "wire/properties.h"

#define STEP_NS 100000
#define STEPS_PER_LOOK 4
#define LOOK_MAX 4096
#define TIMER_TOPIC BL_SLICE(BL_PENDING_TIMER_TOPIC)
#define LEVEL_TOPIC BL_SLICE(BL_PENDING_LEVEL_TOPIC)
#define DELETE_KEY "TIMER_DEL_UNIQKEY"
#define OUT_MS "TIMER_OUT_MS"

static enum bl_delay_operation end(struct bl_delay_change *change, bl_err err) {
  change->part = BL_DELAY_CHANGE_END;
  change->err = err;
  return BL_DELAY_ENDED;
}

/* The records that take the old one away. */

static bool is_made_anew(struct bl_slice name) {
  return bl_slice_is(name, BL_PENDING_MARK) || bl_slice_is(name, BL_PENDING_DUE) ||
         bl_slice_is(name, BL_PENDING_ORDER) || bl_slice_is(name, BL_RECORD_CRC_PROPERTY) ||
         bl_slice_is(name, OUT_MS) || bl_slice_eq(name, BL_PROP_DELAY) ||
         bl_slice_eq(name, BL_PROP_TIMER_DELAY_SEC) || bl_slice_eq(name, BL_PROP_TIMER_DELAY_MS) ||
         bl_slice_eq(name, BL_PROP_TIMER_DELIVER_MS);
}

/* TIMER_OUT_MS as apply.c has it. */
static void put_moved(struct bl_delay_change *change, int64_t due_ms, struct bl_buf *out) {
  struct bl_slice rest = change->stored.properties;
  struct bl_slice name;
  struct bl_slice value;
  while (bl_properties_next(&rest, &name, &value)) {
    if (!is_made_anew(name)) bl_properties_put(out, name, value);
  }
  bl_properties_put_i64(out, BL_SLICE("TIMER_DELIVER_MS"), due_ms);
  bl_properties_put_i64(out, BL_SLICE(OUT_MS),
                        (due_ms - 1) / BL_PENDING_SLOT_MS * BL_PENDING_SLOT_MS);
  bl_properties_put_i64(out, BL_SLICE(BL_PENDING_DUE), due_ms);
}

/* To a Java broker it is a recall: source TimerMessageStore#buildDeleteKey. */
static void put_order(struct bl_delay_change *change, struct bl_buf *out) {
  struct bl_slice properties = change->stored.properties;
  struct bl_slice topic = bl_properties_get(properties, BL_PROP_REAL_TOPIC);
  struct bl_slice key = bl_properties_get(properties, BL_PROP_UNIQ_KEY);
  int64_t due_ms = change->entry.due_ms;
  int64_t out_ms;
  if (!bl_slice_i64(bl_properties_get(properties, BL_SLICE(OUT_MS)), &out_ms))
    out_ms = (due_ms - 1) / BL_PENDING_SLOT_MS * BL_PENDING_SLOT_MS;
  bl_properties_put_i64(out, BL_SLICE(BL_PENDING_ORDER), 1);
  bl_buf_put_text(out, DELETE_KEY "\1");
  bl_buf_put_slice(out, topic);
  bl_buf_put_char(out, '+');
  bl_buf_put_slice(out, key);
  bl_buf_put_char(out, '\2');
  bl_properties_put_i64(out, BL_SLICE(OUT_MS), out_ms);
  bl_properties_put(out, BL_PROP_REAL_TOPIC, topic);
  bl_properties_put_i64(out, BL_SLICE("REAL_QID"), 0);
  if (key.len > 0) bl_properties_put(out, BL_PROP_UNIQ_KEY, key);
}

static bl_err append(struct bl_delay_change *change) {
  struct bl_broker *broker = change->broker;
  struct bl_buf *properties = &broker->delay->properties;
  const struct bl_record *stored = &change->stored;
  int64_t now_ms = bl_clock_wall_ms(broker->clock);
  int64_t due_ms = change->new_due_ms > now_ms ? change->new_due_ms : now_ms;
  struct bl_record record = {.born_ms = now_ms,
                             .born_host = change->born_host,
                             .store_host = broker->store_host,
                             .topic = TIMER_TOPIC,
                             .body = BL_SLICE("0")};
  bl_buf_clear(properties);
  bl_pending_put_mark(properties, &change->entry);
  if (change->moves) {
    record.flag = stored->flag;
    record.sys_flag = stored->sys_flag;
    record.reconsume_times = stored->reconsume_times;
    record.born_ms = stored->born_ms;
    record.born_host = stored->born_host;
    record.body = stored->body;
    put_moved(change, due_ms, properties);
  } else {
    put_order(change, properties);
  }
  bl_err err = bl_broker_put(broker, &record, properties, NULL, &change->why);
  if (err != BL_OK) return err;
  bl_pending_claim(broker->pending, &change->hold);
  change->changed++;
  if (change->moves) {
    broker->delay->stats.moved++;
  } else {
    broker->delay->stats.dropped++;
  }
  change->end_offset = record.log_offset + record.size_bytes;
  change->log_offset_now = record.log_offset;
  return BL_OK;
}

/* Which records could be meant. */

static void on_found(struct bl_message_search *search) {
  struct bl_delay_change *change = BL_CONTAINER(search, struct bl_delay_change, search);
  change->searching = false;
}

static void on_fetched(struct bl_record_fetch *fetch) {
  struct bl_delay_change *change = BL_CONTAINER(fetch, struct bl_delay_change, fetch);
  change->fetching = false;
  change->fetched = true;
}

static void end_fetch(struct bl_delay_change *change) {
  if (change->fetched) bl_record_fetch_fini(&change->fetch);
  change->fetched = false;
}

static void on_recall(struct bl_record_fetch *fetch) {
  struct bl_delay_change *change = BL_CONTAINER(fetch, struct bl_delay_change, recall);
  change->recall_fetching = false;
  change->recall_fetched = true;
}

/* RETURNS false while the disk is read. */
static bool fetch(struct bl_delay_change *change, int64_t log_offset) {
  if (change->fetched) return true;
  change->fetching = true;
  bl_record_fetch_start(&change->fetch, change->broker, log_offset, on_fetched);
  return !change->fetching;
}

static void search(struct bl_delay_change *change, struct bl_slice topic) {
  change->at = 0;
  change->searching = true;
  bl_message_search_start(&change->search, change->broker, topic, change->uniq_key, 0, INT64_MAX,
                          BL_MESSAGE_SEARCH_MAX, on_found);
}

static enum bl_delay_operation start(struct bl_delay_change *change) {
  struct bl_broker *broker = change->broker;
  int64_t now_ms = bl_clock_wall_ms(broker->clock);
  int64_t max_ms = broker->settings->timer_max_delay_sec * 1000;
  if (bl_topics_find(&broker->topics, change->topic) == NULL) {
    return end(change, bl_why_set(&change->why, BL_ERR_NO_TOPIC, "topic %.*s does not exist",
                                  BL_FMT(change->topic)));
  }
  if (change->moves && change->new_due_ms > now_ms && change->new_due_ms - now_ms > max_ms) {
    return end(change,
               bl_why_set(&change->why, BL_ERR_MESSAGE_ILLEGAL,
                          "the new time is further ahead than timerMaxDelaySec allows, %lld "
                          "seconds",
                          (long long)broker->settings->timer_max_delay_sec));
  }
  bl_err err = bl_retention_may_send(broker->retention, &change->why);
  if (err != BL_OK) return end(change, err);
  change->part = BL_DELAY_CHANGE_SEARCH;
  if (change->uniq_key.ptr != NULL) search(change, TIMER_TOPIC);
  return BL_DELAY_MORE;
}

/* Timers first, then levels. */
static enum bl_delay_operation searched(struct bl_delay_change *change) {
  if (change->uniq_key.ptr == NULL) {
    if (!fetch(change, change->log_offset)) return BL_DELAY_WAITS;
  } else if (change->search.err != BL_OK) {
    return end(change, bl_why_set(&change->why, change->search.err,
                                  change->search.err == BL_ERR_BUSY
                                      ? "a part of the key index is made again from the log now; "
                                        "try again in a moment"
                                      : "the key index cannot be read: %s",
                                  bl_err_text(change->search.err)));
  }
  change->part = BL_DELAY_CHANGE_NEXT;
  return BL_DELAY_MORE;
}

static enum bl_delay_operation all_done(struct bl_delay_change *change) {
  if (change->uniq_key.ptr != NULL && !change->level_searched) {
    change->level_searched = true;
    bl_message_search_fini(&change->search);
    search(change, LEVEL_TOPIC);
    change->part = BL_DELAY_CHANGE_SEARCH;
    return BL_DELAY_MORE;
  }
  if (change->changed > 0) return end(change, BL_OK);
  if (change->recalled) {
    return end(change, bl_why_set(&change->why, BL_ERR_NOT_ALLOWED,
                                  "the message was recalled by its sender; it is dropped when its "
                                  "time comes"));
  }
  return end(change, bl_why_set(&change->why, BL_ERR_NOT_FOUND,
                                "no such message of topic %.*s waits: it was delivered or "
                                "cancelled, or was never delayed",
                                BL_FMT(change->topic)));
}

static bool is_meant(const struct bl_delay_change *change) {
  struct bl_slice properties = change->stored.properties;
  struct bl_slice key = bl_properties_get(properties, BL_PROP_UNIQ_KEY);
  if (!bl_slice_eq(bl_properties_get(properties, BL_PROP_REAL_TOPIC), change->topic)) return false;
  if (change->uniq_key.ptr != NULL) return bl_slice_eq(key, change->uniq_key);
  /* The same place in another broker's log is another message. */
  const struct bl_host *host = &change->store_host;
  const struct bl_host *of = &change->stored.store_host;
  return host->addr_bytes == 0 || (host->addr_bytes == of->addr_bytes && host->port == of->port &&
                                   memcmp(host->addr, of->addr, host->addr_bytes) == 0);
}

static enum bl_delay_operation next(struct bl_delay_change *change) {
  struct bl_pending *pending = change->broker->pending;
  bl_err err;
  bl_pending_let_go(&change->hold);
  if (change->uniq_key.ptr == NULL) {
    if (change->at++ > 0) return all_done(change);
    err = change->fetch.err;
    if (err == BL_OK) change->stored = change->fetch.record;
  } else {
    if (change->at == change->search.found_count) return all_done(change);
    err =
        bl_record_decode(change->search.found[change->at++], BL_RECORD_UNCHECKED, &change->stored);
  }
  if (err != BL_OK || !is_meant(change) ||
      !bl_pending_read(pending, &change->stored, &change->entry) ||
      change->entry.kind != BL_PENDING_MESSAGE)
    return BL_DELAY_MORE;
  bl_pending_hold(pending, &change->hold, &change->entry);
  change->part = change->hold.broken ? BL_DELAY_CHANGE_NEXT : BL_DELAY_CHANGE_LOOK;
  return BL_DELAY_MORE;
}

/* Whether it waits, and whether an order of its sender waits before it. */

/* Orders are due at most a slot before what they drop. */
static bool start_look(struct bl_delay_change *change) {
  struct bl_pending_ask ask = {
      .after = {change->entry.due_ms - BL_PENDING_SLOT_MS, -1},
      .until_ms = change->entry.due_ms,
      .max = LOOK_MAX,
      .cancels_only = true,
      .message_at = change->entry.log_offset,
  };
  change->look = bl_pending_look_new(change->broker->pending, &ask);
  change->look_at = 0;
  return change->look != NULL;
}

static enum bl_delay_operation look(struct bl_delay_change *change) {
  const struct bl_clock *clock = change->broker->clock;
  int64_t until_ns = bl_clock_mono_ns(clock) + STEP_NS;
  if (change->look == NULL && !start_look(change)) return BL_DELAY_MORE;
  for (int i = 1;; i++) {
    enum bl_pending_look_step step = bl_pending_look_step(change->look);
    if (step == BL_PENDING_LOOK_WAIT) return BL_DELAY_WAITS;
    if (step == BL_PENDING_LOOK_DONE) break;
    if (i % STEPS_PER_LOOK == 0 && bl_clock_mono_ns(clock) > until_ns) return BL_DELAY_MORE;
  }
  change->part = BL_DELAY_CHANGE_RECALLS;
  return BL_DELAY_MORE;
}

static bool drops_it(const struct bl_delay_change *change, const struct bl_record *recall) {
  char text[1024];
  struct bl_slice properties = change->stored.properties;
  struct bl_slice topic = bl_properties_get(properties, BL_PROP_REAL_TOPIC);
  struct bl_slice key = bl_properties_get(properties, BL_PROP_UNIQ_KEY);
  if (key.len == 0 || topic.len + 1 + key.len > sizeof(text)) return false;
  memcpy(text, topic.ptr, topic.len);
  text[topic.len] = '+';
  memcpy(text + topic.len + 1, key.ptr, key.len);
  return bl_slice_eq(bl_properties_get(recall->properties, BL_SLICE(DELETE_KEY)),
                     bl_slice_of(text, topic.len + 1 + key.len));
}

static void end_look(struct bl_delay_change *change, enum bl_delay_change_part part) {
  bl_pending_look_free(change->look);
  change->look = NULL;
  change->part = part;
}

/* The record that is to be moved is needed until then: recalls are read into `recall`. */
static enum bl_delay_operation recalls(struct bl_delay_change *change) {
  const struct bl_pending_entry *entries;
  uint32_t count;
  struct bl_pending_place place;
  bool all;
  bl_err err = bl_pending_look_result(change->look, &entries, &count, &place, &all);
  if (err != BL_OK) {
    return end(change, bl_why_set(&change->why, err,
                                  "the times of delayed messages are made again from the log now; "
                                  "try again in a moment"));
  }
  for (; change->look_at < count; change->look_at++) {
    const struct bl_pending_entry *entry = &entries[change->look_at];
    if (entry->log_offset == change->entry.log_offset) {
      end_look(change, BL_DELAY_CHANGE_APPEND);
      return BL_DELAY_MORE;
    }
    /* To cancel what was recalled does no harm. */
    if (entry->kind != BL_PENDING_CANCEL || !change->moves) continue;
    if (!change->recall_fetched) {
      change->recall_fetching = true;
      bl_record_fetch_start(&change->recall, change->broker, entry->log_offset, on_recall);
      if (change->recall_fetching) return BL_DELAY_WAITS;
    }
    bool drops = change->recall.err == BL_OK && drops_it(change, &change->recall.record);
    bl_record_fetch_fini(&change->recall);
    change->recall_fetched = false;
    if (drops) {
      change->recalled = true;
      break;
    }
  }
  end_look(change, BL_DELAY_CHANGE_NEXT);
  return BL_DELAY_MORE;
}

static enum bl_delay_operation put(struct bl_delay_change *change) {
  change->part = BL_DELAY_CHANGE_NEXT;
  if (change->hold.broken) return BL_DELAY_MORE; /* its time came */
  bl_err err = append(change);
  if (err == BL_OK) return BL_DELAY_MORE;
  if (err != BL_ERR_BUSY) return end(change, err);
  change->part = BL_DELAY_CHANGE_APPEND; /* when there is room in the log */
  return BL_DELAY_MORE;
}

enum bl_delay_operation bl_delay_change_step(struct bl_delay_change *change) {
  if (change->searching || change->fetching || change->recall_fetching) return BL_DELAY_WAITS;
  switch (change->part) {
    case BL_DELAY_CHANGE_START: return start(change);
    case BL_DELAY_CHANGE_SEARCH: return searched(change);
    case BL_DELAY_CHANGE_NEXT: return next(change);
    case BL_DELAY_CHANGE_LOOK: return look(change);
    case BL_DELAY_CHANGE_RECALLS: return recalls(change);
    case BL_DELAY_CHANGE_APPEND: return put(change);
    default: return BL_DELAY_ENDED;
  }
}

bool bl_delay_change_may_free(const struct bl_delay_change *change) {
  return !change->searching && !change->fetching && !change->recall_fetching;
}

void bl_delay_change_fini(struct bl_delay_change *change) {
  bl_pending_let_go(&change->hold);
  bl_pending_look_free(change->look);
  end_fetch(change);
  if (change->recall_fetched) bl_record_fetch_fini(&change->recall);
  if (change->search.broker != NULL) bl_message_search_fini(&change->search);
}
