#include "cli/jsonline.h"

#include "base/json.h"
#include "wire/properties.h"
#include "wire/record.h"

/* Bytes of the character at p, 0 when it is none. */
static size_t character_bytes(const unsigned char *p, size_t left) {
  if (p[0] < 0x80) return 1;
  size_t len = p[0] >= 0xf0 ? 4 : (p[0] >= 0xe0 ? 3 : 2);
  if (p[0] < 0xc2 || p[0] > 0xf4 || left < len) return 0;
  for (size_t i = 1; i < len; i++) {
    if ((p[i] & 0xc0) != 0x80) return 0;
  }
  if (p[0] == 0xe0 && p[1] < 0xa0) return 0; /* a shorter form would do */
  if (p[0] == 0xed && p[1] > 0x9f) return 0; /* surrogate */
  if (p[0] == 0xf0 && p[1] < 0x90) return 0;
  if (p[0] == 0xf4 && p[1] > 0x8f) return 0; /* beyond U+10FFFF */
  return len;
}

bool bl_jsonline_is_utf8(struct bl_slice bytes) {
  const unsigned char *p = (const unsigned char *)bytes.ptr;
  for (size_t i = 0; i < bytes.len;) {
    size_t len = character_bytes(p + i, bytes.len - i);
    if (len == 0) return false;
    i += len;
  }
  return true;
}

/* Base64 needs no escapes, so it is put between quotes as it is. */
static void put_base64(struct bl_buf *out, struct bl_slice bytes) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const unsigned char *p = (const unsigned char *)bytes.ptr;
  for (size_t i = 0; i < bytes.len; i += 3) {
    size_t left = bytes.len - i;
    uint32_t word = (uint32_t)p[i] << 16;
    if (left > 1) word |= (uint32_t)p[i + 1] << 8;
    if (left > 2) word |= p[i + 2];
    bl_buf_put_char(out, digits[word >> 18]);
    bl_buf_put_char(out, digits[word >> 12 & 63]);
    bl_buf_put_char(out, left > 1 ? digits[word >> 6 & 63] : '=');
    bl_buf_put_char(out, left > 2 ? digits[word & 63] : '=');
  }
}

static void put_value(struct bl_json_writer *w, struct bl_slice bytes) {
  if (bl_jsonline_is_utf8(bytes)) {
    bl_json_put_text(w, bytes);
    return;
  }
  struct bl_buf base64;
  bl_buf_init(&base64, 0);
  put_base64(&base64, bytes);
  bl_json_put_text(w, bl_buf_slice(&base64));
  bl_buf_fini(&base64);
}

static void put_properties(struct bl_json_writer *w, struct bl_slice properties) {
  struct bl_slice name, value;
  bl_json_key(w, "properties");
  bl_json_open_object(w);
  while (bl_properties_next(&properties, &name, &value)) {
    /* The checksum is the store's own, not the sender's. */
    if (bl_slice_is(name, BL_RECORD_CRC_PROPERTY) || !bl_jsonline_is_utf8(name)) continue;
    bl_json_key_slice(w, name);
    put_value(w, value);
  }
  bl_json_close_object(w);
}

void bl_jsonline_put_body(struct bl_json_writer *w, struct bl_slice body, bool as_base64) {
  if (!as_base64 && bl_jsonline_is_utf8(body)) {
    bl_json_member_text(w, "body", body);
    return;
  }
  struct bl_buf base64;
  bl_buf_init(&base64, 0);
  put_base64(&base64, body);
  bl_json_member_text(w, "bodyBase64", bl_buf_slice(&base64));
  bl_buf_fini(&base64);
}

static void put_body(struct bl_json_writer *w, const struct bl_message *message) {
  if (message->compression != NULL) {
    bl_json_member_text(w, "compression", bl_slice_text(message->compression));
  }
  bl_jsonline_put_body(w, message->body, message->compression != NULL);
}

static void put_optional(struct bl_json_writer *w, const char *name, struct bl_slice value) {
  if (value.ptr == NULL) return;
  bl_json_key(w, name);
  put_value(w, value);
}

void bl_jsonline_message(struct bl_buf *out, struct bl_slice broker_name,
                         const struct bl_message *message) {
  struct bl_json_writer w = bl_json_writer_of(out, false);
  bl_json_open_object(&w);
  bl_json_member_text(&w, "topic", message->topic);
  bl_json_member_text(&w, "brokerName", broker_name);
  bl_json_member_i64(&w, "queueId", message->queue_id);
  bl_json_member_i64(&w, "queueOffset", message->queue_offset);
  bl_json_member_text(&w, "msgId", message->msg_id);
  bl_json_member_text(&w, "offsetMsgId", bl_slice_text(message->offset_msg_id));
  bl_json_member_i64(&w, "storeTimestamp", message->store_ms);
  bl_json_member_i64(&w, "bornTimestamp", message->born_ms);
  if (message->reconsume_times != 0)
    bl_json_member_i64(&w, "reconsumeTimes", message->reconsume_times);
  put_optional(&w, "tags", message->tags);
  put_optional(&w, "keys", message->keys);
  put_properties(&w, message->properties);
  put_body(&w, message);
  bl_json_close_object(&w);
  bl_buf_put_char(out, '\n');
}

void bl_jsonline_sent(struct bl_buf *out, const struct bl_send_result *result) {
  struct bl_json_writer w = bl_json_writer_of(out, false);
  bl_json_open_object(&w);
  bl_json_member_text(&w, "topic", result->topic);
  bl_json_member_text(&w, "brokerName", result->broker_name);
  bl_json_member_i64(&w, "queueId", result->queue_id);
  bl_json_member_i64(&w, "queueOffset", result->queue_offset);
  bl_json_member_text(&w, "msgId", result->msg_id);
  if (result->offset_msg_id.ptr != NULL)
    bl_json_member_text(&w, "offsetMsgId", result->offset_msg_id);
  bl_json_member_text(&w, "status", bl_slice_text(bl_send_status(result->code)));
  bl_json_close_object(&w);
  bl_buf_put_char(out, '\n');
}
