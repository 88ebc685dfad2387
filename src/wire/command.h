/* The remoting frame and its header, JSON or binary. Pure.
 * Source: apache/rocketmq RemotingCommand, RocketMQSerializable; reference protocol.md 2.1-2.3. */
#ifndef BOLIDE_WIRE_COMMAND_H
#define BOLIDE_WIRE_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define BL_FRAME_BYTES_MAX 16777216       /* whole frame with its length word */
#define BL_FRAME_HEADER_BYTES_MAX 1048576 /* ours; RocketMQ has only the 24 bits of the field */
#define BL_COMMAND_FIELDS_MAX 16384

#define BL_FLAG_RESPONSE 1
#define BL_FLAG_ONEWAY 2

/* The version we say we are: MQVersion.V5_5_0. Readers that do not know it by name take
 * the highest they know. */
#define BL_VERSION_ORDINAL 513

enum bl_language {
  BL_LANGUAGE_JAVA = 0,
  BL_LANGUAGE_CPP = 1,
  BL_LANGUAGE_OTHER = 7,
  BL_LANGUAGE_GO = 9
};
enum bl_codec { BL_CODEC_JSON = 0, BL_CODEC_BINARY = 1 };

struct bl_field {
  struct bl_slice name;
  struct bl_slice value;
};

struct bl_command {
  int32_t code;
  int32_t language; /* LanguageCode ordinal; unknown names are OTHER */
  int32_t version;
  int32_t opaque;
  int32_t flag;
  enum bl_codec codec;
  struct bl_slice remark;
  struct bl_field *fields; /* extFields in order of arrival */
  uint32_t field_count;
  struct bl_slice body;
};

static inline bool bl_command_is_response(const struct bl_command *command) {
  return (command->flag & BL_FLAG_RESPONSE) != 0;
}
static inline bool bl_command_is_oneway(const struct bl_command *command) {
  return (command->flag & BL_FLAG_ONEWAY) != 0;
}
/* The last field of that name, or the absent slice. */
struct bl_slice bl_command_field(const struct bl_command *command, struct bl_slice name);

/* How many bytes the frame at the start of `input` has, length word included. BL_ERR_SHORT: fewer
 * than 8 bytes so far. BL_ERR_FORMAT: impossible lengths, close the connection. */
BL_MUST_CHECK bl_err bl_frame_size(struct bl_slice input, size_t *out_bytes);
/* FILLS a command from one whole frame; BORROWS `frame`, fields and unescaped texts are in the
 * arena. */
BL_MUST_CHECK bl_err bl_command_decode(struct bl_slice frame, struct bl_arena *arena,
                                       struct bl_command *out_command);

/* Writing a frame: begin, any number of fields, end; then the body follows. */
struct bl_command_writer {
  struct bl_buf *out;
  enum bl_codec codec;
  size_t frame_at; /* of the length word in out */
  size_t map_at;   /* binary: of the extFields length */
  struct bl_slice remark;
  int32_t code, version, opaque, flag;
  bool any_field;
};
void bl_command_begin(struct bl_command_writer *writer, struct bl_buf *out, enum bl_codec codec,
                      int32_t code, int32_t opaque, int32_t flag, struct bl_slice remark);
/* Absent or empty values are not written in the binary form (Java reads them as absent). */
void bl_command_put_text(struct bl_command_writer *writer, struct bl_slice name,
                         struct bl_slice value);
void bl_command_put_i64(struct bl_command_writer *writer, struct bl_slice name, int64_t value);
void bl_command_put_bool(struct bl_command_writer *writer, struct bl_slice name, bool value);
/* Writes the lengths; body_bytes will follow, written by the caller. */
void bl_command_end(struct bl_command_writer *writer, size_t body_bytes);

#endif
