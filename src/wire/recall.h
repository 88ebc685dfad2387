/* The handle of a delayed message, by which its producer takes it back: URL-safe Base64 of
 * "v1 TOPIC BROKER TIME UNIQUE_KEY". Pure.
 * Source: apache/rocketmq common RecallMessageHandle. */
#ifndef BOLIDE_WIRE_RECALL_H
#define BOLIDE_WIRE_RECALL_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

struct bl_recall {
  struct bl_slice topic;
  struct bl_slice broker_name;
  struct bl_slice time_ms; /* text */
  struct bl_slice uniq_key;
};

void bl_recall_put(struct bl_buf *out, const struct bl_recall *recall);
/* FILLS slices that BORROW scratch. false: it is no handle. */
bool bl_recall_parse(struct bl_slice handle, struct bl_buf *scratch, struct bl_recall *out_recall);

#endif
