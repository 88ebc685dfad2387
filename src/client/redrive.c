#include "client/redrive.h"

#include <stdlib.h>

#include "base/assert.h"
#include "client/redrive_internal.h"

#define DEAD_LETTERS_FORMAT "%%DLQ%%%.*s"
#define PRODUCER_GROUP "CLIENT_INNER_PRODUCER" /* apache/rocketmq MixAll */
#define BATCH_BYTES_MAX (80 << 20)             /* more than a frame can have */
#define PROPERTIES_BYTES_MAX (2 * 32767)

static void on_left(void *context) {
  struct bl_redrive *redrive = context;
  const char *sentence = redrive->why.text[0] != '\0' ? redrive->why.text : NULL;
  redrive->settings.on_end(redrive->settings.context, redrive->end, sentence);
}

static void on_timer(struct bl_timer *timer, int64_t now_ms) {
  struct bl_redrive *redrive = BL_CONTAINER(timer, struct bl_redrive, timer);
  (void)now_ms;
  if (redrive->step == BL_REDRIVE_ENDED) {
    bl_producer_leave(redrive->producer, on_left, redrive);
  } else {
    bl_redrive__step(redrive);
  }
}

void bl_redrive__end(struct bl_redrive *redrive, enum bl_redrive_end end) {
  if (redrive->step == BL_REDRIVE_ENDED) return;
  redrive->step = BL_REDRIVE_ENDED;
  redrive->end = end;
  if (end == BL_REDRIVE_DONE || end == BL_REDRIVE_STOPPED) redrive->why.text[0] = '\0';
  bl_routes_unwatch(&redrive->watch);
  bl_routes_unwatch(&redrive->to_watch);
  bl_remoting_cancel(&redrive->call);
  bl_timer_set(redrive->client->timers, &redrive->timer, 0);
}

void bl_redrive__finish(struct bl_redrive *redrive, enum bl_redrive_end end) {
  redrive->finishing = true;
  redrive->end = end;
}

/* Whether the step needs no request: then it was done. */
static bool step_by_itself(struct bl_redrive *redrive) {
  struct bl_redrive_queue *queue = bl_redrive__queue(redrive);
  switch (redrive->step) {
    case BL_REDRIVE_PULL:
      if (redrive->finishing) {
        bl_redrive__end(redrive, redrive->end);
      } else if (redrive->stopping) {
        bl_redrive__end(redrive, BL_REDRIVE_STOPPED);
      } else if (queue->next_offset < queue->end_offset) {
        return false;
      } else if (redrive->at + 1 < redrive->queue_count) {
        redrive->at++;
      } else {
        bl_redrive__end(redrive, BL_REDRIVE_DONE);
      }
      return true;
    case BL_REDRIVE_COMMIT:
      if (!redrive->settings.dry_run && queue->done_offset != queue->committed_offset) return false;
      redrive->step = BL_REDRIVE_PULL;
      return true;
    default:
      if (!redrive->stopping) return false;
      bl_redrive__end(redrive, BL_REDRIVE_STOPPED);
      return true;
  }
}

void bl_redrive__step(struct bl_redrive *redrive) {
  do {
    if (redrive->step == BL_REDRIVE_ENDED || redrive->step == BL_REDRIVE_SENDING) return;
  } while (step_by_itself(redrive));
  bl_redrive__ask(redrive);
}

static void take_queues(struct bl_redrive *redrive, const struct bl_route *route) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < route->broker_count; i++) {
    if ((route->brokers[i].perm & BL_PERM_READ) != 0)
      count += (uint32_t)route->brokers[i].read_queues;
  }
  redrive->queues = calloc(count + 1, sizeof(*redrive->queues));
  BL_ASSERT(redrive->queues != NULL);
  for (uint32_t i = 0; i < route->broker_count; i++) {
    const struct bl_route_broker *broker = &route->brokers[i];
    if ((broker->perm & BL_PERM_READ) == 0) continue;
    struct bl_slice name = bl_arena_copy(&redrive->arena, broker->name);
    for (int32_t id = 0; id < broker->read_queues; id++) {
      redrive->queues[redrive->queue_count++] =
          (struct bl_redrive_queue){.broker_name = name, .id = id, .committed_offset = -1};
    }
  }
}

static void start_reading(struct bl_redrive *redrive) {
  redrive->step = BL_REDRIVE_MIN;
  bl_redrive__step(redrive);
}

static void on_route(struct bl_route_watch *watch, bl_err err, const struct bl_route *route,
                     const struct bl_why *why) {
  struct bl_redrive *redrive = BL_CONTAINER(watch, struct bl_redrive, watch);
  bl_routes_unwatch(watch);
  if (err == BL_ERR_NO_TOPIC) {
    bl_why_set(&redrive->why, err,
               "group '%.*s' has no dead letters: there is no topic %.*s; look whether the name is "
               "right",
               BL_FMT(redrive->settings.group), BL_FMT(redrive->topic));
    bl_redrive__end(redrive, BL_REDRIVE_NO_LETTERS);
    return;
  }
  if (err != BL_OK) {
    redrive->why = *why;
    bl_redrive__end(redrive, BL_REDRIVE_UNREACHABLE);
    return;
  }
  take_queues(redrive, route);
  if (redrive->queue_count == 0) {
    bl_why_set(&redrive->why, BL_ERR_NO_PERMISSION,
               "topic %.*s has no queue that may be read; give it the permission to read (6) first",
               BL_FMT(redrive->topic));
    bl_redrive__end(redrive, BL_REDRIVE_UNREACHABLE);
    return;
  }
  if (!redrive->watching_to) start_reading(redrive);
}

/* A topic that is named must be there: a mistyped one would be made by the first send. */
static void on_to_route(struct bl_route_watch *watch, bl_err err, const struct bl_route *route,
                        const struct bl_why *why) {
  struct bl_redrive *redrive = BL_CONTAINER(watch, struct bl_redrive, to_watch);
  (void)route;
  bl_routes_unwatch(watch);
  redrive->watching_to = false;
  if (err == BL_OK) {
    if (redrive->queue_count > 0) start_reading(redrive);
    return;
  }
  redrive->why = *why;
  if (err == BL_ERR_NO_TOPIC) {
    bl_why_set(&redrive->why, err, "topic '%.*s' does not exist; create it first",
               BL_FMT(redrive->settings.to));
  }
  bl_redrive__end(redrive, err == BL_ERR_NO_TOPIC ? BL_REDRIVE_REFUSED : BL_REDRIVE_UNREACHABLE);
}

static void copy_settings(struct bl_redrive *redrive, const struct bl_redrive_settings *settings) {
  struct bl_arena *arena = &redrive->arena;
  struct bl_redrive_settings *own = &redrive->settings;
  *own = *settings;
  own->group = bl_arena_copy(arena, settings->group);
  if (own->to.ptr != NULL) own->to = bl_arena_copy(arena, settings->to);
  if (own->filter.key.ptr != NULL) own->filter.key = bl_arena_copy(arena, settings->filter.key);
  if (own->filter.tag.ptr != NULL) own->filter.tag = bl_arena_copy(arena, settings->filter.tag);
  redrive->topic = bl_arena_printf(arena, DEAD_LETTERS_FORMAT, BL_FMT(own->group));
  redrive->group = bl_redrive_group(own->group, &own->filter, arena);
}

struct bl_redrive *bl_redrive_new(struct bl_client *client,
                                  const struct bl_redrive_settings *settings) {
  struct bl_redrive *redrive = calloc(1, sizeof(*redrive));
  BL_ASSERT(redrive != NULL);
  redrive->client = client;
  bl_arena_init(&redrive->arena);
  copy_settings(redrive, settings);
  bl_buf_init(&redrive->batch, BATCH_BYTES_MAX);
  bl_buf_init(&redrive->properties, PROPERTIES_BYTES_MAX);
  redrive->failed_offset = -1;
  redrive->timer.fire = on_timer;
  struct bl_producer_settings producer;
  bl_producer_settings_default(&producer);
  producer.group = BL_SLICE(PRODUCER_GROUP);
  producer.on_result = bl_redrive__on_result;
  producer.context = redrive;
  redrive->producer = bl_producer_new(client, &producer);
  redrive->to_watch.on_route = on_to_route;
  redrive->watch.on_route = on_route;
  if (redrive->settings.to.ptr != NULL) {
    redrive->watching_to = true;
    bl_routes_watch(client, redrive->settings.to, &redrive->to_watch);
  }
  bl_routes_watch(client, redrive->topic, &redrive->watch);
  return redrive;
}

void bl_redrive_free(struct bl_redrive *redrive) {
  if (redrive == NULL) return;
  bl_routes_unwatch(&redrive->watch);
  bl_routes_unwatch(&redrive->to_watch);
  bl_remoting_cancel(&redrive->call);
  bl_timer_cancel(redrive->client->timers, &redrive->timer);
  bl_producer_free(redrive->producer);
  bl_buf_fini(&redrive->batch);
  bl_buf_fini(&redrive->properties);
  free(redrive->parcels);
  free(redrive->queues);
  bl_arena_fini(&redrive->arena);
  free(redrive);
}

void bl_redrive_stop(struct bl_redrive *redrive) {
  redrive->stopping = true;
  /* Before there is a route nothing goes on by itself. */
  if (redrive->step == BL_REDRIVE_ROUTE) bl_redrive__end(redrive, BL_REDRIVE_STOPPED);
}

const struct bl_redrive_counts *bl_redrive_counts(const struct bl_redrive *redrive) {
  return &redrive->counts;
}
