/* A received message: what a record of a pull answer means to a reader. Pure. */
#ifndef BOLIDE_CLIENT_MESSAGE_H
#define BOLIDE_CLIENT_MESSAGE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "wire/msgid.h"
#include "wire/record.h"

#define BL_MESSAGE_BODY_BYTES_MAX 67108864 /* after decompression */

struct bl_message {
  struct bl_slice topic; /* for a retried message the one it was first sent to */
  int32_t queue_id;
  int32_t flag;
  int32_t reconsume_times;
  int64_t queue_offset;
  int64_t store_ms;
  int64_t born_ms;
  struct bl_slice msg_id; /* the unique key, else offset_msg_id: as MessageClientExt#getMsgId */
  struct bl_slice tags;   /* absent without */
  struct bl_slice keys;
  struct bl_slice properties; /* name 0x01 value 0x02, repeated */
  struct bl_slice body;       /* decompressed; as stored when `compression` is set */
  const char *compression;    /* the method that is not understood here or the damage; else NULL */
  char offset_msg_id[BL_MSGID_TEXT_MAX];
};

/* FILLS a view that BORROWS the record and `scratch`, which holds a decompressed body. */
void bl_message_of(const struct bl_record *record, struct bl_buf *scratch,
                   struct bl_message *out_message);

/* zlib data, at most max_bytes of output (appended). BL_ERR_FORMAT, BL_ERR_FULL. */
BL_MUST_CHECK bl_err bl_message_inflate(struct bl_slice data, size_t max_bytes, struct bl_buf *out);

#endif
