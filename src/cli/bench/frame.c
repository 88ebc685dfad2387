#include "cli/bench/frame.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"

#define REQUEST_SEND_MESSAGE_V2 310
#define REQUEST_SEND_BATCH_MESSAGE 320
#define ENTRY_FIXED_BYTES 20 /* size, magic, CRC, flag, body length */
#define KEY_FIXED_BYTES (32 - BL_BENCH_KEY_MOVING_BYTES)
#define BINARY_OPAQUE_AT 13 /* behind two length words, code, language, version */
#define PROPERTY_NAME "pad"

static const char hex_digits[] = "0123456789ABCDEF";
static const char PAIRS[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445"
    "46474849505152535455565758596061626364656667686970717273747576777879808182838485868788899091"
    "9293949596979899";

static void put_hex(char *to, uint32_t number, int digits) {
  for (int i = digits - 1; i >= 0; i--, number >>= 4) to[i] = hex_digits[number & 15];
}

static void put_digits(char *to, uint64_t number, uint32_t digits) {
  while (digits >= 2) {
    digits -= 2;
    memcpy(to + digits, PAIRS + number % 100 * 2, 2);
    number /= 100;
  }
  if (digits == 1) to[0] = (char)('0' + number % 10);
}

void bl_bench_keys_init(struct bl_bench_keys *keys, const uint8_t addr[4], uint16_t pid,
                        uint32_t salt, int64_t now_ms) {
  memset(keys, 0, sizeof(*keys));
  bl_uniqkey_init(&keys->source, addr, pid, salt);
  bl_uniqkey_next(&keys->source, now_ms, keys->first);
  bl_bench_keys_set_time(keys, now_ms);
}

void bl_bench_keys_set_time(struct bl_bench_keys *keys, int64_t now_ms) {
  if (now_ms == keys->now_ms) return;
  keys->now_ms = now_ms;
  put_digits(keys->born_text, (uint64_t)now_ms, sizeof(keys->born_text));
  put_hex(keys->time_text, (uint32_t)(now_ms - keys->source.month_start_ms), 8);
}

/* Properties as the Java client writes them. */
static void put_properties(struct bl_buf *out, const struct bl_bench_frame_spec *spec, bool more) {
  bl_buf_put_text(out, "UNIQ_KEY\001");
  bl_buf_put(out, spec->key, 32);
  bl_buf_put_text(out, "\002WAIT\001true\002");
  if (!more || spec->property_bytes == 0) return;
  bl_buf_put_text(out, PROPERTY_NAME "\001");
  for (uint32_t i = 0; i < spec->property_bytes; i++) bl_buf_put_char(out, (char)('a' + i % 26));
  bl_buf_put_char(out, '\002');
}

/* Where `text` stands in the bytes written since `from`. */
static uint32_t place_of(const struct bl_buf *out, size_t from, const char *text, size_t len) {
  for (size_t at = from; at + len <= out->len; at++) {
    if (memcmp(out->data + at, text, len) == 0) return (uint32_t)at;
  }
  BL_ASSERT(!"the slot is in what was just written");
  return 0;
}

/* Writes a field of so many digits and says where they are. */
static uint32_t put_slot(struct bl_command_writer *writer, struct bl_slice name, uint32_t digits) {
  char text[24];
  BL_ASSERT(digits < sizeof(text));
  memset(text, '7', digits); /* a number of that width */
  size_t from = writer->out->len;
  bl_command_put_text(writer, name, bl_slice_of(text, digits));
  return place_of(writer->out, from, text, digits);
}

static void put_topic(struct bl_command_writer *writer, const struct bl_bench_frame_spec *spec,
                      struct bl_bench_frame *frame) {
  char text[256];
  int len = snprintf(text, sizeof(text), spec->numbered_topic ? "%.*s-%0*d" : "%.*s",
                     BL_FMT(spec->topic), (int)spec->topic_digits, 0);
  BL_ASSERT(len > 0 && (size_t)len < sizeof(text));
  size_t from = writer->out->len;
  bl_command_put_text(writer, BL_SLICE("b"), bl_slice_of(text, (size_t)len));
  uint32_t end = place_of(writer->out, from, text, (size_t)len) + (uint32_t)len;
  frame->topic_digits = spec->numbered_topic ? spec->topic_digits : 0;
  frame->topic_at = end - frame->topic_digits;
}

static void put_header(const struct bl_bench_frame_spec *spec, struct bl_bench_frame *frame,
                       size_t body_bytes) {
  struct bl_command_writer writer;
  struct bl_buf *out = &frame->bytes;
  bool batch = spec->batch > 0;
  bl_command_begin(&writer, out, spec->codec,
                   batch ? REQUEST_SEND_BATCH_MESSAGE : REQUEST_SEND_MESSAGE_V2,
                   BL_BENCH_OPAQUE_BASE, 0, (struct bl_slice){NULL, 0});
  bl_command_put_text(&writer, BL_SLICE("a"), BL_SLICE(BL_BENCH_GROUP));
  put_topic(&writer, spec, frame);
  bl_command_put_text(&writer, BL_SLICE("c"), BL_SLICE("TBW102"));
  bl_command_put_i64(&writer, BL_SLICE("d"), spec->default_queues);
  frame->queue_at = put_slot(&writer, BL_SLICE("e"), spec->queue_digits);
  bl_command_put_i64(&writer, BL_SLICE("f"), 0);
  frame->born_at = put_slot(&writer, BL_SLICE("g"), 13);
  bl_command_put_i64(&writer, BL_SLICE("h"), 0);
  struct bl_buf properties = {0};
  put_properties(&properties, spec, !batch);
  size_t from = out->len;
  bl_command_put_text(&writer, BL_SLICE("i"), bl_buf_slice(&properties));
  bl_buf_fini(&properties);
  frame->header_key_at = place_of(out, from, spec->key, 32) + KEY_FIXED_BYTES;
  bl_command_put_i64(&writer, BL_SLICE("j"), 0);
  bl_command_put_bool(&writer, BL_SLICE("k"), false);
  bl_command_put_bool(&writer, BL_SLICE("m"), batch);
  bl_command_put_text(&writer, BL_SLICE("n"), spec->broker_name);
  from = out->len;
  bl_command_end(&writer, body_bytes);
  frame->opaque_at = spec->codec == BL_CODEC_BINARY
                         ? BINARY_OPAQUE_AT
                         : place_of(out, from, "\"opaque\":1000000000", 19) + 9;
}

static void put_entries(const struct bl_bench_frame_spec *spec, struct bl_bench_frame *frame) {
  struct bl_buf *out = &frame->bytes;
  struct bl_buf properties = {0};
  put_properties(&properties, spec, true);
  size_t entry_bytes = ENTRY_FIXED_BYTES + spec->body_bytes + 2 + properties.len;
  for (uint32_t i = 0; i < spec->batch; i++) {
    bl_buf_put_u32(out, (uint32_t)entry_bytes);
    bl_buf_put_u32(out, 0); /* magic and CRC: nobody looks */
    bl_buf_put_u32(out, 0);
    bl_buf_put_u32(out, 0);
    bl_buf_put_u32(out, spec->body_bytes);
    bl_buf_put(out, spec->body, spec->body_bytes);
    bl_buf_put_u16(out, (uint16_t)properties.len);
    bl_buf_put_slice(out, bl_buf_slice(&properties));
  }
  bl_buf_fini(&properties);
  frame->body_at += ENTRY_FIXED_BYTES;
  frame->body_stride = (uint32_t)entry_bytes;
  frame->entry_key_at = spec->body_bytes + 2 + (uint32_t)strlen("UNIQ_KEY\001") + KEY_FIXED_BYTES;
}

void bl_bench_frame_make(const struct bl_bench_frame_spec *spec, struct bl_bench_frame *out_frame) {
  struct bl_bench_frame *frame = out_frame;
  *frame = (struct bl_bench_frame){.codec = spec->codec,
                                   .queue_digits = spec->queue_digits,
                                   .messages = spec->batch > 0 ? spec->batch : 1};
  bl_buf_init(&frame->bytes, 0);
  size_t body_bytes = spec->body_bytes;
  if (spec->batch > 0) {
    struct bl_buf properties = {0};
    put_properties(&properties, spec, true);
    BL_ASSERT(properties.len <= INT16_MAX);
    body_bytes = spec->batch * (ENTRY_FIXED_BYTES + body_bytes + 2 + properties.len);
    bl_buf_fini(&properties);
  }
  put_header(spec, frame, body_bytes);
  frame->body_at = (uint32_t)frame->bytes.len;
  if (spec->batch > 0)
    put_entries(spec, frame);
  else
    bl_buf_put(&frame->bytes, spec->body, spec->body_bytes);
  BL_ASSERT(!frame->bytes.failed && bl_load_u32(frame->bytes.data) + 4 == frame->bytes.len);
}

void bl_bench_frame_fini(struct bl_bench_frame *frame) {
  bl_buf_fini(&frame->bytes);
}

static void stamp_key(char *to, struct bl_bench_keys *keys) {
  uint16_t counter = keys->counter++;
  memcpy(to, keys->time_text, 8);
  to[8] = hex_digits[counter >> 12];
  to[9] = hex_digits[counter >> 8 & 15];
  to[10] = hex_digits[counter >> 4 & 15];
  to[11] = hex_digits[counter & 15];
}

void bl_bench_frame_stamp(const struct bl_bench_frame *frame, char *bytes, uint32_t opaque,
                          uint32_t topic, uint32_t queue, struct bl_bench_keys *keys) {
  if (frame->codec == BL_CODEC_BINARY)
    bl_store_u32(bytes + frame->opaque_at, BL_BENCH_OPAQUE_BASE + opaque);
  else
    put_digits(bytes + frame->opaque_at, BL_BENCH_OPAQUE_BASE + opaque, 10);
  put_digits(bytes + frame->queue_at, queue, frame->queue_digits);
  if (frame->topic_digits > 0) put_digits(bytes + frame->topic_at, topic, frame->topic_digits);
  memcpy(bytes + frame->born_at, keys->born_text, sizeof(keys->born_text));
  stamp_key(bytes + frame->header_key_at, keys);
  if (frame->entry_key_at == 0) return;
  char *key = bytes + frame->body_at + frame->entry_key_at;
  for (uint32_t i = 0; i < frame->messages; i++, key += frame->body_stride) stamp_key(key, keys);
}
