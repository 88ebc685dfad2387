/* The properties string of a message: name 0x01 value 0x02, repeated; the last 0x02 may be missing.
 * Pure. Source: apache/rocketmq common MessageDecoder#string2messageProperties. */
#ifndef BOLIDE_WIRE_PROPERTIES_H
#define BOLIDE_WIRE_PROPERTIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* Next pair of `*rest`; false at the end. Entries without 0x01 or with an empty name or value are
 * skipped as Java does. */
bool bl_properties_next(struct bl_slice *rest, struct bl_slice *out_name,
                        struct bl_slice *out_value);
/* The value, or the absent slice. Of several of that name the last, as in a Java map. */
struct bl_slice bl_properties_get(struct bl_slice properties, struct bl_slice name);
/* Appends one pair. */
void bl_properties_put(struct bl_buf *out, struct bl_slice name, struct bl_slice value);
/* The same with a number in decimal. */
void bl_properties_put_i64(struct bl_buf *out, struct bl_slice name, int64_t value);
/* Appends `properties` without the pairs of that name, ending in 0x02 when not empty. */
void bl_properties_put_without(struct bl_buf *out, struct bl_slice properties,
                               struct bl_slice name);

/* Names (apache/rocketmq common MessageConst). */
#define BL_PROP_KEYS BL_SLICE("KEYS")
#define BL_PROP_TAGS BL_SLICE("TAGS")
#define BL_PROP_WAIT BL_SLICE("WAIT")
#define BL_PROP_DELAY BL_SLICE("DELAY")
#define BL_PROP_RETRY_TOPIC BL_SLICE("RETRY_TOPIC")
#define BL_PROP_ORIGIN_MESSAGE_ID BL_SLICE("ORIGIN_MESSAGE_ID")
#define BL_PROP_DLQ_ORIGIN_TOPIC BL_SLICE("DLQ_ORIGIN_TOPIC")
#define BL_PROP_REAL_TOPIC BL_SLICE("REAL_TOPIC")
#define BL_PROP_REAL_QUEUE BL_SLICE("REAL_QID")
#define BL_PROP_TRAN_MSG BL_SLICE("TRAN_MSG")
#define BL_PROP_TRAN_ID BL_SLICE("__transactionId__")
#define BL_PROP_TRAN_CHECK_TIMES BL_SLICE("TRANSACTION_CHECK_TIMES")
#define BL_PROP_TRAN_PREPARED_QUEUE_OFFSET BL_SLICE("TRAN_PREPARED_QUEUE_OFFSET")
#define BL_PROP_CHECK_IMMUNITY_S BL_SLICE("CHECK_IMMUNITY_TIME_IN_SECONDS")
#define BL_PROP_PGROUP BL_SLICE("PGROUP")
#define BL_PROP_UNIQ_KEY BL_SLICE("UNIQ_KEY")
#define BL_PROP_CLUSTER BL_SLICE("CLUSTER")
#define BL_PROP_MSG_REGION BL_SLICE("MSG_REGION")
#define BL_PROP_TRACE_ON BL_SLICE("TRACE_ON")
#define BL_PROP_POP_CK BL_SLICE("POP_CK")
#define BL_PROP_TIMER_DELAY_SEC BL_SLICE("TIMER_DELAY_SEC")
#define BL_PROP_TIMER_DELAY_MS BL_SLICE("TIMER_DELAY_MS")
#define BL_PROP_TIMER_DELIVER_MS BL_SLICE("TIMER_DELIVER_MS")

#endif
