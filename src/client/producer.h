/* Sends messages. Those that wait for the same topic go together in one request (320); a queue has
 * at most one request of a producer in flight, so the messages of a queue stay in the order of
 * sending (a retry on another queue may pass others). Thread: the net's. Source of behaviour:
 * apache/rocketmq client DefaultMQProducerImpl. */
#ifndef BOLIDE_CLIENT_PRODUCER_H
#define BOLIDE_CLIENT_PRODUCER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct bl_client;
struct bl_producer;

#define BL_PRODUCER_BODY_BYTES_MAX 4194304 /* maxMessageSize of RocketMQ, client and broker */
#define BL_PRODUCER_PROPERTIES_BYTES_MAX                                                           \
  32000 /* with the unique key below the 32,767 of the record */

struct bl_send_result {
  uint64_t token;
  /* BL_OK: stored. Else `sentence` says what happened, why, and what to do next, without a full
   * stop. */
  bl_err err;
  int32_t code; /* of the answer; 0, 10, 11 or 12 when stored; 0 without an answer */
  const char *sentence;
  struct bl_slice topic;
  struct bl_slice broker_name; /* this and the rest only when stored */
  int32_t queue_id;
  int64_t queue_offset;
  struct bl_slice msg_id;        /* the unique key, as SendResult#getMsgId */
  struct bl_slice offset_msg_id; /* absent when the broker gave none for it */
};

struct bl_producer_settings {
  struct bl_slice group;
  uint32_t window_count; /* messages sent and not answered, at most */
  int64_t window_bytes;  /* of their bodies and properties */
  /* Each message once. BORROWS the result for the call, which may send, but not free the producer.
   */
  void (*on_result)(void *context, const struct bl_send_result *result);
  void *context;
};
/* Window 20,000 messages and 32 MiB; the rest zero. */
void bl_producer_settings_default(struct bl_producer_settings *settings);

/* RETURNS OWNED. BORROWS the client. */
struct bl_producer *bl_producer_new(struct bl_client *client,
                                    const struct bl_producer_settings *settings);
/* Messages without an answer are forgotten. Accepts NULL. */
void bl_producer_free(struct bl_producer *producer);

struct bl_send {
  struct bl_slice topic;
  struct bl_slice properties; /* name 0x01 value 0x02, repeated; no UNIQ_KEY */
  struct bl_slice body;
  int32_t queue_id; /* -1: the producer chooses */
  int32_t flag;
  int32_t sys_flag; /* of a body that is compressed already: MessageSysFlag; goes alone, then */
  uint64_t token;   /* given back with the result */
};
/* Takes the message (all is copied). BL_ERR_BUSY: the window is full, try again after a result.
 * BL_ERR_MESSAGE_ILLEGAL: too long. No result comes after an error. */
BL_MUST_CHECK bl_err bl_producer_send(struct bl_producer *producer, const struct bl_send *send,
                                      struct bl_why *why);
bool bl_producer_has_room(const struct bl_producer *producer);
/* Messages without a result so far. */
uint32_t bl_producer_pending(const struct bl_producer *producer);

/* Tells the brokers that the producer goes; `done` comes from the loop, once. Free it then. */
void bl_producer_leave(struct bl_producer *producer, void (*done)(void *context), void *context);

/* "SEND_OK" and so on: RocketMQ's SendStatus for a code of a stored message. */
const char *bl_send_status(int32_t code);

#endif
