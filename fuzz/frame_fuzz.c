/* A remoting frame: its lengths, its header in either codec, and the header as every table reads
 * it. What was read is written and read again, and must be the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "wire/headers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADER_WORDS 64 /* of 8 bytes; the largest header struct is smaller */

static const struct bl_header_table *const tables[] = {
    &bl_add_perm_reply_table,
    &bl_all_groups_table,
    &bl_all_groups_reply_table,
    &bl_all_topics_table,
    &bl_all_topics_reply_table,
    &bl_broker_consume_stats_table,
    &bl_broker_heartbeat_table,
    &bl_broker_identity_table,
    &bl_broker_name_table,
    &bl_changed_reply_table,
    &bl_cluster_table,
    &bl_consume_directly_table,
    &bl_consume_stats_table,
    &bl_consumer_group_table,
    &bl_create_topic_table,
    &bl_earliest_store_time_table,
    &bl_get_max_offset_table,
    &bl_get_min_offset_table,
    &bl_get_route_table,
    &bl_group_name_table,
    &bl_group_short_table,
    &bl_group_topic_table,
    &bl_kv_key_table,
    &bl_kv_namespace_table,
    &bl_kv_put_table,
    &bl_kv_value_reply_table,
    &bl_member_group_table,
    &bl_min_broker_change_table,
    &bl_offset_reply_table,
    &bl_producer_group_table,
    &bl_pull_message_table,
    &bl_pull_reply_table,
    &bl_query_consumer_offset_table,
    &bl_query_message_table,
    &bl_query_message_reply_table,
    &bl_register_broker_table,
    &bl_register_broker_reply_table,
    &bl_running_info_table,
    &bl_search_offset_table,
    &bl_send_back_table,
    &bl_send_message_table,
    &bl_send_message_v2_table,
    &bl_send_reply_table,
    &bl_stats_data_table,
    &bl_timestamp_reply_table,
    &bl_topic_cluster_table,
    &bl_topic_name_table,
    &bl_unregister_client_table,
    &bl_update_consumer_offset_table,
    &bl_version_reply_table,
    &bl_view_message_table,
    &bl_wipe_reply_table,
};

static void write_command(const struct bl_command *command, struct bl_buf *out) {
  struct bl_command_writer writer;
  bl_command_begin(&writer, out, command->codec, command->code, command->opaque, command->flag,
                   command->remark);
  for (uint32_t i = 0; i < command->field_count; i++) {
    bl_command_put_text(&writer, command->fields[i].name, command->fields[i].value);
  }
  bl_command_end(&writer, command->body.len);
  bl_buf_put_slice(out, command->body);
}

static void check_same(const struct bl_command *a, const struct bl_command *b) {
  BL_ASSERT(a->code == b->code && a->opaque == b->opaque && a->flag == b->flag);
  BL_ASSERT(a->codec == b->codec && a->field_count == b->field_count);
  BL_ASSERT(bl_slice_eq(a->remark, b->remark) && bl_slice_eq(a->body, b->body));
  for (uint32_t i = 0; i < a->field_count; i++) {
    BL_ASSERT(bl_slice_eq(a->fields[i].name, b->fields[i].name));
    BL_ASSERT(bl_slice_eq(a->fields[i].value, b->fields[i].value));
  }
}

static void write_header(const struct bl_header_table *table, const void *header,
                         struct bl_buf *out) {
  struct bl_command_writer writer;
  bl_command_begin(&writer, out, BL_CODEC_JSON, 1, 1, 0, (struct bl_slice){NULL, 0});
  bl_header_encode(table, header, &writer);
  bl_command_end(&writer, 0);
}

static void check_table(const struct bl_header_table *table, const struct bl_command *command) {
  uint64_t header[HEADER_WORDS];
  uint64_t again[HEADER_WORDS];
  struct bl_why why;
  BL_ASSERT(table->struct_bytes <= sizeof(header));
  if (bl_header_decode(table, command, header, &why) != BL_OK) return;
  struct bl_arena arena;
  struct bl_buf first;
  struct bl_buf second;
  bl_arena_init(&arena);
  bl_buf_init(&first, 0);
  bl_buf_init(&second, 0);
  struct bl_command read;
  write_header(table, header, &first);
  BL_ASSERT(bl_command_decode(bl_buf_slice(&first), &arena, &read) == BL_OK);
  BL_ASSERT(bl_header_decode(table, &read, again, &why) == BL_OK);
  write_header(table, again, &second);
  BL_ASSERT(bl_slice_eq(bl_buf_slice(&first), bl_buf_slice(&second)));
  bl_buf_fini(&first);
  bl_buf_fini(&second);
  bl_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct bl_slice input = bl_slice_of(data, size);
  size_t frame_bytes = 0;
  if (bl_frame_size(input, &frame_bytes) != BL_OK || frame_bytes > size) return 0;
  struct bl_arena arena;
  struct bl_command command;
  bl_arena_init(&arena);
  if (bl_command_decode(bl_slice_of(data, frame_bytes), &arena, &command) == BL_OK) {
    struct bl_buf out;
    struct bl_command again;
    bl_buf_init(&out, 0);
    write_command(&command, &out);
    BL_ASSERT(bl_command_decode(bl_buf_slice(&out), &arena, &again) == BL_OK);
    check_same(&command, &again);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
      check_table(tables[i], &command);
    bl_buf_fini(&out);
  }
  bl_arena_fini(&arena);
  return 0;
}
