#include "requests/json_parts.h"

#include <stdio.h>

#include "base/list.h"
#include "broker/broker.h"

#define MEMBERS_PER_STEP 128

static void put_queue_members(struct bl_json_writer *w, struct bl_slice broker_name,
                              struct bl_slice topic, int32_t queue_id) {
  bl_json_member_text(w, "brokerName", broker_name);
  bl_json_member_i64(w, "queueId", queue_id);
  bl_json_member_text(w, "topic", topic);
}

void bl_json_key_queue(struct bl_json_writer *w, struct bl_slice broker_name, struct bl_slice topic,
                       int32_t queue_id) {
  bl_json_open_object_key(w);
  put_queue_members(w, broker_name, topic, queue_id);
  bl_json_close_object_key(w);
}

void bl_json_put_queue(struct bl_json_writer *w, struct bl_slice broker_name, struct bl_slice topic,
                       int32_t queue_id) {
  bl_json_open_object(w);
  put_queue_members(w, broker_name, topic, queue_id);
  bl_json_close_object(w);
}

void bl_json_put_subscription(struct bl_json_writer *w,
                              const struct bl_subscription *subscription) {
  bl_json_open_object(w);
  bl_json_member_bool(w, "classFilterMode", false);
  bl_json_key(w, "codeSet");
  bl_json_open_array(w);
  for (uint32_t i = 0; i < subscription->tag_count; i++) bl_json_put_i64(w, subscription->codes[i]);
  bl_json_close_array(w);
  bl_json_member_text(w, "expressionType", subscription->expression_type);
  bl_json_member_text(w, "subString", subscription->expression);
  bl_json_member_i64(w, "subVersion", subscription->version);
  bl_json_key(w, "tagsSet");
  bl_json_open_array(w);
  for (uint32_t i = 0; i < subscription->tag_count; i++) bl_json_put_text(w, subscription->tags[i]);
  bl_json_close_array(w);
  bl_json_member_text(w, "topic", subscription->topic);
  bl_json_close_object(w);
}

bool bl_members_step(const struct bl_member_group *group, uint32_t *position,
                     void (*visit)(struct bl_json_writer *w, const struct bl_client *client),
                     struct bl_json_writer *w) {
  uint32_t at = 0;
  int visited = 0;
  for (struct bl_list *node = group->members.next; node != &group->members;
       node = node->next, at++) {
    if (at < *position) continue;
    if (visited == MEMBERS_PER_STEP) return true;
    visit(w, BL_CONTAINER(node, struct bl_member, in_group)->client);
    (*position)++;
    visited++;
  }
  return false;
}

/* Source: apache/rocketmq LanguageCode. */
static const char *language_name(int32_t language) {
  static const char *const names[] = {"JAVA",   "CPP",  "DOTNET", "PYTHON", "DELPHI",
                                      "ERLANG", "RUBY", "OTHER",  "HTTP",   "GO",
                                      "PHP",    "OMS",  "RUST",   "NODE_JS"};
  int32_t count = (int32_t)(sizeof(names) / sizeof(names[0]));
  return language >= 0 && language < count ? names[language] : "OTHER";
}

static void put_connection(struct bl_json_writer *w, const struct bl_client *client) {
  bl_json_open_object(w);
  bl_json_member_text(w, "clientAddr", bl_slice_text(client->address));
  bl_json_member_text(w, "clientId", client->id);
  bl_json_member_text(w, "language", bl_slice_text(language_name(client->language)));
  bl_json_member_i64(w, "version", client->version);
  bl_json_close_object(w);
}

static void put_producer(struct bl_json_writer *w, const struct bl_broker *broker,
                         const struct bl_client *client) {
  char address[80];
  int64_t silent_ms = bl_clock_mono_ms(broker->clock) - client->seen_ms;
  int len = snprintf(address, sizeof(address), "/%s", client->address);
  bl_json_open_object(w);
  bl_json_member_text(w, "clientId", client->id);
  bl_json_member_text(w, "language", bl_slice_text(language_name(client->language)));
  bl_json_member_i64(w, "lastUpdateTimestamp", bl_clock_wall_ms(broker->clock) - silent_ms);
  bl_json_member_text(w, "remoteIP", bl_slice_of(address, (size_t)len));
  bl_json_member_i64(w, "version", client->version);
  bl_json_close_object(w);
}

bool bl_json_put_producers(struct bl_json_writer *w, const struct bl_member_group *group,
                           uint32_t *position) {
  uint32_t at = 0;
  int visited = 0;
  for (struct bl_list *node = group->members.next; node != &group->members;
       node = node->next, at++) {
    if (at < *position) continue;
    if (visited++ == MEMBERS_PER_STEP) return true;
    put_producer(w, group->broker, BL_CONTAINER(node, struct bl_member, in_group)->client);
    (*position)++;
  }
  return false;
}

bool bl_json_put_connections(struct bl_json_writer *w, const struct bl_member_group *group,
                             uint32_t *position) {
  return bl_members_step(group, position, put_connection, w);
}
