/* What the two readers of a registration body share. Only for register_*.c. */
#ifndef BOLIDE_NAMESRV_REGISTER_INTERNAL_H
#define BOLIDE_NAMESRV_REGISTER_INTERNAL_H

#include <zlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "namesrv/register_body.h"

#define BL_REGISTER_STAGE_BYTES 16384

/* A place in the JSON text. Objects that hold topics are walked one member at a time, others are
 * passed over. */
enum bl_register_object {
  BL_REGISTER_ROOT,
  BL_REGISTER_WRAPPER,
  BL_REGISTER_TOPICS,
  BL_REGISTER_MAPPINGS,
};
struct bl_register_scan {
  const char *at, *end;
  int state;
  enum bl_register_object open[3];
  int depth;
  struct bl_slice key; /* of the member at hand, as written */
  const char *start;   /* of the key or value at hand */
  int skip_depth;
  char skip_quote;
  bool skip_escape;
};

struct bl_register_inflate {
  z_stream stream;
  bool open;
  struct bl_slice rest; /* input that was not taken yet */
  bool ended;           /* the compressed data is at its end */
  unsigned char stage[BL_REGISTER_STAGE_BYTES];
  size_t stage_at, stage_len;
  size_t out_bytes;
  int field;
  bool in_payload; /* the length was read */
  uint32_t want_bytes;
  uint32_t left; /* of a counted list */
  struct bl_buf item;
};

struct bl_register_chunk;

struct bl_register_body {
  struct bl_slice bytes;
  enum bl_register_form form;
  bool done;
  struct bl_arena keep;    /* results */
  struct bl_arena scratch; /* of one item */
  struct bl_namesrv_version version;
  struct bl_register_chunk *first_chunk, *last_chunk;
  size_t topic_count;
  struct bl_namesrv_mapping *first_mapping, *last_mapping;
  struct bl_slice *filter_servers;
  size_t filter_server_count;
  bool has_filter_servers;
  union {
    struct bl_register_scan scan;
    struct bl_register_inflate inflate;
  };
};

/* One item each, from JSON (key as written) or from TopicConfig's own text. */
bl_err bl_register__version(struct bl_register_body *body, struct bl_slice json,
                            struct bl_why *why);
bl_err bl_register__topic_json(struct bl_register_body *body, struct bl_slice key,
                               struct bl_slice json, struct bl_why *why);
bl_err bl_register__topic_text(struct bl_register_body *body, struct bl_slice text,
                               struct bl_why *why);
bl_err bl_register__filters(struct bl_register_body *body, struct bl_slice json,
                            struct bl_why *why);
bl_err bl_register__mapping(struct bl_register_body *body, struct bl_slice json,
                            struct bl_why *why);

bl_err bl_register__scan_step(struct bl_register_body *body, size_t cost, struct bl_why *why);
void bl_register__inflate_open(struct bl_register_body *body);
bl_err bl_register__inflate_step(struct bl_register_body *body, size_t cost, struct bl_why *why);
void bl_register__inflate_close(struct bl_register_body *body);

#endif
