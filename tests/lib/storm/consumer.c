#include "consumer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consumer_calls.h"

void bl_storm__odd(struct bl_storm_world *world, int32_t code) {
  world->anomalies++;
  if (code >= 0 && code < BL_STORM_CODES) world->codes[code]++;
}

static void send_heartbeat(struct bl_storm_consumer *consumer, int64_t now_us) {
  struct bl_storm_request request;
  struct bl_storm_bytes body = {NULL, 0, 0};
  bl_storm_ask(&consumer->link, &request, BL_STORM_HEARTBEAT, BL_STORM_HEARTBEAT);
  bl_storm_printf(&body,
                  "{\"clientID\":\"%s\",\"consumerDataSet\":[{\"consumeFromWhere\":", consumer->id);
  bl_storm_printf(&body,
                  "\"CONSUME_FROM_FIRST_OFFSET\",\"consumeType\":\"CONSUME_PASSIVELY\","
                  "\"groupName\":\"%s\",\"messageModel\":\"CLUSTERING\",\"subscriptionDataSet\":[",
                  consumer->group->name);
  bl_storm_printf(&body,
                  "{\"classFilterMode\":false,\"codeSet\":[],\"expressionType\":\"TAG\","
                  "\"subString\":\"*\",\"subVersion\":1,\"tagsSet\":[],\"topic\":\"%s\"}],"
                  "\"unitMode\":false}],\"heartbeatFingerprint\":0,\"producerDataSet\":[],"
                  "\"withoutSub\":false}",
                  consumer->world->topic);
  bl_storm_end(&request, body.ptr, body.len);
  free(body.ptr);
  consumer->heartbeat_at_us = now_us + consumer->world->times.heartbeat_us;
}

static void ask_members(struct bl_storm_consumer *consumer, int64_t now_us) {
  struct bl_storm_request request;
  consumer->rebalance_at_us = now_us + consumer->world->times.rebalance_us;
  if (consumer->asking) {
    consumer->ask_again = true;
    return;
  }
  consumer->asking = true;
  consumer->world->asked_members++;
  bl_storm_ask(&consumer->link, &request, BL_STORM_MEMBERS, BL_STORM_MEMBERS);
  bl_storm_text(&request, "consumerGroup", consumer->group->name);
  bl_storm_end(&request, NULL, 0);
}

/* Gives what is others' now first, then takes what is new. */
static void rebalance(struct bl_storm_consumer *consumer, int64_t now_us) {
  struct bl_storm_share share =
      bl_storm_members_share(consumer->members, consumer->id, consumer->world->queue_count);
  uint32_t end = share.first + share.count;
  for (uint32_t i = consumer->mine_count; i-- > 0;) {
    uint32_t queue = consumer->mine[i];
    if (queue < share.first || queue >= end)
      bl_storm_queue__give(consumer, queue, BL_HIST_HANDED_BACK);
  }
  for (uint32_t queue = share.first; queue < end; queue++)
    if (consumer->queues[queue].phase == BL_STORM_NOT_MINE) bl_storm_queue__take(consumer, queue);
  if (consumer->group->ordered) bl_storm_queue__lock(consumer, now_us, false);
  for (uint32_t i = 0; i < consumer->mine_count; i++)
    bl_storm_queue__step(consumer, consumer->mine[i], now_us);
}

static void take_members(struct bl_storm_consumer *consumer, const struct bl_storm_frame *frame) {
  int64_t now_us = bl_storm_now_us();
  consumer->asking = false;
  if (frame->code != 0) {
    bl_storm__odd(consumer->world, frame->code);
    consumer->rebalance_at_us = now_us + 100000;
    return;
  }
  struct bl_storm_members *members = bl_storm_members_take(frame->body, frame->body_len);
  bl_storm_members_drop(consumer->members);
  consumer->members = members;
  rebalance(consumer, now_us);
  if (!consumer->ask_again) return;
  consumer->ask_again = false;
  ask_members(consumer, now_us);
}

static void end_life(struct bl_storm_consumer *consumer) {
  bl_storm_link_close(&consumer->link);
  bl_storm_members_drop(consumer->members);
  consumer->members = NULL;
  consumer->state = BL_STORM_OFF;
}

/* Leaving goes on when commits and unlocks were answered. */
static void leave_step(struct bl_storm_consumer *consumer) {
  struct bl_storm_link *link = &consumer->link;
  struct bl_storm_request request;
  for (uint32_t i = 0; i < link->call_count; i++) {
    int32_t kind = link->calls[i].kind;
    if (kind == BL_STORM_COMMIT || kind == BL_STORM_LOCK_BATCH || kind == BL_STORM_UNLOCK_BATCH ||
        kind == BL_STORM_UNREGISTER)
      return;
  }
  bl_storm_ask(link, &request, BL_STORM_UNREGISTER, BL_STORM_UNREGISTER);
  bl_storm_text(&request, "clientID", consumer->id);
  bl_storm_text(&request, "consumerGroup", consumer->group->name);
  bl_storm_end(&request, NULL, 0);
}

static void on_frame(struct bl_storm_link *link, const struct bl_storm_frame *frame,
                     const struct bl_storm_call *call) {
  struct bl_storm_consumer *consumer = link->owner;
  if (call == NULL) {
    if (!frame->is_request || frame->code != BL_STORM_IDS_CHANGED) return;
    consumer->world->notices++;
    if (consumer->state == BL_STORM_ON && consumer->joined)
      ask_members(consumer, bl_storm_now_us());
    return;
  }
  if (call->kind == BL_STORM_UNREGISTER) {
    if (frame->code != 0) bl_storm__odd(consumer->world, frame->code);
    end_life(consumer);
    return;
  }
  if (bl_storm_queue__answer(consumer, frame, call)) {
    if (consumer->state == BL_STORM_LEAVING) leave_step(consumer);
    return;
  }
  if (consumer->state != BL_STORM_ON) return;
  if (call->kind == BL_STORM_MEMBERS) {
    take_members(consumer, frame);
    return;
  }
  if (frame->code != 0) bl_storm__odd(consumer->world, frame->code);
  if (consumer->joined) return;
  consumer->joined = true;
  ask_members(consumer, bl_storm_now_us());
}

/* Commits under way may have happened or not. */
static void forget_calls(struct bl_storm_consumer *consumer) {
  struct bl_storm_link *link = &consumer->link;
  for (uint32_t i = 0; i < link->call_count; i++) {
    const struct bl_storm_call *call = &link->calls[i];
    if (call->kind != BL_STORM_COMMIT || consumer->world->history == NULL) continue;
    bl_hist_put(consumer->world->history, &(struct bl_hist_record){.kind = BL_HIST_COMMIT,
                                                                   .result = BL_HIST_UNKNOWN,
                                                                   .group = consumer->group->number,
                                                                   .client = consumer->number,
                                                                   .queue = call->queue,
                                                                   .offset = call->value,
                                                                   .begin_us = call->begin_us,
                                                                   .end_us = BL_HIST_NEVER_US});
  }
  link->call_count = 0;
}

static void drop_all(struct bl_storm_consumer *consumer, enum bl_hist_left how) {
  while (consumer->mine_count > 0)
    bl_storm_queue__give(consumer, consumer->mine[consumer->mine_count - 1], how);
}

static void on_lost(struct bl_storm_link *link) {
  struct bl_storm_consumer *consumer = link->owner;
  consumer->world->anomalies++;
  drop_all(consumer, BL_HIST_CLOSED);
  forget_calls(consumer);
  end_life(consumer);
}

static void on_mute_lost(struct bl_storm_link *link) {
  struct bl_storm_world *world = link->owner;
  world->mutes_open--;
  bl_storm_link_close(link);
  free(link->calls);
  free(link);
}

void bl_storm_consumer_init(struct bl_storm_consumer *consumer, struct bl_storm_world *world,
                            struct bl_storm_group *group) {
  memset(consumer, 0, sizeof(*consumer));
  consumer->link.fd = -1;
  consumer->link.owner = consumer;
  consumer->link.on_frame = on_frame;
  consumer->link.on_lost = on_lost;
  consumer->world = world;
  consumer->group = group;
  consumer->queues = calloc(world->queue_count, sizeof(*consumer->queues));
  consumer->mine = calloc(world->queue_count, sizeof(*consumer->mine));
  if (consumer->queues == NULL || consumer->mine == NULL) bl_storm_die("no memory");
}

void bl_storm_consumer_fini(struct bl_storm_consumer *consumer) {
  bl_storm_link_close(&consumer->link);
  bl_storm_members_drop(consumer->members);
  free(consumer->link.calls);
  free(consumer->queues);
  free(consumer->mine);
}

void bl_storm_consumer_join(struct bl_storm_consumer *consumer, const char *id, uint32_t number) {
  int64_t now_us = bl_storm_now_us();
  snprintf(consumer->id, sizeof(consumer->id), "%s", id);
  consumer->number = number;
  consumer->state = BL_STORM_ON;
  consumer->joined = consumer->asking = consumer->ask_again = consumer->locking = false;
  consumer->rebalance_at_us = INT64_MAX;
  consumer->commit_at_us = now_us + consumer->world->times.commit_us;
  consumer->lock_at_us = now_us + consumer->world->times.lock_us;
  for (uint32_t q = 0; q < consumer->world->queue_count; q++)
    consumer->queues[q].unlock = consumer->queues[q].lock_asked = false;
  bl_storm_link_open(consumer->world->loop, &consumer->link);
  consumer->joined_us = bl_storm_now_us();
  send_heartbeat(consumer, consumer->joined_us);
}

void bl_storm_consumer_leave(struct bl_storm_consumer *consumer) {
  consumer->state = BL_STORM_LEAVING;
  drop_all(consumer, BL_HIST_HANDED_BACK);
  leave_step(consumer);
}

void bl_storm_consumer_close(struct bl_storm_consumer *consumer) {
  drop_all(consumer, BL_HIST_CLOSED);
  forget_calls(consumer);
  end_life(consumer);
}

void bl_storm_consumer_mute(struct bl_storm_consumer *consumer) {
  struct bl_storm_link *left = calloc(1, sizeof(*left));
  if (left == NULL) bl_storm_die("no memory");
  drop_all(consumer, BL_HIST_SILENT);
  forget_calls(consumer);
  bl_storm_link_abandon(&consumer->link, left);
  left->owner = consumer->world;
  left->on_lost = on_mute_lost;
  consumer->world->mutes_open++;
  end_life(consumer);
}

void bl_storm_consumer_tick(struct bl_storm_consumer *consumer, int64_t now_us) {
  if (consumer->state != BL_STORM_ON) return;
  const struct bl_storm_times *times = &consumer->world->times;
  if (now_us >= consumer->heartbeat_at_us) send_heartbeat(consumer, now_us);
  if (now_us >= consumer->rebalance_at_us) ask_members(consumer, now_us);
  if (now_us >= consumer->commit_at_us) {
    consumer->commit_at_us = now_us + times->commit_us;
    for (uint32_t i = 0; i < consumer->mine_count; i++)
      bl_storm_queue__commit(consumer, consumer->mine[i]);
  }
  if (consumer->group->ordered) {
    bool renew = now_us >= consumer->lock_at_us;
    if (renew) consumer->lock_at_us = now_us + times->lock_us;
    bl_storm_queue__lock(consumer, now_us, renew);
  }
  for (uint32_t i = consumer->mine_count; i-- > 0;)
    bl_storm_queue__step(consumer, consumer->mine[i], now_us);
}
