/* What a record says about its place in its queues, as RocketMQ derives it. Pure.
 * Source: apache/rocketmq DefaultMessageStore.CommitLogDispatcherBuildConsumeQueue, CommitLog
 * (checkMessageAndReturnSize, setBatchSizeIfNeeded), BatchConsumeQueue, ConsumeQueue
 * (multiDispatchLmqQueue), MultiDispatchUtils. */
#ifndef BOLIDE_STORE_ENTRY_H
#define BOLIDE_STORE_ENTRY_H

#include "wire/record.h"

/* The topic of what a repair put over damage: records of a rolled back transaction, which no broker
 * shows to anybody. */
#define BL_FILLER_TOPIC "rmq_sys_bolide_repair"

/* A light queue has a name and no topic of its own: the records in it are those of other topics
 * that name it. Its queue id is 0. */
#define BL_LIGHT_PREFIX BL_SLICE("%LMQ%")
#define BL_LIGHT_QUEUE_ID 0
#define BL_LIGHT_NAME_BYTES_MAX 255 /* it is a folder of Java's consume queues */

/* Queue offsets of an inner batch at most (a Java short). */
#define BL_INNER_BATCH_MAX INT16_MAX

struct bl_entry {
  bool any;       /* false: the record is in no queue (an open or rolled back transaction) */
  bool batch;     /* one entry for several offsets */
  uint32_t count; /* queue offsets */
  int64_t tags_code;
  /* BORROWED from the record: the light queues that it is in, too, and its offsets there; absent
   * for nearly all. For bl_light_next. */
  struct bl_slice light_names;
  struct bl_slice light_offsets;
};

struct bl_entry bl_entry_of(const struct bl_record *record);
bool bl_entry_is_filler(const struct bl_record *record);

/* Whether a name is one of a light queue that may be: the prefix, not longer than the limit, no
 * slash, no character below a blank. */
bool bl_light_is_name(struct bl_slice name);
/* Whether records of that topic may be in light queues (MixAll#topicAllowsLMQ). */
bool bl_light_is_allowed(struct bl_slice topic);

struct bl_light_place {
  struct bl_slice queue;
  int64_t queue_offset;
};
/* The next light queue of the entry; false: no more. What is no light queue or has no offset is
 * passed over. */
bool bl_light_next(struct bl_entry *entry, struct bl_light_place *out_place);

#endif
