#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/table_answer.h"
#include "wire/headers.h"

/* There are no static topics here: their version never moves. */
static void put_mapping_version(struct bl_json_writer *w, const struct bl_table *table) {
  struct bl_version version = {.timestamp_ms = table->version.timestamp_ms};
  bl_json_key(w, "mappingDataVersion");
  bl_version_write(w, &version);
}

static void put_mappings(struct bl_json_writer *w) {
  static const char *const members[] = {"topicQueueMappingDetailMap", "topicQueueMappingInfoMap"};
  for (int i = 0; i < 2; i++) {
    bl_json_key(w, members[i]);
    bl_json_open_object(w);
    bl_json_close_object(w);
  }
}

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_broker *broker = call->server;
  const struct bl_all_topics_header *header = call->header;
  struct bl_all_topics_reply_header reply = {.present = 0};
  BL_SET(&reply, all_topics_reply, total, (int32_t)broker->topics.table.map.count);
  bool paged = BL_HAS(header, all_topics, max_count);
  struct bl_table_answer answer = {.table = &broker->topics.table,
                                   .first = header->seq > 0 ? (uint32_t)header->seq : 0,
                                   .count = !paged                  ? UINT32_MAX
                                            : header->max_count > 0 ? (uint32_t)header->max_count
                                                                    : 0,
                                   .before = put_mapping_version,
                                   .behind = put_mappings,
                                   .header_table = &bl_all_topics_reply_table,
                                   .header = &reply};
  return bl_table_answer(call, &answer);
}

const struct bl_request bl_request_topic_table = {
    .code = 21,
    .name = "GET_ALL_TOPIC_CONFIG",
    .roles = BL_ROLE_BROKER,
    .header = &bl_all_topics_table,
    .handle = handle,
};
