/* A queue of a consumer: in ordered groups its lock, then where to begin, then pull after pull; a
 * commit now and then; what is given back is committed, then unlocked. */
#include <stdlib.h>
#include <string.h>

#include "consumer.h"
#include "consumer_calls.h"
#include "message.h"

#define CODE_NOT_FOUND 19
#define CODE_RETRY_NOW 20
#define CODE_OFFSET_MOVED 21
#define CODE_NO_OFFSET 22
#define FLAG_SUSPEND 2
#define RETRY_US 200000

static void record(struct bl_storm_consumer *consumer, struct bl_hist_record made) {
  if (consumer->world->history == NULL) return;
  made.group = consumer->group->number;
  made.client = consumer->number;
  bl_hist_put(consumer->world->history, &made);
}

static void count_owner(struct bl_storm_group *group, uint32_t queue, int change) {
  if (group->owners[queue] == 1) group->single--;
  group->owners[queue] += (uint32_t)change;
  if (group->owners[queue] == 1) group->single++;
}

void bl_storm_queue__take(struct bl_storm_consumer *consumer, uint32_t queue) {
  struct bl_storm_queue *q = &consumer->queues[queue];
  uint32_t stamp = q->stamp + 1;
  *q = (struct bl_storm_queue){.phase = consumer->group->ordered ? BL_STORM_LOCK : BL_STORM_ASK,
                               .stamp = stamp,
                               .committed_offset = -1};
  consumer->mine[consumer->mine_count++] = queue;
}

static void put_queues_head(struct bl_storm_consumer *consumer, struct bl_storm_bytes *body) {
  bl_storm_printf(body, "{\"clientId\":\"%s\",\"consumerGroup\":\"%s\",\"mqSet\":[", consumer->id,
                  consumer->group->name);
}

static void put_queue(struct bl_storm_consumer *consumer, struct bl_storm_bytes *body,
                      uint32_t queue, bool first) {
  bl_storm_printf(body, "%s{\"brokerName\":\"%s\",\"queueId\":%u,\"topic\":\"%s\"}",
                  first ? "" : ",", consumer->world->broker_name, queue, consumer->world->topic);
}

static void unlock(struct bl_storm_consumer *consumer, uint32_t queue) {
  struct bl_storm_request request;
  struct bl_storm_bytes body = {NULL, 0, 0};
  struct bl_storm_call *call =
      bl_storm_ask(&consumer->link, &request, BL_STORM_UNLOCK_BATCH, BL_STORM_UNLOCK_BATCH);
  call->queue = queue;
  put_queues_head(consumer, &body);
  put_queue(consumer, &body, queue, true);
  bl_storm_printf(&body, "]}");
  bl_storm_end(&request, body.ptr, body.len);
  free(body.ptr);
}

static bool is_committing(const struct bl_storm_consumer *consumer, uint32_t queue) {
  for (uint32_t i = 0; i < consumer->link.call_count; i++) {
    const struct bl_storm_call *call = &consumer->link.calls[i];
    if (call->kind == BL_STORM_COMMIT && call->queue == queue) return true;
  }
  return false;
}

void bl_storm_queue__commit(struct bl_storm_consumer *consumer, uint32_t queue) {
  struct bl_storm_queue *q = &consumer->queues[queue];
  struct bl_storm_request request;
  if (q->phase != BL_STORM_PULL || q->next_offset == q->committed_offset) return;
  struct bl_storm_call *call =
      bl_storm_ask(&consumer->link, &request, BL_STORM_COMMIT, BL_STORM_COMMIT);
  call->queue = queue;
  call->value = q->next_offset;
  q->committed_offset = q->next_offset;
  bl_storm_text(&request, "consumerGroup", consumer->group->name);
  bl_storm_text(&request, "topic", consumer->world->topic);
  bl_storm_number(&request, "queueId", queue);
  bl_storm_number(&request, "commitOffset", q->next_offset);
  bl_storm_end(&request, NULL, 0);
}

void bl_storm_queue__give(struct bl_storm_consumer *consumer, uint32_t queue,
                          enum bl_hist_left how) {
  struct bl_storm_queue *q = &consumer->queues[queue];
  bool handed = how == BL_HIST_HANDED_BACK;
  if (q->phase == BL_STORM_PULL) {
    count_owner(consumer->group, queue, -1);
    record(consumer, (struct bl_hist_record){.kind = BL_HIST_LEAVE,
                                             .result = (uint8_t)how,
                                             .queue = queue,
                                             .begin_us = bl_storm_now_us()});
  }
  if (handed) bl_storm_queue__commit(consumer, queue);
  /* While a lock is asked for, its answer unlocks. */
  bool locked = consumer->group->ordered && (q->phase > BL_STORM_LOCK || !q->lock_asked);
  q->phase = BL_STORM_NOT_MINE;
  q->stamp++;
  q->lock_asked = false;
  q->unlock = handed && locked && is_committing(consumer, queue);
  if (handed && locked && !q->unlock) unlock(consumer, queue);
  for (uint32_t i = 0; i < consumer->mine_count; i++) {
    if (consumer->mine[i] != queue) continue;
    consumer->mine[i] = consumer->mine[--consumer->mine_count];
    return;
  }
}

/* Asks for what has no lock yet and is due; on renewal for everything. One request at a time. */
void bl_storm_queue__lock(struct bl_storm_consumer *consumer, int64_t now_us, bool renew) {
  struct bl_storm_request request;
  struct bl_storm_bytes body = {NULL, 0, 0};
  bool first = true;
  if (consumer->locking) return;
  for (uint32_t i = 0; i < consumer->mine_count; i++) {
    struct bl_storm_queue *q = &consumer->queues[consumer->mine[i]];
    if (!renew && (q->phase != BL_STORM_LOCK || now_us < q->again_us)) continue;
    if (first) put_queues_head(consumer, &body);
    put_queue(consumer, &body, consumer->mine[i], first);
    q->lock_asked = true;
    first = false;
  }
  if (first) return;
  bl_storm_printf(&body, "]}");
  consumer->locking = true;
  bl_storm_ask(&consumer->link, &request, BL_STORM_LOCK_BATCH, BL_STORM_LOCK_BATCH);
  bl_storm_end(&request, body.ptr, body.len);
  free(body.ptr);
}

/* Somebody else has it now, or it was not renewed in time: from the beginning. */
static void lose_lock(struct bl_storm_consumer *consumer, uint32_t queue, int64_t now_us) {
  consumer->world->locks_lost++;
  bl_storm_queue__give(consumer, queue, BL_HIST_CLOSED);
  bl_storm_queue__take(consumer, queue);
  consumer->queues[queue].again_us = now_us + consumer->world->times.lock_retry_us;
}

static void take_lock(struct bl_storm_consumer *consumer, uint32_t queue, bool granted,
                      int64_t begin_us) {
  struct bl_storm_queue *q = &consumer->queues[queue];
  int64_t now_us = bl_storm_now_us();
  q->lock_asked = false;
  if (granted) {
    q->locked_us = begin_us;
    if (q->phase == BL_STORM_LOCK) q->phase = BL_STORM_ASK;
    if (consumer->state == BL_STORM_ON) bl_storm_queue__step(consumer, queue, now_us);
  } else if (q->phase == BL_STORM_LOCK) {
    consumer->world->locks_refused++;
    q->again_us = now_us + consumer->world->times.lock_retry_us;
  } else {
    lose_lock(consumer, queue, now_us);
  }
}

static void take_locks(struct bl_storm_consumer *consumer, const struct bl_storm_frame *frame,
                       const struct bl_storm_call *call) {
  static const char name[] = "\"queueId\":";
  uint32_t count = consumer->world->queue_count;
  bool *granted = calloc(count, sizeof(*granted));
  char *text = malloc(frame->body_len + 1);
  if (granted == NULL || text == NULL) bl_storm_die("no memory");
  memcpy(text, frame->body, frame->body_len);
  text[frame->body_len] = '\0';
  if (frame->code != 0) bl_storm__odd(consumer->world, frame->code);
  for (char *at = text; frame->code == 0 && (at = strstr(at, name)) != NULL;) {
    at += sizeof(name) - 1;
    unsigned long queue = strtoul(at, NULL, 10);
    if (queue < count) granted[queue] = true;
  }
  free(text);
  consumer->locking = false;
  for (uint32_t queue = 0; queue < count; queue++) {
    struct bl_storm_queue *q = &consumer->queues[queue];
    /* Given back meanwhile: the lock is nobody's use. */
    if (granted[queue] && q->phase == BL_STORM_NOT_MINE && !q->unlock) unlock(consumer, queue);
    if (q->phase != BL_STORM_NOT_MINE && q->lock_asked)
      take_lock(consumer, queue, granted[queue], call->begin_us);
  }
  free(granted);
}

static void ask_offset(struct bl_storm_consumer *consumer, uint32_t queue) {
  struct bl_storm_request request;
  struct bl_storm_call *call =
      bl_storm_ask(&consumer->link, &request, BL_STORM_OFFSET, BL_STORM_OFFSET);
  call->queue = queue;
  call->stamp = consumer->queues[queue].stamp;
  bl_storm_text(&request, "consumerGroup", consumer->group->name);
  bl_storm_text(&request, "topic", consumer->world->topic);
  bl_storm_number(&request, "queueId", queue);
  bl_storm_end(&request, NULL, 0);
}

static void take_offset(struct bl_storm_consumer *consumer, const struct bl_storm_frame *frame,
                        const struct bl_storm_call *call, int64_t now_us) {
  struct bl_storm_queue *q = &consumer->queues[call->queue];
  int64_t offset = frame->code == 0 ? bl_storm_field(frame, "offset", -1) : -1;
  if (frame->code != 0 && frame->code != CODE_NO_OFFSET) {
    bl_storm__odd(consumer->world, frame->code);
    q->again_us = now_us + RETRY_US;
    return;
  }
  q->phase = BL_STORM_PULL;
  q->next_offset = offset < 0 ? 0 : offset;
  q->committed_offset = offset;
  count_owner(consumer->group, call->queue, 1);
  record(consumer, (struct bl_hist_record){.kind = BL_HIST_OWN,
                                           .queue = call->queue,
                                           .offset = offset,
                                           .begin_us = call->begin_us,
                                           .end_us = now_us});
}

static void pull(struct bl_storm_consumer *consumer, uint32_t queue) {
  struct bl_storm_queue *q = &consumer->queues[queue];
  struct bl_storm_world *world = consumer->world;
  struct bl_storm_request request;
  struct bl_storm_call *call =
      bl_storm_ask(&consumer->link, &request, BL_STORM_PULL_MESSAGE, BL_STORM_PULL_MESSAGE);
  call->queue = queue;
  call->stamp = q->stamp;
  bl_storm_text(&request, "consumerGroup", consumer->group->name);
  bl_storm_text(&request, "topic", world->topic);
  bl_storm_number(&request, "queueId", queue);
  bl_storm_number(&request, "queueOffset", q->next_offset);
  bl_storm_number(&request, "maxMsgNums", world->batch);
  bl_storm_number(&request, "sysFlag", FLAG_SUSPEND);
  bl_storm_number(&request, "commitOffset", 0);
  bl_storm_number(&request, "suspendTimeoutMillis", world->times.suspend_ms);
  bl_storm_number(&request, "subVersion", 1);
  bl_storm_text(&request, "expressionType", "TAG");
  bl_storm_end(&request, NULL, 0);
}

static void deliver(struct bl_storm_consumer *consumer, const struct bl_storm_frame *frame,
                    uint32_t queue, int64_t now_us) {
  struct bl_storm_world *world = consumer->world;
  struct bl_storm_record message;
  size_t at = 0;
  while (bl_storm_record_next(frame->body, frame->body_len, &at, world->mark, &message)) {
    if (message.queue != (int32_t)queue || !message.mine || !message.whole) {
      bl_storm_die(
          "queue %u gave a message that is not of this run or not whole (queue %d at %lld)", queue,
          message.queue, (long long)message.offset);
    }
    record(consumer, (struct bl_hist_record){.kind = BL_HIST_DELIVER,
                                             .message = message.number,
                                             .queue = queue,
                                             .offset = message.offset,
                                             .begin_us = now_us});
    consumer->group->delivered++;
  }
  if (at != frame->body_len) bl_storm_die("a pull's answer has bytes that are no record");
}

static void take_pull(struct bl_storm_consumer *consumer, const struct bl_storm_frame *frame,
                      const struct bl_storm_call *call, int64_t now_us) {
  struct bl_storm_queue *q = &consumer->queues[call->queue];
  if (frame->code == 0) deliver(consumer, frame, call->queue, now_us);
  if (frame->code != 0 && frame->code != CODE_NOT_FOUND && frame->code != CODE_RETRY_NOW) {
    bl_storm__odd(consumer->world, frame->code);
    if (frame->code != CODE_OFFSET_MOVED) {
      q->again_us = now_us + RETRY_US;
      return;
    }
  }
  q->next_offset = bl_storm_field(frame, "nextBeginOffset", q->next_offset);
}

void bl_storm_queue__step(struct bl_storm_consumer *consumer, uint32_t queue, int64_t now_us) {
  struct bl_storm_queue *q = &consumer->queues[queue];
  if (consumer->group->ordered && q->phase > BL_STORM_LOCK &&
      now_us - q->locked_us > consumer->world->times.lock_lives_us) {
    lose_lock(consumer, queue, now_us);
    return;
  }
  if (q->phase < BL_STORM_ASK || q->asked || now_us < q->again_us) return;
  q->asked = true;
  if (q->phase == BL_STORM_ASK)
    ask_offset(consumer, queue);
  else
    pull(consumer, queue);
}

static void take_commit(struct bl_storm_consumer *consumer, const struct bl_storm_frame *frame,
                        const struct bl_storm_call *call, int64_t now_us) {
  struct bl_storm_queue *q = &consumer->queues[call->queue];
  if (frame->code != 0) bl_storm__odd(consumer->world, frame->code);
  record(consumer,
         (struct bl_hist_record){.kind = BL_HIST_COMMIT,
                                 .result = frame->code == 0 ? BL_HIST_ACKED : BL_HIST_UNKNOWN,
                                 .queue = call->queue,
                                 .offset = call->value,
                                 .begin_us = call->begin_us,
                                 .end_us = frame->code == 0 ? now_us : BL_HIST_NEVER_US});
  if (!q->unlock || q->phase != BL_STORM_NOT_MINE || is_committing(consumer, call->queue)) return;
  q->unlock = false;
  unlock(consumer, call->queue);
}

bool bl_storm_queue__answer(struct bl_storm_consumer *consumer, const struct bl_storm_frame *frame,
                            const struct bl_storm_call *call) {
  int64_t now_us = bl_storm_now_us();
  switch (call->kind) {
    case BL_STORM_LOCK_BATCH: take_locks(consumer, frame, call); return true;
    case BL_STORM_UNLOCK_BATCH:
      if (frame->code != 0) bl_storm__odd(consumer->world, frame->code);
      return true;
    case BL_STORM_COMMIT: take_commit(consumer, frame, call, now_us); return true;
    case BL_STORM_OFFSET:
    case BL_STORM_PULL_MESSAGE: break;
    default: return false;
  }
  struct bl_storm_queue *q = &consumer->queues[call->queue];
  if (q->phase == BL_STORM_NOT_MINE || call->stamp != q->stamp) return true;
  q->asked = false;
  if (call->kind == BL_STORM_OFFSET)
    take_offset(consumer, frame, call, now_us);
  else
    take_pull(consumer, frame, call, now_us);
  bl_storm_queue__step(consumer, call->queue, now_us);
  return true;
}
