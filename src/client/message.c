#include "client/message.h"

#include <zlib.h>

#include "wire/properties.h"

/* sysFlag bits 8 to 10 (apache/rocketmq MessageSysFlag, CompressionType). */
#define COMPRESSION_SHIFT 8
#define COMPRESSION_MASK 7
#define COMPRESSION_NONE 0 /* before 5.0: zlib */
#define COMPRESSION_LZ4 1
#define COMPRESSION_ZSTD 2
#define COMPRESSION_ZLIB 3

#define INFLATE_STEP_BYTES 65536

static bl_err inflate_into(z_stream *stream, size_t max_bytes, struct bl_buf *out) {
  size_t start = out->len;
  int state = Z_OK;
  while (state == Z_OK) {
    size_t room = max_bytes - (out->len - start);
    if (room > INFLATE_STEP_BYTES) room = INFLATE_STEP_BYTES;
    char *to = room > 0 ? bl_buf_reserve(out, room) : NULL;
    if (to == NULL) return BL_ERR_FULL;
    stream->next_out = (Bytef *)to;
    stream->avail_out = (uInt)room;
    state = inflate(stream, Z_NO_FLUSH);
    out->len += room - stream->avail_out;
    if (state == Z_OK && stream->avail_in == 0 && stream->avail_out > 0)
      return BL_ERR_FORMAT; /* cut */
  }
  return state == Z_STREAM_END ? BL_OK : BL_ERR_FORMAT;
}

bl_err bl_message_inflate(struct bl_slice data, size_t max_bytes, struct bl_buf *out) {
  z_stream stream = {.next_in = (Bytef *)data.ptr, .avail_in = (uInt)data.len};
  if (data.len > INT32_MAX || inflateInit(&stream) != Z_OK) return BL_ERR_FORMAT;
  bl_err err = inflate_into(&stream, max_bytes, out);
  inflateEnd(&stream);
  return err;
}

static void take_body(const struct bl_record *record, struct bl_buf *scratch,
                      struct bl_message *message) {
  message->body = record->body;
  message->compression = NULL;
  if ((record->sys_flag & BL_SYS_COMPRESSED) == 0 || record->body.len == 0) return;
  int method = (record->sys_flag >> COMPRESSION_SHIFT) & COMPRESSION_MASK;
  if (method == COMPRESSION_LZ4) {
    message->compression = "lz4";
  } else if (method == COMPRESSION_ZSTD) {
    message->compression = "zstd";
  } else if (method != COMPRESSION_NONE && method != COMPRESSION_ZLIB) {
    message->compression = "unknown";
  } else {
    bl_buf_clear(scratch);
    bl_err err = bl_message_inflate(record->body, BL_MESSAGE_BODY_BYTES_MAX, scratch);
    if (err == BL_OK) message->body = bl_buf_slice(scratch);
    if (err == BL_ERR_FULL) message->compression = "zlib (too long)";
    if (err == BL_ERR_FORMAT) message->compression = "zlib (damaged)";
  }
}

void bl_message_of(const struct bl_record *record, struct bl_buf *scratch,
                   struct bl_message *out_message) {
  struct bl_message *message = out_message;
  message->topic = record->topic;
  message->queue_id = record->queue_id;
  message->flag = record->flag;
  message->reconsume_times = record->reconsume_times;
  message->queue_offset = record->queue_offset;
  message->store_ms = record->store_ms;
  message->born_ms = record->born_ms;
  message->properties = record->properties;
  message->tags = (struct bl_slice){NULL, 0};
  message->keys = message->tags;
  size_t id_len = bl_msgid_text(&record->store_host, record->log_offset, message->offset_msg_id);
  message->msg_id = bl_slice_of(message->offset_msg_id, id_len);
  struct bl_slice rest = record->properties, name, value;
  while (bl_properties_next(&rest, &name, &value)) {
    if (bl_slice_eq(name, BL_PROP_TAGS))
      message->tags = value;
    else if (bl_slice_eq(name, BL_PROP_KEYS))
      message->keys = value;
    else if (bl_slice_eq(name, BL_PROP_UNIQ_KEY))
      message->msg_id = value;
    else if (bl_slice_eq(name, BL_PROP_RETRY_TOPIC))
      message->topic = value;
  }
  take_body(record, scratch, message);
}
