#include "base/json.h"
#include "namesrv/routes.h"
#include "remoting/request.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_topic_name_header *header = call->header;
  if (call->command->body.len == 0) return bl_call_ok(call);
  const struct bl_json *root = bl_call_json(call);
  if (root == NULL) return BL_DONE;
  const struct bl_json *list = bl_json_get(root, "queueDatas");
  if (list == NULL || list->kind != BL_JSON_ARRAY || list->count == 0) return bl_call_ok(call);
  struct bl_namesrv_queue_data *queues = bl_arena_zero(call->arena, list->count * sizeof(*queues));
  size_t count = 0;
  for (const struct bl_json *node = list->child; node != NULL; node = node->next, count++) {
    queues[count].broker_name = bl_json_text(bl_json_get(node, "brokerName"));
    queues[count].data = (struct bl_namesrv_topic){
        .perm = bl_json_i32(bl_json_get(node, "perm"), 0),
        .read_queues = bl_json_i32(bl_json_get(node, "readQueueNums"), 0),
        .write_queues = bl_json_i32(bl_json_get(node, "writeQueueNums"), 0),
        .sys_flag = bl_json_i32(bl_json_get(node, "topicSysFlag"), 0),
    };
  }
  bl_namesrv_register_topic(call->server, header->topic, queues, count);
  return bl_call_ok(call);
}

const struct bl_request bl_request_register_topic = {
    .code = 217,
    .name = "REGISTER_TOPIC_IN_NAMESRV",
    .roles = BL_ROLE_NAMESRV,
    .header = &bl_topic_name_table,
    .handle = handle,
};
