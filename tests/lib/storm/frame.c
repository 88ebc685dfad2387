#include "frame.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LANGUAGE_OTHER 12
#define VERSION 493
#define FRAME_BYTES_MAX (64 << 20)
#define HEAD_BYTES 21 /* of a binary header: code, language, version, opaque, flag, two lengths */

void bl_storm_die(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fprintf(stderr, "storm: ");
  vfprintf(stderr, format, args);
  fprintf(stderr, "\n");
  va_end(args);
  exit(2);
}

void bl_storm_put(struct bl_storm_bytes *bytes, const void *ptr, size_t len) {
  if (bytes->cap - bytes->len < len) {
    size_t cap = bytes->cap == 0 ? 1024 : bytes->cap;
    while (cap - bytes->len < len) cap *= 2;
    bytes->ptr = realloc(bytes->ptr, cap);
    if (bytes->ptr == NULL) bl_storm_die("no memory");
    bytes->cap = cap;
  }
  if (len > 0) memcpy(bytes->ptr + bytes->len, ptr, len);
  bytes->len += len;
}

void bl_storm_printf(struct bl_storm_bytes *bytes, const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  int len = vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  if (len < 0 || (size_t)len >= sizeof(text)) bl_storm_die("a text is too long");
  bl_storm_put(bytes, text, (size_t)len);
}

static void put_u8(struct bl_storm_bytes *out, uint32_t value) {
  char byte = (char)value;
  bl_storm_put(out, &byte, 1);
}
static void put_u16(struct bl_storm_bytes *out, uint32_t value) {
  put_u8(out, value >> 8);
  put_u8(out, value);
}
static void put_u32(struct bl_storm_bytes *out, uint32_t value) {
  put_u16(out, value >> 16);
  put_u16(out, value);
}
static void set_u32(char *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (char)(value >> (24 - 8 * i));
}

void bl_storm_begin(struct bl_storm_request *request, struct bl_storm_bytes *out, int32_t code,
                    int32_t opaque) {
  request->out = out;
  request->frame_at = out->len;
  put_u32(out, 0); /* length of the frame */
  put_u32(out, 0); /* length of the header, and its form */
  put_u16(out, (uint32_t)code);
  put_u8(out, LANGUAGE_OTHER);
  put_u16(out, VERSION);
  put_u32(out, (uint32_t)opaque);
  put_u32(out, 0); /* flag */
  put_u32(out, 0); /* no remark */
  request->fields_at = out->len + 4;
  put_u32(out, 0); /* length of the fields */
}

static void put_field(struct bl_storm_request *request, const char *name, const char *value,
                      size_t len) {
  put_u16(request->out, (uint32_t)strlen(name));
  bl_storm_put(request->out, name, strlen(name));
  put_u32(request->out, (uint32_t)len);
  bl_storm_put(request->out, value, len);
}

void bl_storm_text(struct bl_storm_request *request, const char *name, const char *value) {
  put_field(request, name, value, strlen(value));
}

void bl_storm_number(struct bl_storm_request *request, const char *name, int64_t value) {
  char text[24];
  int len = snprintf(text, sizeof(text), "%lld", (long long)value);
  put_field(request, name, text, (size_t)len);
}

void bl_storm_end(struct bl_storm_request *request, const void *body, size_t body_len) {
  struct bl_storm_bytes *out = request->out;
  size_t header = out->len - request->frame_at - 8;
  set_u32(out->ptr + request->fields_at - 4, (uint32_t)(out->len - request->fields_at));
  set_u32(out->ptr + request->frame_at, (uint32_t)(4 + header + body_len));
  set_u32(out->ptr + request->frame_at + 4, (uint32_t)header | 1u << 24);
  bl_storm_put(out, body, body_len);
}

int64_t bl_storm_frame_bytes(const char *ptr, size_t len) {
  if (len < 4) return 0;
  uint32_t bytes = bl_storm_u32(ptr);
  if (bytes < 4 || bytes > FRAME_BYTES_MAX) return -1;
  return len < bytes + 4ull ? 0 : (int64_t)bytes + 4;
}

/* Numbers of a JSON header: the members that are read stand in it once, as fastjson writes them. */
static int32_t json_number(const char *header, size_t len, const char *name) {
  const char *at = memmem(header, len, name, strlen(name));
  return at == NULL ? 0 : (int32_t)strtol(at + strlen(name), NULL, 10);
}

bool bl_storm_read(const char *ptr, size_t len, struct bl_storm_frame *out_frame) {
  if (len < 8) return false;
  uint32_t word = bl_storm_u32(ptr + 4);
  size_t header_len = word & 0xffffff;
  if (header_len > len - 8) return false;
  int32_t flag;
  *out_frame = (struct bl_storm_frame){.header = ptr + 8,
                                       .header_len = header_len,
                                       .is_json = word >> 24 == 0,
                                       .body = ptr + 8 + header_len,
                                       .body_len = len - 8 - header_len};
  if (out_frame->is_json) {
    char text[4096]; /* for strtol an end */
    size_t shown = header_len < sizeof(text) - 1 ? header_len : sizeof(text) - 1;
    memcpy(text, out_frame->header, shown);
    text[shown] = '\0';
    out_frame->code = json_number(text, shown, "\"code\":");
    out_frame->opaque = json_number(text, shown, "\"opaque\":");
    flag = json_number(text, shown, "\"flag\":");
  } else {
    if (header_len < HEAD_BYTES) return false;
    const char *h = out_frame->header;
    out_frame->code = (int16_t)((uint8_t)h[0] << 8 | (uint8_t)h[1]);
    out_frame->opaque = (int32_t)bl_storm_u32(h + 5);
    flag = (int32_t)bl_storm_u32(h + 9);
  }
  out_frame->is_request = (flag & 1) == 0;
  return true;
}

/* Fields are texts: "name":"number". */
static int64_t json_field(const struct bl_storm_frame *frame, const char *name, int64_t absent) {
  char wanted[64];
  int len = snprintf(wanted, sizeof(wanted), "\"%s\":\"", name);
  const char *end = frame->header + frame->header_len;
  const char *at = memmem(frame->header, frame->header_len, wanted, (size_t)len);
  if (at == NULL) return absent;
  char text[24] = "";
  at += len;
  for (size_t i = 0; i < sizeof(text) - 1 && at < end && *at != '"'; i++) text[i] = *at++;
  return strtoll(text, NULL, 10);
}

int64_t bl_storm_field(const struct bl_storm_frame *frame, const char *name, int64_t absent) {
  size_t name_len = strlen(name), at = 13;
  if (frame->is_json) return json_field(frame, name, absent);
  if (frame->header_len < HEAD_BYTES) return absent;
  at += 4 + bl_storm_u32(frame->header + at); /* the remark */
  at += 4;                                    /* length of the fields: they end the header */
  while (at + 2 <= frame->header_len) {
    const char *h = frame->header;
    size_t key_len = (size_t)((uint8_t)h[at] << 8 | (uint8_t)h[at + 1]);
    if (at + 2 + key_len + 4 > frame->header_len) return absent;
    const char *key = h + at + 2;
    size_t value_len = bl_storm_u32(key + key_len);
    const char *value = key + key_len + 4;
    if (value_len > frame->header_len - (size_t)(value - h)) return absent;
    at = (size_t)(value - h) + value_len;
    if (key_len != name_len || memcmp(key, name, name_len) != 0 || value_len > 20) continue;
    char text[24];
    memcpy(text, value, value_len);
    text[value_len] = '\0';
    return strtoll(text, NULL, 10);
  }
  return absent;
}
