/* Remoting frames, written by themselves and not with the broker's own code: requests with binary
 * headers (RocketMQSerializable); answers and requests of the broker in either form (Java answers
 * some binary requests in JSON). */
#ifndef BOLIDE_TESTS_STORM_FRAME_H
#define BOLIDE_TESTS_STORM_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that grow. */
struct bl_storm_bytes {
  char *ptr;
  size_t len, cap;
};
void bl_storm_put(struct bl_storm_bytes *bytes, const void *ptr, size_t len);
void bl_storm_printf(struct bl_storm_bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Begins a request behind what is there; fields, then the end with the body. */
struct bl_storm_request {
  struct bl_storm_bytes *out;
  size_t frame_at, fields_at;
};
void bl_storm_begin(struct bl_storm_request *request, struct bl_storm_bytes *out, int32_t code,
                    int32_t opaque);
void bl_storm_text(struct bl_storm_request *request, const char *name, const char *value);
void bl_storm_number(struct bl_storm_request *request, const char *name, int64_t value);
void bl_storm_end(struct bl_storm_request *request, const void *body, size_t body_len);

/* A frame that came; everything points into it. */
struct bl_storm_frame {
  int32_t code, opaque;
  bool is_request;
  const char *header;
  size_t header_len;
  bool is_json;
  const char *body;
  size_t body_len;
};
/* The bytes of the frame at the front, 0: not whole yet, -1: no frame. */
int64_t bl_storm_frame_bytes(const char *ptr, size_t len);
/* false: it cannot be read. */
bool bl_storm_read(const char *ptr, size_t len, struct bl_storm_frame *out_frame);
/* A field of the header as a number; `absent` when it is not there. */
int64_t bl_storm_field(const struct bl_storm_frame *frame, const char *name, int64_t absent);

static inline uint32_t bl_storm_u32(const char *p) {
  const uint8_t *b = (const uint8_t *)p;
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}
static inline int64_t bl_storm_i64(const char *p) {
  return (int64_t)((uint64_t)bl_storm_u32(p) << 32 | bl_storm_u32(p + 4));
}

/* Ends the program with a sentence and status 2. */
void bl_storm_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
