#include "broker/pull/holds.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "broker/pull/wanted.h"

/* The core is not held longer than that by holds; the clock is looked at now and then. */
#define WAKES_NS_PER_TURN 200000
#define WAKES_PER_LOOK 8
/* It is looked at after so many bytes, too: they may have been copied out of files. */
#define WAKES_BYTES_PER_LOOK (32 << 10)
/* Of those that wait for the disk so many are looked at when a place is free. */
#define COLD_LOOKS 64

static void answer_late(struct bl_hold *hold);

/* The holds of one queue hang at the queue's user pointer. */
struct queue_holds {
  struct bl_list list;
  int32_t reading;
};

static struct queue_holds *holds_of(struct bl_queue *queue) {
  struct queue_holds *holds = bl_queue_user(queue);
  if (holds == NULL) {
    holds = calloc(1, sizeof(*holds));
    BL_ASSERT(holds != NULL);
    bl_list_init(&holds->list);
    bl_queue_set_user(queue, holds);
  }
  return holds;
}

static struct bl_slice conn_key(const uint64_t *conn_id) {
  return bl_slice_of(conn_id, sizeof(*conn_id));
}

/* The holds of one connection. */
struct bl_conn_holds {
  struct bl_list list;
  int32_t count;
  int32_t reading;
};

static void add_to_conn(struct bl_holds *holds, struct bl_hold *hold) {
  struct bl_conn_holds *of_conn = bl_map_get(&holds->by_conn, conn_key(&hold->ticket.conn_id));
  if (of_conn == NULL) {
    of_conn = calloc(1, sizeof(*of_conn));
    BL_ASSERT(of_conn != NULL);
    bl_list_init(&of_conn->list);
    bl_map_put(&holds->by_conn, conn_key(&hold->ticket.conn_id), of_conn);
  }
  bl_list_add_last(&of_conn->list, &hold->of_conn);
  of_conn->count++;
  hold->conn = of_conn;
}

static void make_ready(struct bl_hold *hold) {
  if (hold->state == BL_HOLD_COLD) hold->broker->holds.cold_waiting--;
  bl_list_remove(&hold->node);
  hold->state = BL_HOLD_READY;
  bl_list_add_last(&hold->broker->holds.ready, &hold->node);
}

/* What one expression said of the record that came: the holds of a group all have the same. */
struct said {
  const struct bl_filter *filter;
  bool wanted;
  uint32_t compared; /* by bl_filter_cost */
};

static bool wants_record(const struct bl_wanted *wanted, const struct bl_record *record,
                         struct said *said) {
  if (wanted->group == NULL && said->filter == wanted->filter->filter) return said->wanted;
  /* Woken, it looks by itself, and has its time for that. */
  if (said->compared >= BL_HOLDS_COMPARED_MAX) return true;
  said->compared += bl_filter_cost(wanted->filter->filter);
  said->filter = wanted->group == NULL ? wanted->filter->filter : NULL;
  said->wanted = bl_wanted_record(wanted, record->properties);
  return said->wanted;
}

static const struct bl_subscription *of_group(struct bl_broker *broker,
                                              const struct bl_pull *pull) {
  const struct bl_member_group *members = bl_members_consumers(broker, pull->group);
  return members != NULL ? bl_member_group_subscription(members, pull->topic) : NULL;
}

static bool wants(const struct bl_hold *hold, const struct bl_queue_entry *entry,
                  const struct bl_record *record, struct said *said) {
  if (entry->queue_offset + entry->count <= hold->pull.offset) return false;
  const struct bl_subscription *filter = hold->filter;
  if (filter == NULL) filter = of_group(hold->broker, &hold->pull);
  /* Who left meanwhile is woken too: the pull says so. */
  if (filter == NULL) return true;
  if (hold->filter == NULL && filter->version != hold->version) return true;
  if (!bl_subscription_matches(filter, entry->tags_code)) return false;
  if (filter->filter == NULL) return true;
  struct bl_wanted wanted = bl_wanted_of(hold->broker, hold->pull.group, hold->pull.topic, filter);
  return wants_record(&wanted, record, said);
}

static void on_entry(void *context, struct bl_queue *queue, const struct bl_queue_entry *entry,
                     const struct bl_record *record) {
  struct said said = {.filter = NULL};
  (void)context;
  struct queue_holds *holds = bl_queue_user(queue);
  if (holds == NULL || bl_list_empty(&holds->list)) return;
  struct bl_list *next;
  for (struct bl_list *node = holds->list.next; node != &holds->list; node = next) {
    next = node->next;
    struct bl_hold *hold = BL_CONTAINER(node, struct bl_hold, node);
    if (wants(hold, entry, record, &said)) make_ready(hold);
  }
}

/* It waits for the disk, and has done so for too long. */
static void be_late(struct bl_hold *hold) {
  struct bl_holds *holds = &hold->broker->holds;
  hold->cold_late = true;
  holds->cold_late++;
  if (hold->state == BL_HOLD_COLD) {
    make_ready(hold);
    return;
  }
  /* The read goes on; whom it was for is told now. */
  answer_late(hold);
  hold->gone = true;
}

static void on_deadline(struct bl_timer *timer, int64_t now_ms) {
  struct bl_hold *hold = BL_CONTAINER(timer, struct bl_hold, timer);
  (void)now_ms;
  if (hold->state == BL_HOLD_COLD || hold->state == BL_HOLD_READING) {
    be_late(hold);
  } else {
    make_ready(hold);
  }
}

void bl_holds_init(struct bl_broker *broker) {
  bl_list_init(&broker->holds.ready);
  bl_list_init(&broker->holds.cold);
  bl_map_init(&broker->holds.by_conn);
  broker->holds.filter_bytes_max = BL_HOLDS_FILTER_BYTES_MAX;
  bl_queues_on_entry(broker->queues, on_entry, broker);
}

static void free_hold(struct bl_hold *hold) {
  struct bl_holds *holds = &hold->broker->holds;
  bl_timer_cancel(hold->broker->timers, &hold->timer);
  if (hold->state == BL_HOLD_COLD) holds->cold_waiting--;
  bl_list_remove(&hold->node);
  if (hold->conn != NULL) hold->conn->count--;
  bl_list_remove(&hold->of_conn);
  bl_subscription_free(hold->filter);
  free(hold->texts);
  holds->filter_bytes -= hold->filter_bytes;
  free(hold);
  holds->count--;
}

void bl_holds_fini(struct bl_broker *broker) {
  size_t cursor = 0;
  struct bl_queue *queue;
  while ((queue = bl_queues_next(broker->queues, &cursor)) != NULL) {
    struct queue_holds *holds = bl_queue_user(queue);
    if (holds == NULL) continue;
    while (!bl_list_empty(&holds->list))
      free_hold(BL_CONTAINER(holds->list.next, struct bl_hold, node));
    free(holds);
    bl_queue_set_user(queue, NULL);
  }
  while (!bl_list_empty(&broker->holds.ready)) {
    free_hold(BL_CONTAINER(broker->holds.ready.next, struct bl_hold, node));
  }
  while (!bl_list_empty(&broker->holds.cold)) {
    free_hold(BL_CONTAINER(broker->holds.cold.next, struct bl_hold, node));
  }
  BL_ASSERT(broker->holds.count == 0);
  const struct bl_map_entry *entry;
  cursor = 0;
  while ((entry = bl_map_next(&broker->holds.by_conn, &cursor)) != NULL) free(entry->value);
  bl_map_fini(&broker->holds.by_conn);
}

void bl_holds_conn_closed(struct bl_broker *broker, uint64_t conn_id) {
  struct bl_conn_holds *of_conn = bl_map_remove(&broker->holds.by_conn, conn_key(&conn_id));
  if (of_conn == NULL) return;
  struct bl_list *node;
  while ((node = bl_list_take_first(&of_conn->list)) != NULL) {
    struct bl_hold *hold = BL_CONTAINER(node, struct bl_hold, of_conn);
    hold->conn = NULL;
    if (hold->state == BL_HOLD_READING) {
      hold->gone = true;
    } else {
      free_hold(hold);
    }
  }
  free(of_conn);
}

static char *put_text(char *at, struct bl_slice from, struct bl_slice *out) {
  *out = from;
  if (from.ptr == NULL) return at;
  if (from.len > 0) memcpy(at, from.ptr, from.len);
  *out = bl_slice_of(at, from.len);
  return at + from.len;
}

/* An expression that does not count is not kept: a header may have a megabyte of it. */
static void keep_texts(struct bl_hold *hold) {
  struct bl_pull *pull = &hold->pull;
  if ((pull->sys_flag & BL_PULL_SUBSCRIPTION) == 0) {
    pull->subscription = (struct bl_slice){NULL, 0};
    pull->expression_type = (struct bl_slice){NULL, 0};
  }
  hold->texts = malloc(pull->group.len + pull->topic.len + pull->subscription.len +
                       pull->expression_type.len + 1);
  BL_ASSERT(hold->texts != NULL);
  char *at = put_text(hold->texts, pull->group, &pull->group);
  at = put_text(at, pull->topic, &pull->topic);
  at = put_text(at, pull->subscription, &pull->subscription);
  put_text(at, pull->expression_type, &pull->expression_type);
}

static int64_t filter_bytes_of(const struct bl_pull *pull) {
  if ((pull->sys_flag & BL_PULL_SUBSCRIPTION) == 0) return 0;
  return BL_HOLDS_FILTER_FACTOR * (int64_t)(pull->subscription.len + pull->expression_type.len);
}

static struct bl_hold *new_hold(struct bl_broker *broker, const struct bl_ticket *ticket,
                                const struct bl_pull *pull, struct bl_queue *queue) {
  struct bl_hold *hold = calloc(1, sizeof(*hold));
  BL_ASSERT(hold != NULL);
  hold->broker = broker;
  hold->ticket = *ticket;
  hold->pull = *pull;
  hold->filter_bytes = filter_bytes_of(pull);
  keep_texts(hold);
  snprintf(hold->peer, sizeof(hold->peer), "%s", pull->peer);
  hold->pull.peer = hold->peer;
  if ((pull->sys_flag & BL_PULL_SUBSCRIPTION) == 0) {
    const struct bl_subscription *filter = of_group(broker, pull);
    hold->version = filter != NULL ? filter->version : 0;
  }
  hold->timer.fire = on_deadline;
  hold->queue = queue;
  broker->holds.count++;
  broker->holds.filter_bytes += hold->filter_bytes;
  add_to_conn(&broker->holds, hold);
  return hold;
}

static bool may_hold(struct bl_broker *broker, uint64_t conn_id, const struct bl_pull *pull) {
  struct bl_holds *holds = &broker->holds;
  const struct bl_conn_holds *of_conn = bl_map_get(&holds->by_conn, conn_key(&conn_id));
  bool has_place = of_conn == NULL || of_conn->count < broker->settings->holds_per_conn_max;
  bool has_room = holds->filter_bytes + filter_bytes_of(pull) <= holds->filter_bytes_max;
  if (holds->count < broker->settings->holds_max && has_place && has_room && !broker->closing)
    return true;
  holds->refused++;
  return false;
}

bool bl_holds_park(struct bl_broker *broker, const struct bl_ticket *ticket,
                   const struct bl_pull *pull, struct bl_queue *queue) {
  if (!may_hold(broker, ticket->conn_id, pull)) return false;
  struct bl_hold *hold = new_hold(broker, ticket, pull, queue);
  if ((pull->sys_flag & BL_PULL_SUBSCRIPTION) != 0) {
    /* It was parsed a moment ago. */
    BL_ASSERT(bl_subscription_new(pull->topic, pull->subscription, pull->expression_type,
                                  pull->sub_version, &hold->filter) == BL_OK);
    BL_ASSERT(bl_subscription_compile(hold->filter, &broker->filters, NULL) == BL_OK);
  }
  bl_list_add_last(&holds_of(queue)->list, &hold->node);
  bl_timer_set(broker->timers, &hold->timer, bl_clock_mono_ms(broker->clock) + pull->suspend_ms);
  return true;
}

static void start_cold(struct bl_holds *holds);

static void was_read(struct bl_hold *hold, bl_err err) {
  struct bl_holds *holds = &hold->broker->holds;
  holds->reading--;
  holds_of(hold->queue)->reading--;
  if (hold->conn != NULL) hold->conn->reading--;
  if (hold->gone) {
    free_hold(hold);
  } else {
    /* What retention took meanwhile is found out by pulling again. */
    if (err != BL_ERR_NOT_FOUND) hold->cold_err = err;
    make_ready(hold);
  }
  start_cold(holds);
}

static void on_queue_warm(struct bl_queue_warm *warm) {
  was_read(BL_CONTAINER(warm, struct bl_hold, warm.queue), warm->err);
}

static void on_log_warm(struct bl_store_warm *warm) {
  was_read(BL_CONTAINER(warm, struct bl_hold, warm.log), warm->err);
}

static bool may_read(const struct bl_hold *hold) {
  return hold->broker->holds.reading < BL_COLD_READING_MAX &&
         hold->conn->reading < BL_COLD_READING_PER_CONN &&
         holds_of(hold->queue)->reading < BL_COLD_READING_PER_QUEUE;
}

static void read_cold(struct bl_hold *hold) {
  const struct bl_cold_place *place = &hold->place;
  hold->state = BL_HOLD_READING;
  hold->broker->holds.reading++;
  hold->conn->reading++;
  holds_of(hold->queue)->reading++;
  if (place->queue != NULL) {
    bl_queue_warm(place->queue, &hold->warm.queue, place->queue_offset, on_queue_warm);
  } else {
    bl_store_warm(hold->broker->store, &hold->warm.log, place->log_offset, place->log_bytes,
                  on_log_warm);
  }
}

/* Those that wait, in order; who is over its own limit lets others pass. */
static void start_cold(struct bl_holds *holds) {
  struct bl_list *next = holds->cold.next;
  for (int i = 0; i < COLD_LOOKS && next != &holds->cold; i++) {
    struct bl_hold *hold = BL_CONTAINER(next, struct bl_hold, node);
    next = next->next;
    if (holds->reading >= BL_COLD_READING_MAX) return;
    if (!may_read(hold)) continue;
    bl_list_remove(&hold->node);
    holds->cold_waiting--;
    read_cold(hold);
  }
}

static void wait_for_disk(struct bl_hold *hold, const struct bl_cold_place *place) {
  struct bl_broker *broker = hold->broker;
  hold->place = *place;
  /* Its time may have ended while it was ready, unnoticed: it is not without an end. */
  if (hold->cold_count++ == 0 || hold->timer.place == 0) {
    bl_timer_set(broker->timers, &hold->timer, bl_clock_mono_ms(broker->clock) + BL_COLD_WAIT_MS);
  }
  if (may_read(hold)) {
    read_cold(hold);
    return;
  }
  hold->state = BL_HOLD_COLD;
  broker->holds.cold_waiting++;
  broker->holds.cold_waits++;
  bl_list_add_last(&broker->holds.cold, &hold->node);
}

bool bl_holds_warm(struct bl_broker *broker, const struct bl_ticket *ticket,
                   const struct bl_pull *pull, struct bl_queue *queue,
                   const struct bl_cold_place *cold) {
  if (!may_hold(broker, ticket->conn_id, pull)) return false;
  wait_for_disk(new_hold(broker, ticket, pull, queue), cold);
  return true;
}

bool bl_holds_go_on(struct bl_broker *broker, const struct bl_ticket *ticket,
                    const struct bl_pull *pull, struct bl_queue *queue) {
  if (!may_hold(broker, ticket->conn_id, pull)) return false;
  struct bl_hold *hold = new_hold(broker, ticket, pull, queue);
  hold->state = BL_HOLD_READY;
  bl_list_add_last(&broker->holds.ready, &hold->node);
  return true;
}

static void answer_error(struct bl_hold *hold, bl_err err, struct bl_why *why) {
  struct bl_pulled pulled = {.code = bl_err_code(err)};
  hold->broker->holds.answer(hold->broker, &hold->ticket, &hold->pull, &pulled, why);
}

static void answer_late(struct bl_hold *hold) {
  struct bl_why why;
  bl_why_set(&why, BL_OK,
             "broker busy: the disk did not give the messages within %d ms; pulls that wait for "
             "it: %d; try again",
             BL_COLD_WAIT_MS, hold->broker->holds.reading + hold->broker->holds.cold_waiting);
  answer_error(hold, BL_ERR_BUSY, &why);
}

/* A client drops what does not match the subscription that it had when it asked, and commits behind
 * it: when the group's has changed since, it gets nothing and asks anew. */
static void empty_when_changed(const struct bl_hold *hold, struct bl_pulled *pulled) {
  if ((hold->pull.sys_flag & BL_PULL_SUBSCRIPTION) != 0 || pulled->message_count == 0) return;
  const struct bl_subscription *filter = of_group(hold->broker, &hold->pull);
  if (filter != NULL && filter->version == hold->version) return;
  pulled->code = bl_err_code(BL_ERR_PULL_NOT_FOUND);
  pulled->status = "OFFSET_FOUND_NULL";
  pulled->next_offset = hold->pull.offset;
  pulled->body_count = 0;
  pulled->message_count = 0;
  pulled->bytes = 0;
}

/* Runs a woken pull again from its checks on. */
static void answer(struct bl_hold *hold, struct bl_arena *arena) {
  struct bl_broker *broker = hold->broker;
  struct bl_pulled pulled;
  struct bl_cold_place cold;
  struct bl_why why;
  bl_list_remove(&hold->node);
  bl_err err = hold->cold_err;
  if (err == BL_OK && hold->cold_late) {
    answer_late(hold);
    free_hold(hold);
    return;
  }
  if (err == BL_OK) err = bl_broker_pull(broker, &hold->pull, false, arena, &pulled, &cold, &why);
  if (err == BL_ERR_COLD) {
    if (hold->cold_count == 0) hold->queue = pulled.queue;
    bl_pull_go_on(&hold->pull, &pulled);
    wait_for_disk(hold, &cold);
    return;
  }
  if (err == BL_OK && pulled.more) {
    bl_pull_go_on(&hold->pull, &pulled);
    hold->state = BL_HOLD_READY;
    bl_list_add_last(&broker->holds.ready, &hold->node);
    return;
  }
  if (err != BL_OK) {
    bl_why_set(&why, err, "%s", bl_err_text(err));
    answer_error(hold, err, &why);
  } else {
    empty_when_changed(hold, &pulled);
    broker->holds.answer(broker, &hold->ticket, &hold->pull, &pulled, &why);
  }
  free_hold(hold);
}

bool bl_holds_turn(struct bl_broker *broker) {
  struct bl_holds *holds = &broker->holds;
  holds->looking_ns = 0;
  if (bl_list_empty(&holds->ready)) return false;
  int64_t until_ns = bl_clock_mono_ns(broker->clock) + WAKES_NS_PER_TURN;
  int64_t bytes = broker->stats.get_bytes;
  for (int i = 1; !bl_list_empty(&holds->ready); i++) {
    int64_t looked = broker->stats.filter_looked;
    int64_t cuts = broker->stats.filter_cuts;
    answer(BL_CONTAINER(holds->ready.next, struct bl_hold, node), bl_broker_arena(broker));
    if (broker->stats.filter_cuts != cuts) break; /* it had what there is for one */
    bool large = broker->stats.get_bytes - bytes >= WAKES_BYTES_PER_LOOK;
    bool look = large || i % WAKES_PER_LOOK == 0 || broker->stats.filter_looked != looked;
    if (large) bytes = broker->stats.get_bytes;
    if (look && bl_clock_mono_ns(broker->clock) >= until_ns) break;
  }
  return !bl_list_empty(&holds->ready);
}

static void wake_queue(const struct bl_queue *queue, struct bl_slice group) {
  struct queue_holds *holds = queue != NULL ? bl_queue_user(queue) : NULL;
  struct bl_list *next;
  if (holds == NULL) return;
  for (struct bl_list *node = holds->list.next; node != &holds->list; node = next) {
    next = node->next;
    struct bl_hold *hold = BL_CONTAINER(node, struct bl_hold, node);
    if (group.ptr == NULL || bl_slice_eq(hold->pull.group, group)) make_ready(hold);
  }
}

void bl_holds_wake_group(struct bl_broker *broker, struct bl_slice topic, struct bl_slice group) {
  const struct bl_topic *of = bl_topics_find(&broker->topics, topic);
  if (of != NULL && bl_topic_is_light(&broker->topics, of))
    wake_queue(bl_queues_find(broker->queues, topic, 0), group);
  for (int32_t i = 0; of != NULL && i < of->queue_slots; i++) wake_queue(of->queues[i], group);
}

void bl_holds_wake_topic(struct bl_broker *broker, struct bl_slice topic) {
  bl_holds_wake_group(broker, topic, (struct bl_slice){NULL, 0});
}
