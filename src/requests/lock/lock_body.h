/* The body that 41 and 42 share. Source: apache/rocketmq LockBatchRequestBody,
 * UnlockBatchRequestBody. */
#ifndef BOLIDE_REQUESTS_LOCK_LOCK_BODY_H
#define BOLIDE_REQUESTS_LOCK_LOCK_BODY_H

#include "base/json.h"
#include "remoting/call.h"

/* Queues in one request at most: they are locked in one go. */
#define BL_LOCK_QUEUES_MAX 16384

struct bl_lock_body {
  struct bl_slice group;
  struct bl_slice client_id;
  const struct bl_json *queues; /* an array; its entries by bl_lock_queue */
};

struct bl_lock_queue {
  struct bl_slice broker_name;
  struct bl_slice topic;
  int32_t queue_id;
};

/* false: the call was answered. */
bool bl_lock_body_read(struct bl_call *call, struct bl_lock_body *out_body);
struct bl_lock_queue bl_lock_queue_of(const struct bl_json *node);

#endif
