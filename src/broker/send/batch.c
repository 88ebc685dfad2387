/* The body of a batch: total, magic, body CRC, flag, body length, body, properties length,
 * properties. Source: apache/rocketmq common MessageDecoder#encodeMessage. */
#include "base/cursor.h"
#include "broker/send/send.h"

bool bl_batch_next(struct bl_slice *rest, struct bl_batch_message *out_message, bool *out_bad) {
  *out_bad = false;
  if (rest->len == 0) return false;
  struct bl_cursor in = bl_cursor_of(*rest);
  uint32_t total = bl_cursor_u32(&in);
  bl_cursor_u32(&in);
  bl_cursor_u32(&in);
  out_message->flag = (int32_t)bl_cursor_u32(&in);
  out_message->body = bl_cursor_bytes(&in, bl_cursor_u32(&in));
  out_message->properties = bl_cursor_bytes(&in, bl_cursor_u16(&in));
  size_t used = rest->len - bl_cursor_left(&in);
  if (in.failed || used != total) {
    *out_bad = true;
    return false;
  }
  *rest = bl_slice_from(*rest, used);
  return true;
}
