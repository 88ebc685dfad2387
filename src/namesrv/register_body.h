/* The body of a registration (code 103), read in steps. Thread: core.
 * Source: apache/rocketmq RegisterBrokerBody, TopicConfigSerializeWrapper, TopicConfig#decode;
 * reference protocol.md 3.10. */
#ifndef BOLIDE_NAMESRV_REGISTER_BODY_H
#define BOLIDE_NAMESRV_REGISTER_BODY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/slice.h"
#include "namesrv/routes.h"

#define BL_REGISTER_BODY_BYTES_MAX 67108864 /* inflated */
#define BL_REGISTER_ITEM_BYTES_MAX                                                                 \
  1048576                           /* one topic, one mapping, the list of filter servers          \
                                     */
#define BL_REGISTER_STEP_COST 65536 /* about 100 us */

/* JSON_OLD: before V3_0_11 (ordinal 37) the body is what is topicConfigSerializeWrapper later.
 * DEFLATED ends with mappings since V5_0_0 (ordinal 413). */
enum bl_register_form {
  BL_REGISTER_JSON,
  BL_REGISTER_JSON_OLD,
  BL_REGISTER_DEFLATED,
  BL_REGISTER_DEFLATED_MAPPINGS,
};
/* Of a request's version and its field "compressed". A body that begins as zlib does is taken for
 * compressed in any case: RocketMQ 5.5.0's brokers with compressedRegister=true send false
 * (BrokerOuterAPI#registerBrokerAll), and cannot register with its own name server. */
enum bl_register_form bl_register_form_of(int32_t version, bool compressed, struct bl_slice bytes);

struct bl_register_body;

/* RETURNS OWNED. BORROWS the bytes. Empty bytes are a registration without topics. */
struct bl_register_body *bl_register_body_new(struct bl_slice bytes, enum bl_register_form form);
/* Accepts NULL. */
void bl_register_body_free(struct bl_register_body *body);

/* Does about `cost` of work (SIZE_MAX: all); *out_done: it was the last. BL_ERR_FORMAT, BL_ERR_FULL
 * (a limit above), with a sentence. After an error only free. Memory is taken as bytes arrive, not
 * as counts claim. */
BL_MUST_CHECK bl_err bl_register_body_step(struct bl_register_body *body, size_t cost,
                                           bool *out_done, struct bl_why *why);
size_t bl_register_body_topic_count(const struct bl_register_body *body);
/* FILLS version, topics, mappings and filter servers; BORROWS the body. Only when done. */
void bl_register_body_fill(const struct bl_register_body *body,
                           struct bl_namesrv_registration *out_registration);

#endif
