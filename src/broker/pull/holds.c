#include "broker/pull/holds.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"

/* The core is not held longer than that by holds; the clock is looked at now and then. */
#define WAKES_NS_PER_TURN 200000
#define WAKES_PER_LOOK 8
/* After so many waits for the disk the read may block: the page cache forgets faster than we ask.
 */
#define COLD_TRIES 4

/* The holds of one queue hang at the queue's user pointer. */
struct queue_holds {
  struct bl_list list;
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
struct conn_holds {
  struct bl_list list;
};

static void add_to_conn(struct bl_holds *holds, struct bl_hold *hold) {
  struct conn_holds *of_conn = bl_map_get(&holds->by_conn, conn_key(&hold->ticket.conn_id));
  if (of_conn == NULL) {
    of_conn = calloc(1, sizeof(*of_conn));
    BL_ASSERT(of_conn != NULL);
    bl_list_init(&of_conn->list);
    bl_map_put(&holds->by_conn, conn_key(&hold->ticket.conn_id), of_conn);
  }
  bl_list_add_last(&of_conn->list, &hold->of_conn);
}

static void make_ready(struct bl_hold *hold) {
  bl_list_remove(&hold->node);
  bl_list_add_last(&hold->broker->holds.ready, &hold->node);
}

static bool wants(const struct bl_hold *hold, const struct bl_queue_entry *entry) {
  if (entry->queue_offset + entry->count <= hold->pull.offset) return false;
  if (hold->filter != NULL) return bl_subscription_matches(hold->filter, entry->tags_code);
  const struct bl_member_group *members = bl_members_consumers(hold->broker, hold->pull.group);
  const struct bl_subscription *filter =
      members != NULL ? bl_member_group_subscription(members, hold->pull.topic) : NULL;
  /* Who left meanwhile is woken too: the pull says so. */
  return filter == NULL || bl_subscription_matches(filter, entry->tags_code);
}

static void on_entry(void *context, struct bl_queue *queue, const struct bl_queue_entry *entry,
                     const struct bl_record *record) {
  (void)context;
  (void)record;
  struct queue_holds *holds = bl_queue_user(queue);
  if (holds == NULL || bl_list_empty(&holds->list)) return;
  struct bl_list *next;
  for (struct bl_list *node = holds->list.next; node != &holds->list; node = next) {
    next = node->next;
    struct bl_hold *hold = BL_CONTAINER(node, struct bl_hold, node);
    if (wants(hold, entry)) make_ready(hold);
  }
}

static void on_deadline(struct bl_timer *timer, int64_t now_ms) {
  struct bl_hold *hold = BL_CONTAINER(timer, struct bl_hold, timer);
  (void)now_ms;
  make_ready(hold);
}

void bl_holds_init(struct bl_broker *broker) {
  bl_list_init(&broker->holds.ready);
  bl_map_init(&broker->holds.by_conn);
  bl_queues_on_entry(broker->queues, on_entry, broker);
}

static void free_hold(struct bl_hold *hold) {
  struct bl_holds *holds = &hold->broker->holds;
  bl_timer_cancel(hold->broker->timers, &hold->timer);
  bl_list_remove(&hold->node);
  bl_list_remove(&hold->of_conn);
  bl_subscription_free(hold->filter);
  free(hold->texts);
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
  BL_ASSERT(broker->holds.count == 0);
  const struct bl_map_entry *entry;
  cursor = 0;
  while ((entry = bl_map_next(&broker->holds.by_conn, &cursor)) != NULL) free(entry->value);
  bl_map_fini(&broker->holds.by_conn);
}

void bl_holds_conn_closed(struct bl_broker *broker, uint64_t conn_id) {
  struct conn_holds *of_conn = bl_map_remove(&broker->holds.by_conn, conn_key(&conn_id));
  if (of_conn == NULL) return;
  struct bl_list *node;
  while ((node = bl_list_take_first(&of_conn->list)) != NULL) {
    struct bl_hold *hold = BL_CONTAINER(node, struct bl_hold, of_conn);
    if (hold->warming) {
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

static struct bl_hold *new_hold(struct bl_broker *broker, const struct bl_ticket *ticket,
                                const struct bl_pull *pull) {
  struct bl_hold *hold = calloc(1, sizeof(*hold));
  BL_ASSERT(hold != NULL);
  hold->broker = broker;
  hold->ticket = *ticket;
  hold->pull = *pull;
  hold->texts = malloc(pull->group.len + pull->topic.len + pull->subscription.len +
                       pull->expression_type.len + 1);
  BL_ASSERT(hold->texts != NULL);
  char *at = put_text(hold->texts, pull->group, &hold->pull.group);
  at = put_text(at, pull->topic, &hold->pull.topic);
  at = put_text(at, pull->subscription, &hold->pull.subscription);
  put_text(at, pull->expression_type, &hold->pull.expression_type);
  snprintf(hold->peer, sizeof(hold->peer), "%s", pull->peer);
  hold->pull.peer = hold->peer;
  hold->timer.fire = on_deadline;
  hold->deadline_ms = bl_clock_mono_ms(broker->clock) + pull->suspend_ms;
  broker->holds.count++;
  add_to_conn(&broker->holds, hold);
  return hold;
}

static bool may_hold(struct bl_broker *broker) {
  if (broker->holds.count < broker->settings->holds_max && !broker->closing) return true;
  broker->holds.refused++;
  return false;
}

bool bl_holds_park(struct bl_broker *broker, const struct bl_ticket *ticket,
                   const struct bl_pull *pull, struct bl_queue *queue) {
  if (!may_hold(broker)) return false;
  struct bl_hold *hold = new_hold(broker, ticket, pull);
  if ((pull->sys_flag & BL_PULL_SUBSCRIPTION) != 0) {
    /* It was parsed a moment ago. */
    BL_ASSERT(bl_subscription_new(pull->topic, pull->subscription, pull->expression_type,
                                  pull->sub_version, &hold->filter) == BL_OK);
  }
  bl_list_add_last(&holds_of(queue)->list, &hold->node);
  bl_timer_set(broker->timers, &hold->timer, hold->deadline_ms);
  return true;
}

static void warmed(struct bl_hold *hold, bl_err err) {
  hold->warming = false;
  if (hold->gone) {
    free_hold(hold);
    return;
  }
  /* What cannot be read is not asked for again: the blocking read says what is wrong with it. */
  if (err != BL_OK) hold->cold_count = COLD_TRIES;
  make_ready(hold);
}

static void on_queue_warm(struct bl_queue_warm *warm) {
  warmed(BL_CONTAINER(warm, struct bl_hold, warm.queue), warm->err);
}

static void on_log_warm(struct bl_store_warm *warm) {
  warmed(BL_CONTAINER(warm, struct bl_hold, warm.log), warm->err);
}

static void warm(struct bl_hold *hold, const struct bl_cold *cold) {
  hold->cold_count++;
  hold->warming = true;
  if (cold->queue != NULL) {
    bl_queue_warm(cold->queue, &hold->warm.queue, cold->queue_offset, on_queue_warm);
  } else {
    bl_store_warm(hold->broker->store, &hold->warm.log, cold->log_offset, cold->log_bytes,
                  on_log_warm);
  }
}

bool bl_holds_warm(struct bl_broker *broker, const struct bl_ticket *ticket,
                   const struct bl_pull *pull, const struct bl_cold *cold) {
  if (!may_hold(broker)) return false;
  warm(new_hold(broker, ticket, pull), cold);
  return true;
}

/* Runs a woken pull again from its checks on. */
static void answer(struct bl_hold *hold, struct bl_arena *arena) {
  struct bl_broker *broker = hold->broker;
  struct bl_pulled pulled;
  struct bl_cold cold;
  struct bl_why why;
  bl_list_remove(&hold->node);
  bl_timer_cancel(broker->timers, &hold->timer);
  bl_err err = bl_broker_pull(broker, &hold->pull, false, hold->cold_count >= COLD_TRIES, arena,
                              &pulled, &cold, &why);
  if (err == BL_ERR_COLD) {
    warm(hold, &cold);
    return;
  }
  if (err != BL_OK) {
    pulled = (struct bl_pulled){.code = bl_err_code(err)};
    bl_why_set(&why, err, "%s", bl_err_text(err));
  }
  broker->holds.answer(broker, &hold->ticket, &hold->pull, &pulled, &why);
  free_hold(hold);
}

bool bl_holds_turn(struct bl_broker *broker) {
  struct bl_holds *holds = &broker->holds;
  if (bl_list_empty(&holds->ready)) return false;
  int64_t until_ns = bl_clock_mono_ns(broker->clock) + WAKES_NS_PER_TURN;
  for (int i = 1; !bl_list_empty(&holds->ready); i++) {
    answer(BL_CONTAINER(holds->ready.next, struct bl_hold, node), bl_broker_arena(broker));
    if (i % WAKES_PER_LOOK == 0 && bl_clock_mono_ns(broker->clock) >= until_ns) break;
  }
  return !bl_list_empty(&holds->ready);
}

void bl_holds_wake_topic(struct bl_broker *broker, struct bl_slice topic) {
  size_t cursor = 0;
  struct bl_queue *queue;
  while ((queue = bl_queues_next(broker->queues, &cursor)) != NULL) {
    struct queue_holds *holds = bl_queue_user(queue);
    if (holds == NULL || !bl_slice_eq(bl_queue_topic(queue), topic)) continue;
    while (!bl_list_empty(&holds->list))
      make_ready(BL_CONTAINER(holds->list.next, struct bl_hold, node));
  }
}
