#include "namesrv/register_body.h"

#include <stdlib.h>

#include "base/assert.h"
#include "namesrv/register_internal.h"

#define VERSION_V3_0_11 37
#define VERSION_V5_0_0 413
#define CHUNK_TOPICS 64
#define ZLIB_FIRST_BYTE 0x78 /* deflate, 32 KiB window */

struct bl_register_chunk {
  struct bl_namesrv_topics list;
  struct bl_namesrv_topic topics[CHUNK_TOPICS];
};

enum bl_register_form bl_register_form_of(int32_t version, bool compressed, struct bl_slice bytes) {
  bool zlib = bytes.len > 0 && bytes.ptr[0] == ZLIB_FIRST_BYTE;
  if (version < VERSION_V3_0_11) return BL_REGISTER_JSON_OLD;
  if (!compressed && !zlib) return BL_REGISTER_JSON;
  return version < VERSION_V5_0_0 ? BL_REGISTER_DEFLATED : BL_REGISTER_DEFLATED_MAPPINGS;
}

static bool is_deflated(const struct bl_register_body *body) {
  return body->form == BL_REGISTER_DEFLATED || body->form == BL_REGISTER_DEFLATED_MAPPINGS;
}

struct bl_register_body *bl_register_body_new(struct bl_slice bytes, enum bl_register_form form) {
  struct bl_register_body *body = calloc(1, sizeof(*body));
  BL_ASSERT(body != NULL);
  body->bytes = bytes;
  body->form = form;
  bl_arena_init(&body->keep);
  bl_arena_init(&body->scratch);
  if (bytes.len == 0) {
    body->done = true;
  } else if (is_deflated(body)) {
    bl_register__inflate_open(body);
  } else {
    body->scan.at = bytes.ptr;
    body->scan.end = bytes.ptr + bytes.len;
  }
  return body;
}

void bl_register_body_free(struct bl_register_body *body) {
  if (body == NULL) return;
  if (body->bytes.len > 0 && is_deflated(body)) bl_register__inflate_close(body);
  bl_arena_fini(&body->keep);
  bl_arena_fini(&body->scratch);
  free(body);
}

bl_err bl_register_body_step(struct bl_register_body *body, size_t cost, bool *out_done,
                             struct bl_why *why) {
  *out_done = false;
  bl_err err = BL_OK;
  if (!body->done && is_deflated(body)) {
    err = bl_register__inflate_step(body, cost, why);
  } else if (!body->done) {
    err = bl_register__scan_step(body, cost, why);
  }
  if (err == BL_OK) *out_done = body->done;
  return err;
}

size_t bl_register_body_topic_count(const struct bl_register_body *body) {
  return body->topic_count;
}

void bl_register_body_fill(const struct bl_register_body *body,
                           struct bl_namesrv_registration *out_registration) {
  BL_ASSERT(body->done);
  out_registration->version = body->version;
  out_registration->topics = body->first_chunk != NULL ? &body->first_chunk->list : NULL;
  out_registration->mappings = body->first_mapping;
  out_registration->has_filter_servers = body->has_filter_servers;
  out_registration->filter_servers = body->filter_servers;
  out_registration->filter_server_count = body->filter_server_count;
}

static bl_err parse(struct bl_register_body *body, struct bl_slice json, const char *what,
                    const struct bl_json **out_root, struct bl_why *why) {
  struct bl_why cause;
  bl_arena_reset(&body->scratch);
  bl_err err = bl_json_parse(json, BL_JSON_DIALECT, &body->scratch, out_root, &cause);
  return err == BL_OK ? err : bl_why_set(why, err, "%s: %s", what, cause.text);
}

bl_err bl_register__version(struct bl_register_body *body, struct bl_slice json,
                            struct bl_why *why) {
  const struct bl_json *root;
  bl_err err = parse(body, json, "dataVersion", &root, why);
  if (err != BL_OK) return err;
  body->version.counter = bl_json_i64(bl_json_get(root, "counter"), 0);
  body->version.state_version = bl_json_i64(bl_json_get(root, "stateVersion"), 0);
  body->version.timestamp_ms = bl_json_i64(bl_json_get(root, "timestamp"), 0);
  return BL_OK;
}

static bl_err add_topic(struct bl_register_body *body, const struct bl_namesrv_topic *topic,
                        struct bl_why *why) {
  if (topic->name.len == 0) return bl_why_set(why, BL_ERR_FORMAT, "a topic has no name");
  if (body->topic_count >= BL_NAMESRV_TOPICS_MAX) {
    return bl_why_set(why, BL_ERR_FULL, "more than %d topics", BL_NAMESRV_TOPICS_MAX);
  }
  struct bl_register_chunk *chunk = body->last_chunk;
  if (chunk == NULL || chunk->list.count == CHUNK_TOPICS) {
    chunk = bl_arena_take(&body->keep, sizeof(*chunk));
    chunk->list = (struct bl_namesrv_topics){.topics = chunk->topics};
    if (body->last_chunk != NULL) body->last_chunk->list.next = &chunk->list;
    if (body->first_chunk == NULL) body->first_chunk = chunk;
    body->last_chunk = chunk;
  }
  struct bl_namesrv_topic *kept = &chunk->topics[chunk->list.count++];
  *kept = *topic;
  kept->name = bl_arena_copy(&body->keep, topic->name);
  body->topic_count++;
  return BL_OK;
}

/* TopicConfig's own defaults for what is missing: 16 queues, read and write. */
bl_err bl_register__topic_json(struct bl_register_body *body, struct bl_slice key,
                               struct bl_slice json, struct bl_why *why) {
  const struct bl_json *root;
  bl_err err = parse(body, json, "topicConfigTable", &root, why);
  if (err != BL_OK) return err;
  if (root->kind != BL_JSON_OBJECT) {
    return bl_why_set(why, BL_ERR_FORMAT, "topicConfigTable: a topic is no object");
  }
  struct bl_namesrv_topic topic = {
      .name = bl_json_text(bl_json_get(root, "topicName")),
      .read_queues = bl_json_i32(bl_json_get(root, "readQueueNums"), 16),
      .write_queues = bl_json_i32(bl_json_get(root, "writeQueueNums"), 16),
      .perm = bl_json_i32(bl_json_get(root, "perm"), 6),
      .sys_flag = bl_json_i32(bl_json_get(root, "topicSysFlag"), 0),
  };
  if (topic.name.len > 0) return add_topic(body, &topic, why);
  err = parse(body, key, "topicConfigTable", &root, why);
  topic.name = err == BL_OK ? bl_json_text(root) : bl_slice_text(NULL);
  return err == BL_OK ? add_topic(body, &topic, why) : err;
}

bl_err bl_register__topic_text(struct bl_register_body *body, struct bl_slice text,
                               struct bl_why *why) {
  struct bl_slice rest = text;
  struct bl_namesrv_topic topic = {.name = bl_slice_cut(&rest, ' ')};
  bool good = bl_slice_i32(bl_slice_cut(&rest, ' '), &topic.read_queues) &&
              bl_slice_i32(bl_slice_cut(&rest, ' '), &topic.write_queues) &&
              bl_slice_i32(bl_slice_cut(&rest, ' '), &topic.perm);
  struct bl_slice filter = bl_slice_cut(&rest, ' ');
  good = good && (bl_slice_is(filter, "SINGLE_TAG") || bl_slice_is(filter, "MULTI_TAG"));
  if (!good) {
    return bl_why_set(why, BL_ERR_FORMAT, "'%.*s' is no topic configuration",
                      (int)(text.len < 100 ? text.len : 100), text.ptr);
  }
  return add_topic(body, &topic, why);
}

bl_err bl_register__filters(struct bl_register_body *body, struct bl_slice json,
                            struct bl_why *why) {
  const struct bl_json *root;
  bl_err err = parse(body, json, "filterServerList", &root, why);
  if (err != BL_OK) return err;
  if (root->kind != BL_JSON_ARRAY) return BL_OK;
  body->has_filter_servers = true;
  body->filter_servers =
      bl_arena_take(&body->keep, root->count * sizeof(*body->filter_servers) + 1);
  body->filter_server_count = 0;
  for (const struct bl_json *node = root->child; node != NULL; node = node->next) {
    struct bl_slice text = bl_json_text(node);
    if (text.ptr == NULL) continue;
    body->filter_servers[body->filter_server_count++] = bl_arena_copy(&body->keep, text);
  }
  return BL_OK;
}

static const int32_t (*keep_ids(struct bl_register_body *body, const struct bl_json *map,
                                size_t *out_count))[2] {
  *out_count = 0;
  if (map == NULL || map->kind != BL_JSON_OBJECT) return NULL;
  int32_t(*ids)[2] = bl_arena_take(&body->keep, map->count * sizeof(*ids) + 1);
  for (const struct bl_json *node = map->child; node != NULL; node = node->next) {
    int32_t logical;
    if (!bl_slice_i32(node->key, &logical)) continue;
    ids[*out_count][0] = logical;
    ids[(*out_count)++][1] = bl_json_i32(node, 0);
  }
  return (const int32_t(*)[2])ids;
}

bl_err bl_register__mapping(struct bl_register_body *body, struct bl_slice json,
                            struct bl_why *why) {
  const struct bl_json *root;
  bl_err err = parse(body, json, "topicQueueMappingInfoMap", &root, why);
  if (err != BL_OK) return err;
  struct bl_namesrv_mapping *mapping = bl_arena_take(&body->keep, sizeof(*mapping));
  *mapping = (struct bl_namesrv_mapping){
      .topic = bl_arena_copy(&body->keep, bl_json_text(bl_json_get(root, "topic"))),
      .broker_name = bl_arena_copy(&body->keep, bl_json_text(bl_json_get(root, "bname"))),
      .scope = bl_arena_copy(&body->keep, bl_json_text(bl_json_get(root, "scope"))),
      .total_queues = bl_json_i32(bl_json_get(root, "totalQueues"), 0),
      .epoch = bl_json_i64(bl_json_get(root, "epoch"), 0),
      .dirty = bl_json_bool(bl_json_get(root, "dirty"), false),
  };
  if (mapping->scope.ptr == NULL) mapping->scope = BL_SLICE("__global__");
  mapping->ids = keep_ids(body, bl_json_get(root, "currIdMap"), &mapping->id_count);
  if (body->last_mapping != NULL) body->last_mapping->next = mapping;
  if (body->first_mapping == NULL) body->first_mapping = mapping;
  body->last_mapping = mapping;
  return BL_OK;
}
