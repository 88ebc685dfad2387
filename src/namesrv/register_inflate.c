/* A registration body in its compressed form: a zlib stream of length-prefixed texts, read as it is
 * inflated. */
#include <string.h>

#include "base/bytes.h"
#include "namesrv/register_internal.h"

enum {
  FIELD_VERSION,
  FIELD_TOPIC_COUNT,
  FIELD_TOPIC,
  FIELD_FILTERS,
  FIELD_MAPPING_COUNT,
  FIELD_MAPPING,
  FIELD_END,
};

#define INFLATE_COST_PER_BYTE 2
#define ITEM_COST 64
#define INPUT_BYTES 4096

void bl_register__inflate_open(struct bl_register_body *body) {
  struct bl_register_inflate *in = &body->inflate;
  bl_buf_init(&in->item, BL_REGISTER_ITEM_BYTES_MAX);
  in->open = inflateInit(&in->stream) == Z_OK;
  in->rest = body->bytes;
}

void bl_register__inflate_close(struct bl_register_body *body) {
  if (body->inflate.open) inflateEnd(&body->inflate.stream);
  body->inflate.open = false;
  bl_buf_fini(&body->inflate.item);
}

static void charge(size_t *cost, size_t price) {
  *cost -= price < *cost ? price : *cost;
}

/* Fills the empty stage, or takes a little input that gives nothing. */
static bl_err inflate_more(struct bl_register_inflate *in, size_t *cost, struct bl_why *why) {
  if (in->ended) return bl_why_set(why, BL_ERR_FORMAT, "the compressed data ends too early");
  size_t input = in->rest.len < INPUT_BYTES ? in->rest.len : INPUT_BYTES;
  in->stream.next_in = (z_const Bytef *)in->rest.ptr;
  in->stream.avail_in = (uInt)input;
  in->stream.next_out = in->stage;
  in->stream.avail_out = sizeof(in->stage);
  int result = inflate(&in->stream, Z_NO_FLUSH);
  if (result == Z_BUF_ERROR) {
    return bl_why_set(why, BL_ERR_FORMAT, "the compressed data ends too early");
  }
  if (result != Z_OK && result != Z_STREAM_END) {
    return bl_why_set(why, BL_ERR_FORMAT, "the compressed data is damaged");
  }
  in->ended = result == Z_STREAM_END;
  in->rest = bl_slice_from(in->rest, input - in->stream.avail_in);
  in->stage_at = 0;
  in->stage_len = sizeof(in->stage) - in->stream.avail_out;
  in->out_bytes += in->stage_len;
  if (in->out_bytes > BL_REGISTER_BODY_BYTES_MAX) {
    return bl_why_set(why, BL_ERR_FULL, "more than %d bytes when inflated",
                      BL_REGISTER_BODY_BYTES_MAX);
  }
  charge(cost, (in->stage_len + input - in->stream.avail_in) * INFLATE_COST_PER_BYTE + 1);
  return BL_OK;
}

/* Moves bytes from the stage until the item has that many. */
static bool fill_item(struct bl_register_inflate *in, size_t bytes) {
  size_t missing = bytes - in->item.len;
  size_t there = in->stage_len - in->stage_at;
  size_t part = missing < there ? missing : there;
  bl_buf_put(&in->item, in->stage + in->stage_at, part);
  in->stage_at += part;
  return part == missing;
}

static bool is_count(int field) {
  return field == FIELD_TOPIC_COUNT || field == FIELD_MAPPING_COUNT;
}

/* Goes to the field after this one, past lists that are empty. */
static void next_field(struct bl_register_body *body) {
  struct bl_register_inflate *in = &body->inflate;
  bool listed = in->field == FIELD_TOPIC || in->field == FIELD_MAPPING;
  if (listed && --in->left > 0) return;
  in->field++;
  bool empty = in->left == 0 && (in->field == FIELD_TOPIC || in->field == FIELD_MAPPING);
  if (empty) in->field++;
  if (in->field == FIELD_MAPPING_COUNT && body->form == BL_REGISTER_DEFLATED) in->field = FIELD_END;
  body->done = in->field == FIELD_END;
}

static bl_err take_number(struct bl_register_body *body, struct bl_why *why) {
  struct bl_register_inflate *in = &body->inflate;
  uint32_t number = bl_load_u32(in->item.data);
  bl_buf_clear(&in->item);
  if (number > INT32_MAX) return bl_why_set(why, BL_ERR_FORMAT, "a length or count is negative");
  if (is_count(in->field)) {
    in->left = number;
    next_field(body);
    return BL_OK;
  }
  if (number > BL_REGISTER_ITEM_BYTES_MAX) {
    return bl_why_set(why, BL_ERR_FULL, "an entry of %u bytes", number);
  }
  in->want_bytes = number;
  in->in_payload = true;
  return BL_OK;
}

static bl_err take_payload(struct bl_register_body *body, struct bl_why *why) {
  struct bl_register_inflate *in = &body->inflate;
  struct bl_slice item = bl_buf_slice(&in->item);
  bl_err err = BL_OK;
  switch (in->field) {
    case FIELD_VERSION: err = bl_register__version(body, item, why); break;
    case FIELD_TOPIC: err = bl_register__topic_text(body, item, why); break;
    case FIELD_FILTERS:
      /* What is no list is passed over, as RocketMQ does. */
      if (bl_register__filters(body, item, NULL) != BL_OK) body->has_filter_servers = true;
      break;
    default: err = bl_register__mapping(body, item, why);
  }
  bl_buf_clear(&in->item);
  in->in_payload = false;
  if (err == BL_OK) next_field(body);
  return err;
}

bl_err bl_register__inflate_step(struct bl_register_body *body, size_t cost, struct bl_why *why) {
  struct bl_register_inflate *in = &body->inflate;
  if (!in->open) return bl_why_set(why, BL_ERR_SYSTEM, "zlib cannot start");
  bl_err err = BL_OK;
  while (err == BL_OK && !body->done && cost > 0) {
    size_t want = in->in_payload ? in->want_bytes : sizeof(uint32_t);
    if (!fill_item(in, want)) {
      err = inflate_more(in, &cost, why);
      continue;
    }
    charge(&cost, ITEM_COST);
    err = in->in_payload ? take_payload(body, why) : take_number(body, why);
  }
  return err;
}
