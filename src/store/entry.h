/* What a record says about its place in its queue, as RocketMQ derives it. Pure.
 * Source: apache/rocketmq DefaultMessageStore.CommitLogDispatcherBuildConsumeQueue, CommitLog
 * (checkMessageAndReturnSize, setBatchSizeIfNeeded), BatchConsumeQueue. */
#ifndef BOLIDE_STORE_ENTRY_H
#define BOLIDE_STORE_ENTRY_H

#include "wire/record.h"

/* The topic of what a repair put over damage: records of a rolled back transaction, which no broker
 * shows to anybody. */
#define BL_FILLER_TOPIC "rmq_sys_bolide_repair"

struct bl_entry {
  bool any;       /* false: the record is in no queue (an open or rolled back transaction) */
  bool batch;     /* one entry for several offsets */
  uint32_t count; /* queue offsets */
  int64_t tags_code;
};

struct bl_entry bl_entry_of(const struct bl_record *record);
bool bl_entry_is_filler(const struct bl_record *record);

#endif
