/* Send requests that are encoded once: what differs from message to message lies in slots of fixed
 * width and is written over in place. The bytes are those of the Java client 5.5.0 (310
 * SEND_MESSAGE_V2, 320 SEND_BATCH_MESSAGE, fields a to n in that order, properties UNIQ_KEY and
 * WAIT; MQClientAPIImpl#sendMessage, MessageBatch#encode), but for opaque, which begins at 10^9 so
 * that JSON gives it ten digits always. Pure. */
#ifndef BOLIDE_CLI_BENCH_FRAME_H
#define BOLIDE_CLI_BENCH_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "wire/command.h"
#include "wire/msgid.h"

#define BL_BENCH_OPAQUE_BASE 1000000000
#define BL_BENCH_OPAQUE_BITS 29 /* above the base */
#define BL_BENCH_GROUP "bolide_bench"
#define BL_BENCH_KEY_MOVING_BYTES 12 /* of a unique key's 32 hex digits: time and counter */

struct bl_bench_frame_spec {
  enum bl_codec codec;
  struct bl_slice broker_name;
  struct bl_slice topic;
  bool numbered_topic; /* "-NUMBER" of topic_digits digits behind the name */
  uint32_t topic_digits;
  uint32_t queue_digits;
  uint32_t default_queues; /* what a topic made by this send gets at most */
  uint32_t batch;          /* messages; 0: no batch (310) */
  uint32_t body_bytes;     /* of each message */
  uint32_t property_bytes; /* more, besides those of every client */
  const char *key;         /* 32 characters: a unique key of this process */
  const char *body;        /* BORROWED for the making; body_bytes */
};

struct bl_bench_frame {
  struct bl_buf bytes;
  enum bl_codec codec;
  uint32_t opaque_at;
  uint32_t queue_at;
  uint32_t queue_digits;
  uint32_t born_at; /* 13 digits */
  uint32_t topic_at;
  uint32_t topic_digits;
  uint32_t header_key_at; /* of the moving digits */
  uint32_t body_at;       /* of the first message's body */
  uint32_t body_stride;   /* from one message's body to the next */
  uint32_t entry_key_at;  /* batch: from a body's start to its key's moving digits */
  uint32_t messages;
};

/* What moves in unique keys and born times; one for all frames. */
struct bl_bench_keys {
  struct bl_uniqkey source;
  int64_t now_ms;
  char first[33];
  char born_text[13];
  char time_text[8];
  uint16_t counter;
};

void bl_bench_keys_init(struct bl_bench_keys *keys, const uint8_t addr[4], uint16_t pid,
                        uint32_t salt, int64_t now_ms);
/* Wall clock; cheap when it has not changed. */
void bl_bench_keys_set_time(struct bl_bench_keys *keys, int64_t now_ms);

/* FILLS out_frame (bl_bench_frame_fini it). */
void bl_bench_frame_make(const struct bl_bench_frame_spec *spec, struct bl_bench_frame *out_frame);
/* Accepts a zeroed struct. */
void bl_bench_frame_fini(struct bl_bench_frame *frame);

/* Writes the slots into `bytes`, a copy of the frame (or the frame's own). */
void bl_bench_frame_stamp(const struct bl_bench_frame *frame, char *bytes, uint32_t opaque,
                          uint32_t topic, uint32_t queue, struct bl_bench_keys *keys);

/* Decimal digits of the number. */
static inline uint32_t bl_bench_digits(uint32_t number) {
  uint32_t digits = 1;
  for (; number > 9; number /= 10) digits++;
  return digits;
}

#endif
