#include "requests/send/answer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hex.h"
#include "broker/broker.h"
#include "net/net.h"
#include "remoting/remoting.h"
#include "requests/send/origin.h"
#include "requests/wait.h"
#include "wire/headers.h"
#include "wire/recall.h"

/* MQVersion.V3_4_9: older clients do not mean their maxReconsumeTimes. */
#define MAX_TIMES_VERSION 121
/* Ordinary unique keys have 32 characters. */
#define KEY_BYTES 64
/* Room comes with a turn in which a write or a file was finished. */
#define ROOM_WAIT_MS 1
#define LOOK_WAIT_MS 30000

/* A send that waits for its record to be durable. */
struct bl_send_wait {
  struct bl_list spare; /* first: see bl_sends */
  struct bl_store_waiter waiter;
  struct bl_broker *broker;
  struct bl_ticket ticket;
  int32_t queue_id;
  int64_t queue_offset;
  int64_t log_offset;
  int64_t from_ns; /* the turn that brought it */
  struct bl_host store_host;
  char *batch_ids; /* HELD; NULL: one message */
  bool inner_batch;
  char *recall; /* HELD; NULL: none */
  char key_space[KEY_BYTES];
  char *long_key; /* HELD; NULL: uniq_key is in key_space */
  struct bl_slice uniq_key;
};

/* A send that is tried again, from the call's first turn to its last: when there is room in the
 * log, or when it is known whether it was stored before. */
struct send_again {
  int64_t deadline_ms;
  bool for_room; /* counted in the sends' waiting_for_room */
  int64_t bytes;
  struct bl_query_warm warm;
};

static struct bl_send_wait *take_wait(struct bl_broker *broker) {
  struct bl_list *node = bl_list_take_first(&broker->sends.spare_waits);
  if (node != NULL) return BL_CONTAINER(node, struct bl_send_wait, spare);
  struct bl_send_wait *wait = calloc(1, sizeof(*wait));
  BL_ASSERT(wait != NULL);
  wait->broker = broker;
  return wait;
}

static void give_wait(struct bl_send_wait *wait) {
  free(wait->batch_ids);
  wait->batch_ids = NULL;
  free(wait->long_key);
  wait->long_key = NULL;
  free(wait->recall);
  wait->recall = NULL;
  bl_list_add_last(&wait->broker->sends.spare_waits, &wait->spare);
}

void bl_send_set_origin(const struct bl_broker_settings *settings,
                        struct bl_send_reply_header *header) {
  BL_SET(header, send_reply, region, bl_slice_text(settings->region_id));
  BL_SET(header, send_reply, trace_on, settings->trace_on ? BL_SLICE("true") : BL_SLICE("false"));
}

static void answer_stored(struct bl_send_wait *wait) {
  struct bl_send_reply_header header = {.queue_id = wait->queue_id,
                                        .queue_offset = wait->queue_offset};
  char id[BL_MSGID_TEXT_MAX];
  if (wait->batch_ids != NULL) {
    header.msg_id = bl_slice_text(wait->batch_ids);
  } else {
    header.msg_id = bl_slice_of(id, bl_msgid_text(&wait->store_host, wait->log_offset, id));
  }
  if (wait->uniq_key.ptr != NULL) BL_SET(&header, send_reply, transaction_id, wait->uniq_key);
  if (wait->inner_batch) BL_SET(&header, send_reply, batch_uniq_id, wait->uniq_key);
  if (wait->recall != NULL) BL_SET(&header, send_reply, recall_handle, bl_slice_text(wait->recall));
  bl_send_set_origin(wait->broker->settings, &header);
  struct bl_reply reply = {.code = 0, .table = &bl_send_reply_table, .header = &header};
  bl_ticket_reply(wait->broker->remoting, &wait->ticket, &reply);
}

/* Many sends end in one turn: one look at the clock does for all. */
static int64_t now_of_turn_ns(struct bl_broker *broker) {
  struct bl_sends *sends = &broker->sends;
  int64_t turn_ns = bl_net_turn_from_ns(bl_remoting_net(broker->remoting));
  if (sends->timed_turn_ns != turn_ns) {
    sends->timed_turn_ns = turn_ns;
    sends->timed_ns = bl_clock_mono_ns(broker->clock);
  }
  return sends->timed_ns;
}

static void on_durable(struct bl_store_waiter *waiter, bl_err err) {
  struct bl_send_wait *wait = BL_CONTAINER(waiter, struct bl_send_wait, waiter);
  struct bl_broker *broker = wait->broker;
  if (err == BL_OK) {
    int64_t taken_ns = now_of_turn_ns(broker) - wait->from_ns;
    bl_histogram_record(&broker->stats.put_us, taken_ns / 1000);
    answer_stored(wait);
  } else {
    broker->stats.put_failed++;
    struct bl_reply reply = {.code = bl_err_code(err),
                             .remark = BL_SLICE("the log failed before the message was known to be "
                                                "durable; its outcome is unknown")};
    bl_ticket_reply(broker->remoting, &wait->ticket, &reply);
  }
  give_wait(wait);
}

/* They differ in the offset only. */
static char *join_ids(const struct bl_sent *sent) {
  char *ids = malloc((size_t)sent->count * BL_MSGID_TEXT_MAX + 1);
  BL_ASSERT(ids != NULL);
  char *at = ids + bl_msgid_text(&sent->store_host, sent->log_offsets[0], ids);
  size_t host_len = (size_t)(at - ids) - 2 * sizeof(int64_t);
  for (int32_t i = 1; i < sent->count; i++) {
    char offset[sizeof(int64_t)];
    bl_store_u64(offset, (uint64_t)sent->log_offsets[i]);
    *at++ = ',';
    memcpy(at, ids, host_len);
    bl_hex_encode(bl_slice_of(offset, sizeof(offset)), at + host_len);
    at += host_len + 2 * sizeof(offset);
  }
  *at = '\0';
  return ids;
}

static void keep_key(struct bl_send_wait *wait, struct bl_slice key) {
  wait->uniq_key = key;
  if (key.len == 0) return;
  char *space = wait->key_space;
  if (key.len > sizeof(wait->key_space)) {
    wait->long_key = malloc(key.len);
    BL_ASSERT(wait->long_key != NULL);
    space = wait->long_key;
  }
  memcpy(space, key.ptr, key.len);
  wait->uniq_key = bl_slice_of(space, key.len);
}

/* SendMessageProcessor#attachRecallHandle. */
static void keep_recall(struct bl_send_wait *wait, struct bl_slice topic, int64_t time_ms) {
  char text[24];
  int len = snprintf(text, sizeof(text), "%lld", (long long)time_ms);
  struct bl_recall recall = {.topic = topic,
                             .broker_name = bl_slice_text(wait->broker->settings->broker_name),
                             .time_ms = bl_slice_of(text, (size_t)len),
                             .uniq_key = wait->uniq_key};
  struct bl_buf out;
  bl_buf_init(&out, 0);
  bl_recall_put(&out, &recall);
  bl_buf_put_char(&out, '\0');
  wait->recall = out.data; /* from malloc, as a buffer's memory is */
}

static enum bl_outcome park(struct bl_call *call, struct bl_slice topic,
                            const struct bl_sent *sent) {
  struct bl_broker *broker = call->server;
  struct bl_send_wait *wait = take_wait(broker);
  wait->ticket = bl_call_ticket(call);
  wait->queue_id = sent->queue_id;
  wait->queue_offset = sent->queue_offset;
  wait->log_offset = sent->log_offset;
  wait->store_host = sent->store_host;
  wait->inner_batch = sent->inner_batch;
  wait->from_ns = bl_net_turn_from_ns(bl_remoting_net(call->remoting));
  keep_key(wait, sent->uniq_key);
  if (sent->recall_ms > 0 && !bl_topic_is_retry(topic)) keep_recall(wait, topic, sent->recall_ms);
  if (sent->log_offsets != NULL) wait->batch_ids = join_ids(sent);
  if (!sent->wait || sent->duplicate) {
    answer_stored(wait);
    give_wait(wait);
    return BL_PARKED;
  }
  wait->waiter.done = on_durable;
  bl_store_wait(broker->store, &wait->waiter, sent->end_offset);
  return BL_PARKED;
}

enum bl_outcome bl_send_refuse(struct bl_call *call, bl_err err, const struct bl_why *why) {
  struct bl_broker *broker = call->server;
  struct bl_field extra[2] = {
      {BL_SLICE("MSG_REGION"), bl_slice_text(broker->settings->region_id)},
      {BL_SLICE("TRACE_ON"), broker->settings->trace_on ? BL_SLICE("true") : BL_SLICE("false")}};
  struct bl_reply reply = {.code = bl_err_code(err),
                           .remark = bl_slice_text(why->text),
                           .extra = extra,
                           .extra_count = 2};
  broker->stats.put_failed++;
  bl_call_reply(call, &reply);
  return BL_DONE;
}

static bool may_wait(const struct bl_sends *sends, int64_t bytes) {
  if (sends->waiting_for_room == 0) return true;
  return sends->waiting_for_room < BL_SEND_ROOM_WAITS_MAX &&
         sends->waiting_bytes + bytes <= BL_SEND_ROOM_BYTES_MAX;
}

static struct send_again *begin_again(struct bl_call *call, int64_t wait_ms) {
  struct bl_broker *broker = call->server;
  struct send_again *again = calloc(1, sizeof(*again));
  BL_ASSERT(again != NULL);
  again->deadline_ms = bl_clock_mono_ms(broker->clock) + wait_ms;
  call->progress = again;
  return again;
}

/* No room in the log now: wait some turns, not longer than the client would. call->progress is the
 * wait. */
static enum bl_outcome wait_for_room(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  struct bl_sends *sends = &broker->sends;
  struct bl_why why;
  int64_t now_ms = bl_clock_mono_ms(broker->clock);
  int64_t bytes = (int64_t)call->command->body.len;
  int64_t wait_ms = broker->settings->wait_in_send_queue_ms;
  struct send_again *again = call->progress;
  bool admitted = again != NULL && again->for_room;
  if (!admitted && may_wait(sends, bytes)) {
    if (again == NULL) again = begin_again(call, wait_ms);
    again->for_room = admitted = true;
    again->deadline_ms = now_ms + wait_ms; /* it may have waited for a look before */
    again->bytes = bytes;
    sends->waiting_for_room++;
    sends->waiting_bytes += bytes;
  }
  if (admitted && now_ms < again->deadline_ms) {
    call->again_ms = ROOM_WAIT_MS;
    return BL_AGAIN;
  }
  bl_err err = bl_why_set(&why, BL_ERR_BUSY,
                          "broker busy: the log had no room for %lld ms, %d sends wait; try again",
                          (long long)(admitted ? wait_ms : 0), sends->waiting_for_room);
  return bl_send_refuse(call, err, &why);
}

/* A message with the same key was sent before, or may have been: its record is to be durable, or is
 * read from the disk. */
static enum bl_outcome wait_for_look(struct bl_call *call, const struct bl_send_look *look) {
  struct bl_broker *broker = call->server;
  struct send_again *again = call->progress;
  struct bl_why why;
  if (again == NULL) again = begin_again(call, LOOK_WAIT_MS);
  if (bl_clock_mono_ms(broker->clock) >= again->deadline_ms) {
    bl_err err = bl_why_set(&why, BL_ERR_BUSY,
                            "broker busy: whether the message was sent before could not be found "
                            "out in time; try again");
    return bl_send_refuse(call, err, &why);
  }
  call->again_ms = ROOM_WAIT_MS; /* the end of a flush makes a turn, too */
  if (look->bytes > 0) {
    struct bl_cold_place place = {.log_offset = look->log_offset, .log_bytes = look->bytes};
    bl_query_warm_start(broker, &again->warm, &place);
    call->again_ms = BL_WAIT_FOR_READ_MS;
  }
  return BL_AGAIN;
}

static void end_wait(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  struct send_again *again = call->progress;
  if (again == NULL) return;
  if (again->for_room) {
    broker->sends.waiting_for_room--;
    broker->sends.waiting_bytes -= again->bytes;
  }
  free(again);
  call->progress = NULL;
}

/* Who waits is tried again when the log takes that much; who comes meanwhile waits behind. */
static bool is_behind(const struct bl_call *call) {
  const struct bl_broker *broker = call->server;
  const struct send_again *again = call->progress;
  if (again == NULL) return broker->sends.waiting_for_room > 0;
  if (!again->for_room) return false;
  return bl_store_can_append(broker->store, (int64_t)call->command->body.len) == BL_ERR_BUSY;
}

static bool is_reading(const struct bl_call *call) {
  const struct send_again *again = call->progress;
  return again != NULL && again->warm.under_way;
}

enum bl_outcome bl_send_and_answer(struct bl_call *call, struct bl_send *send) {
  struct bl_broker *broker = call->server;
  if (is_reading(call)) {
    call->again_ms = BL_WAIT_FOR_READ_MS;
    return BL_AGAIN;
  }
  if (call->conn == NULL) { /* it closed while the call waited */
    end_wait(call);
    return BL_DONE;
  }
  const struct bl_net_addr *peer = bl_conn_peer(call->conn);
  struct bl_sent sent;
  struct bl_why why;
  bl_err err = BL_ERR_BUSY;
  if (call->command->version < MAX_TIMES_VERSION) send->max_reconsume_times = -1;
  send->born_host.port = peer->port;
  send->born_host.addr_bytes = peer->addr_bytes;
  memcpy(send->born_host.addr, peer->addr, sizeof(peer->addr));
  send->peer = bl_conn_peer_text(call->conn);
  send->body = call->command->body;
  if (!is_behind(call)) err = bl_broker_send(broker, send, &sent, &why);
  enum bl_outcome outcome = err == BL_OK         ? park(call, send->topic, &sent)
                            : err == BL_ERR_BUSY ? wait_for_room(call)
                            : err == BL_ERR_COLD ? wait_for_look(call, &sent.look)
                                                 : bl_send_refuse(call, err, &why);
  if (outcome != BL_AGAIN) end_wait(call);
  return outcome;
}
