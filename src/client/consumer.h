/* Reads a topic, in one of two ways.
 *
 * With a group: as a clustering push consumer of RocketMQ does. The members of the group share the
 * queues, offsets are kept by the broker, messages come at least once. A group without offsets
 * starts at `from`. Without: every queue is read from `from` on; the broker keeps nothing, as
 * RocketMQ's tools read (group TOOLS_CONSUMER, the subscription in each pull).
 *
 * Thread: the net's. Source of behaviour: apache/rocketmq client DefaultMQPushConsumerImpl,
 * RebalancePushImpl. */
#ifndef BOLIDE_CLIENT_CONSUMER_H
#define BOLIDE_CLIENT_CONSUMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "client/message.h"

struct bl_client;
struct bl_consumer;
struct bl_consumer_queue;

enum bl_consumer_from { BL_FROM_EARLIEST, BL_FROM_LATEST, BL_FROM_TIME };

struct bl_consumer_settings {
  struct bl_slice topic;
  struct bl_slice group; /* absent: none */
  enum bl_consumer_from from;
  int64_t from_ms;    /* of BL_FROM_TIME: since 1970, by store time */
  int32_t pull_count; /* messages asked for at once; brokers of RocketMQ give 32 at most */
  int64_t
      queue_count; /* messages of one queue given and not done, at most (pullThresholdForQueue) */
  /* A message; BORROWED for the call. false: no more, whatever comes is left to others. */
  bool (*on_message)(void *context, struct bl_consumer_queue *queue,
                     const struct bl_message *message);
  /* It cannot go on; one sentence without a full stop. */
  void (*on_failure)(void *context, bl_err err, const char *sentence);
  void *context;
};
/* From the earliest, 32 at once, 1,000 per queue; the rest zero. */
void bl_consumer_settings_default(struct bl_consumer_settings *settings);

/* RETURNS OWNED. BORROWS the client. Starts at once. */
struct bl_consumer *bl_consumer_new(struct bl_client *client,
                                    const struct bl_consumer_settings *settings);
/* Without a word to the broker. Accepts NULL. */
void bl_consumer_free(struct bl_consumer *consumer);

/* The messages of the queue before next_offset are done; the group goes on behind them. `queue` is
 * one that on_message had, valid for the consumer's life. */
void bl_consumer_done(struct bl_consumer_queue *queue, int64_t next_offset);
/* Flow control: no more pulls while paused; what is on its way still comes. */
void bl_consumer_pause(struct bl_consumer *consumer, bool paused);
struct bl_slice bl_consumer_queue_broker(const struct bl_consumer_queue *queue);

/* Commits what is done and leaves the group; `done` comes from the loop, once, within a few seconds
 * also when brokers do not answer: err says whether every offset was committed. Free the consumer
 * then. */
void bl_consumer_leave(struct bl_consumer *consumer, void (*done)(void *context, bl_err err),
                       void *context);

#endif
