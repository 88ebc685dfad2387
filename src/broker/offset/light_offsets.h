/* config/lmqConsumerOffset.json: a Java broker with enableLmq reads its offsets there and not in
 * consumerOffset.json, all of them. What is in our file is in consumerOffset.json, too; a file that
 * a Java broker wrote counts. Thread: core. Source: apache/rocketmq LmqConsumerOffsetManager. */
#ifndef BOLIDE_BROKER_OFFSET_LIGHT_OFFSETS_H
#define BOLIDE_BROKER_OFFSET_LIGHT_OFFSETS_H

#include "broker/offset/offsets.h"

/* Doors (bl_meta_table), registered after those of the offsets. context: struct bl_offsets. No
 * record of the log is of this table. While no group and no queue is a light one the file is empty.
 */
void bl_light_offsets_apply(void *context, struct bl_slice name, const struct bl_json *json,
                            int64_t log_offset);
bl_err bl_light_offsets_replace(void *context, const struct bl_json *root, struct bl_why *why);
bool bl_light_offsets_write_step(void *context, struct bl_buf *out, void **progress);

#endif
