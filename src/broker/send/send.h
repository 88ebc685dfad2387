/* Sending: checks, the record, the answer when it is durable. Thread: core.
 * Order of checks and texts: apache/rocketmq AbstractSendMessageProcessor#msgCheck,
 * SendMessageProcessor. */
#ifndef BOLIDE_BROKER_SEND_SEND_H
#define BOLIDE_BROKER_SEND_SEND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "store/store.h"
#include "wire/host.h"

struct bl_broker;

struct bl_send {
  struct bl_slice producer_group;
  struct bl_slice topic;
  struct bl_slice default_topic;
  int32_t default_queues;
  int32_t queue_id;
  int32_t sys_flag;
  int64_t born_ms;
  int32_t flag;
  struct bl_slice properties;
  int32_t reconsume_times;
  int32_t max_reconsume_times; /* of a send to a retry topic; -1: the group's */
  bool unit_mode;
  bool batch;
  struct bl_slice body;
  struct bl_host born_host;
  const char *peer; /* for texts */
};

/* What a send waits for before it can be said whether it was stored before: a record that must be
 * read, or be durable. */
struct bl_send_look {
  int64_t log_offset;
  int64_t bytes; /* 0: it is not durable yet */
};

/* What an accepted send will be answered with. */
struct bl_sent {
  int32_t queue_id;
  int64_t queue_offset; /* of the first message */
  int64_t *
      log_offsets; /* of a batch: `count` of them, HELD by the sends' scratch until the next send */
  int64_t log_offset;
  int32_t count;
  int64_t end_offset;        /* wait for this mark */
  bool wait;                 /* false: WAIT=false, answer at once */
  bool inner_batch;          /* the batch is one record; its key goes into the answer */
  bool duplicate;            /* stored before: nothing was now (broker/dedup) */
  struct bl_host store_host; /* in the message ids */
  struct bl_send_look look;  /* BL_ERR_COLD */
  int64_t bytes;
  bool delayed;      /* or a half message: queue_offset is that of the system topic's queue */
  int64_t recall_ms; /* the time in the handle to take it back; 0: there is none */
  /* BORROWED from the send, or made and HELD by the sends until the next; absent for a batch
   * without. */
  struct bl_slice uniq_key;
};

/* Sends that wait for room in the log at most, and their bytes together (one waits whatever its
 * length). */
#define BL_SEND_ROOM_WAITS_MAX 4096
#define BL_SEND_ROOM_BYTES_MAX (64 << 20)

/* A light queue of the record being made, and the record's offset in it. */
struct bl_light_take {
  struct bl_queue *queue;
  int64_t offset;
};

struct bl_sends {
  struct bl_buf properties;  /* of the record being made */
  struct bl_buf light_names; /* made for it */
  struct bl_light_take *light;
  uint32_t light_count;
  uint32_t light_cap;
  int64_t light_refused; /* messages and pulls: too many light queues */
  char uniq_key[33];     /* of a message whose sender made none */
  int64_t *log_offsets;
  int32_t log_offsets_cap;
  struct bl_buf stamped; /* properties of a message of a batch, with its end */
  int64_t *known;      /* of a batch: log offsets of the messages that were stored before, or -1 */
  int32_t known_count; /* 0: none was */
  int32_t known_cap;
  int64_t known_first;        /* queue offset of message 0 when it was; -1 */
  struct bl_list spare_waits; /* what the request layer answered with, for its next: heap blocks
                               * that begin with their node; freed by bl_sends_fini */
  int64_t timed_turn_ns;      /* the turn in which the clock showed timed_ns; the request layer's */
  int64_t timed_ns;
  int32_t waiting_for_room;
  int64_t waiting_bytes;
};

void bl_sends_init(struct bl_sends *sends);
void bl_sends_fini(struct bl_sends *sends);

/* Appends the message, or every message of the batch. BORROWS `send`. A message for a retry topic
 * that was delivered too often, or whose group holds queue locks, goes to the dead letter topic. On
 * errors nothing is stored, `why` is the remark: BL_ERR_PARAMETER 29, BL_ERR_NO_PERMISSION 16,
 * BL_ERR_NO_TOPIC 17, BL_ERR_NO_GROUP 26, BL_ERR_MESSAGE_ILLEGAL 13, BL_ERR_NOT_AVAILABLE and
 * BL_ERR_NO_SPACE 14, BL_ERR_FULL 1 (too many queues or topics), BL_ERR_BUSY 2 (wait a turn and try
 * again), BL_ERR_COLD (wait for out_sent->look and try again), BL_ERR_SYSTEM 1 (whether it was
 * stored before cannot be known). */
BL_MUST_CHECK bl_err bl_broker_send(struct bl_broker *broker, const struct bl_send *send,
                                    struct bl_sent *out_sent, struct bl_why *why);

/* Whether a send of that name, group and queue would be taken; topics are made as by a send. FILLS
 * the queue: chosen when any is right. Errors as above. */
BL_MUST_CHECK bl_err bl_broker_may_send(struct bl_broker *broker, const struct bl_send *send,
                                        int32_t *out_queue_id, struct bl_why *why);

/* The batch encoding of a request body: the next message of `*rest`. false with *out_bad:
 * malformed. */
struct bl_batch_message {
  int32_t flag;
  struct bl_slice body;
  struct bl_slice properties;
};
bool bl_batch_next(struct bl_slice *rest, struct bl_batch_message *out_message, bool *out_bad);

#endif
