/* Replies to requests between clients: the broker pushes a reply to the client that asked (326),
 * and stores it in the reply topic, too, when settings say so. Thread: core.
 * Source: apache/rocketmq ReplyMessageProcessor; reference protocol.md 6.6. */
#ifndef BOLIDE_BROKER_REPLY_REPLY_H
#define BOLIDE_BROKER_REPLY_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "broker/send/send.h"

struct bl_broker;

/* Replies that wait for their client or for the log at most, and their bytes together (one waits
 * whatever its length). */
#define BL_REPLIES_MAX 4096
#define BL_REPLIES_BYTES_MAX (64 << 20)
/* How long the client that asked may take: Broker2Client#callClient. */
#define BL_REPLY_PUSH_MS 10000

/* Of a broker. */
struct bl_replies {
  struct bl_list open;
  int32_t count;
  int64_t bytes;
  int64_t pushed;  /* since start */
  int64_t failed;  /* the client was not there, or did not take it */
  int64_t refused; /* over the limits above */
};

void bl_replies_init(struct bl_replies *replies);
/* Ends those that wait for a client; nobody is told. Before the store is closed. */
void bl_replies_stop(struct bl_broker *broker);

struct bl_reply_result {
  bool pushed;
  const char *remark; /* why not */
  bool stored;
  int32_t queue_id;     /* that the broker chose when the reply said any */
  int64_t queue_offset; /* stored */
  int64_t log_offset;   /* stored */
};

/* Checks the reply as a send and hands it on. BL_OK: `done` is called later, never from inside,
 * with the result and `context`; nothing of `send` is needed then. On errors nothing was done and
 * `why` is the remark: those of bl_broker_send about names and permissions, BL_ERR_BUSY 2. */
BL_MUST_CHECK bl_err bl_reply_start(struct bl_broker *broker, const struct bl_send *send,
                                    void (*done)(void *context,
                                                 const struct bl_reply_result *result),
                                    void *context, struct bl_why *why);

#endif
