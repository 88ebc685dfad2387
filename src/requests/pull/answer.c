#include "requests/pull/answer.h"

#include "broker/broker.h"
#include "net/net.h"
#include "wire/headers.h"

/* Longer than any client waits. */
#define SUSPEND_MS_MAX 600000

/* FILLS reply and header; both are used until the answer is written. */
static void make_reply(const struct bl_pulled *pulled, const struct bl_why *why,
                       struct bl_pull_reply_header *header, struct bl_reply *reply) {
  *reply = (struct bl_reply){.code = pulled->code,
                             .remark = bl_slice_text(pulled->counted ? pulled->status : why->text)};
  if (!pulled->counted && pulled->forbidden == BL_FORBIDDEN_NONE) return;
  *header = (struct bl_pull_reply_header){.suggest_broker_id = pulled->suggest_broker_id,
                                          .next_offset = pulled->next_offset,
                                          .min_offset = pulled->min_offset,
                                          .max_offset = pulled->max_offset};
  if (pulled->counted) {
    BL_SET(header, pull_reply, topic_sys_flag, pulled->topic_sys_flag);
    BL_SET(header, pull_reply, group_sys_flag, pulled->group_sys_flag);
  } else {
    BL_SET(header, pull_reply, forbidden_type, (int32_t)pulled->forbidden);
  }
  reply->table = &bl_pull_reply_table;
  reply->header = header;
  reply->body = pulled->bodies;
  reply->body_count = pulled->body_count;
  reply->body_borrowed = true;
}

static void answer_held(struct bl_broker *broker, const struct bl_ticket *ticket,
                        const struct bl_pull *pull, const struct bl_pulled *pulled,
                        const struct bl_why *why) {
  struct bl_pull_reply_header header;
  struct bl_reply reply;
  (void)pull;
  make_reply(pulled, why, &header, &reply);
  bl_ticket_reply(broker->remoting, ticket, &reply);
}

void bl_pull_answers_attach(struct bl_broker *broker) {
  broker->holds.answer = answer_held;
}

static bool may_hold(const struct bl_broker *broker, struct bl_pull *pull,
                     const struct bl_pulled *pulled) {
  if (!pulled->none_yet || (pull->sys_flag & BL_PULL_SUSPEND) == 0) return false;
  if (!broker->settings->long_polling_enable) pull->suspend_ms = broker->settings->short_polling_ms;
  if (pull->suspend_ms > SUSPEND_MS_MAX) pull->suspend_ms = SUSPEND_MS_MAX;
  return pull->suspend_ms > 0;
}

enum bl_outcome bl_pull_and_answer(struct bl_call *call, bool lite) {
  struct bl_broker *broker = call->server;
  const struct bl_pull_message_header *h = call->header;
  struct bl_pull pull = {.group = h->group,
                         .topic = h->topic,
                         .queue_id = h->queue_id,
                         .offset = h->queue_offset,
                         .max_count = h->max_count,
                         .max_bytes = h->max_bytes,
                         .sys_flag = h->sys_flag,
                         .commit_offset = h->commit_offset,
                         .suspend_ms = h->suspend_ms,
                         .subscription = h->subscription,
                         .expression_type = h->expression_type,
                         .sub_version = h->sub_version,
                         .lite = lite,
                         .peer = bl_conn_peer_text(call->conn)};
  struct bl_pulled pulled;
  struct bl_cold_place cold;
  struct bl_why why;
  struct bl_ticket ticket = bl_call_ticket(call);
  bl_err err = bl_broker_pull(broker, &pull, true, bl_broker_arena(broker), &pulled, &cold, &why);
  if (err == BL_ERR_COLD) {
    bl_pull_go_on(&pull, &pulled);
    if (bl_holds_warm(broker, &ticket, &pull, pulled.queue, &cold)) return BL_PARKED;
    return bl_call_fail(call, BL_ERR_BUSY,
                        "%d pulls are held already, the most that may be (maxHolds)",
                        broker->holds.count);
  }
  if (err != BL_OK) return bl_call_fail(call, err, NULL);
  if (pulled.more) {
    bl_pull_go_on(&pull, &pulled);
    if (bl_holds_go_on(broker, &ticket, &pull, pulled.queue)) return BL_PARKED;
  }
  if (may_hold(broker, &pull, &pulled) && bl_holds_park(broker, &ticket, &pull, pulled.queue)) {
    return BL_PARKED;
  }
  struct bl_pull_reply_header header;
  struct bl_reply reply;
  make_reply(&pulled, &why, &header, &reply);
  bl_call_reply(call, &reply);
  return BL_DONE;
}
