#include "cli/bench/hop.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "cli/bench/frame.h"
#include "wire/headers.h"
#include "wire/record.h"

#define REQUEST_PULL_MESSAGE 11
#define REQUEST_GET_MAX_OFFSET 30
#define REQUEST_SEND_MESSAGE_V2 310
#define REQUEST_SEND_BATCH_MESSAGE 320
#define QUEUES_MAX 1024 /* ids above are taken modulo */
#define KEPT_BYTES_MAX (64u << 20)
#define ENTRY_FIXED_BYTES 20 /* of a batch: size, magic, CRC, flag, body length */

struct queue {
  struct bl_bench_conn *consumer; /* whose pull waits; NULL: none */
  int32_t opaque;
  enum bl_codec codec;
  bool touched;
  int64_t end_offset;
  struct bl_buf kept; /* records that no pull took yet */
};

struct bl_bench_hop {
  struct queue queues[QUEUES_MAX];
  uint32_t touched[QUEUES_MAX];
  uint32_t touched_count;
  struct bl_buf out;
};

struct bl_bench_hop *bl_bench_hop_new(void) {
  struct bl_bench_hop *hop = calloc(1, sizeof(*hop));
  BL_ASSERT(hop != NULL);
  for (uint32_t i = 0; i < QUEUES_MAX; i++) bl_buf_init(&hop->queues[i].kept, KEPT_BYTES_MAX);
  return hop;
}

void bl_bench_hop_free(struct bl_bench_hop *hop) {
  if (hop == NULL) return;
  for (uint32_t i = 0; i < QUEUES_MAX; i++) bl_buf_fini(&hop->queues[i].kept);
  bl_buf_fini(&hop->out);
  free(hop);
}

static struct queue *queue_of(struct bl_bench_hop *hop, struct bl_slice frame, const char *field) {
  int64_t id = 0;
  bl_slice_i64(bl_bench_head_field(frame, bl_slice_text(field)), &id);
  return &hop->queues[(uint64_t)id % QUEUES_MAX];
}

static void touch(struct bl_bench_hop *hop, struct queue *queue) {
  if (queue->touched) return;
  queue->touched = true;
  hop->touched[hop->touched_count++] = (uint32_t)(queue - hop->queues);
}

/* One message as a record; what does not fit any more is dropped, as nobody wants it. */
static void keep(struct queue *queue, struct bl_slice topic, struct bl_slice properties,
                 struct bl_slice body) {
  const struct bl_host host = {.addr = {127, 0, 0, 1}, .addr_bytes = 4, .port = 10911};
  struct bl_record record = {.queue_id = 0,
                             .queue_offset = queue->end_offset,
                             .born_ms = 1,
                             .store_ms = 1,
                             .born_host = host,
                             .store_host = host,
                             .topic = topic,
                             .body = body,
                             .properties = properties};
  char *to = bl_buf_reserve(&queue->kept, bl_record_size(&record));
  queue->end_offset++;
  if (to == NULL) {
    queue->kept.failed = false;
    return;
  }
  bl_record_encode(&record, to);
  queue->kept.len += record.size_bytes;
}

static void keep_batch(struct queue *queue, struct bl_slice topic, struct bl_slice body) {
  while (body.len >= ENTRY_FIXED_BYTES + 2) {
    uint32_t bytes = bl_load_u32(body.ptr), message_bytes = bl_load_u32(body.ptr + 16);
    if (bytes < ENTRY_FIXED_BYTES + 2 || bytes > body.len ||
        message_bytes > bytes - ENTRY_FIXED_BYTES - 2) {
      return;
    }
    size_t at = ENTRY_FIXED_BYTES + (size_t)message_bytes;
    keep(queue, topic, bl_slice_of(body.ptr + at + 2, bytes - at - 2),
         bl_slice_of(body.ptr + ENTRY_FIXED_BYTES, message_bytes));
    body = bl_slice_from(body, bytes);
  }
}

static void answer_pull(struct bl_bench_hop *hop, struct queue *queue) {
  struct bl_command_writer writer;
  struct bl_pull_reply_header header = {.next_offset = queue->end_offset,
                                        .max_offset = queue->end_offset};
  BL_SET(&header, pull_reply, topic_sys_flag, 0);
  BL_SET(&header, pull_reply, group_sys_flag, 0);
  bl_buf_clear(&hop->out);
  bl_command_begin(&writer, &hop->out, queue->codec, 0, queue->opaque, BL_FLAG_RESPONSE,
                   BL_SLICE("FOUND"));
  bl_header_encode(&bl_pull_reply_table, &header, &writer);
  bl_command_end(&writer, queue->kept.len);
  bl_buf_put_slice(&hop->out, bl_buf_slice(&queue->kept));
  bl_buf_clear(&queue->kept);
  /* A failure shows as an event of the socket. */
  bl_err err = bl_bench_conn_write(queue->consumer, bl_buf_slice(&hop->out));
  (void)err;
  queue->consumer = NULL;
}

static void answer_end(struct bl_bench_hop *hop, struct bl_bench_conn *conn,
                       const struct bl_bench_head *head, const struct queue *queue) {
  struct bl_command_writer writer;
  struct bl_offset_reply_header header = {.offset = queue->end_offset};
  bl_buf_clear(&hop->out);
  bl_command_begin(&writer, &hop->out, BL_CODEC_JSON, 0, head->opaque, BL_FLAG_RESPONSE,
                   (struct bl_slice){NULL, 0});
  bl_header_encode(&bl_offset_reply_table, &header, &writer);
  bl_command_end(&writer, 0);
  bl_err err = bl_bench_conn_write(conn, bl_buf_slice(&hop->out));
  (void)err;
}

bool bl_bench_hop_take(struct bl_bench_hop *hop, struct bl_bench_conn *conn,
                       const struct bl_bench_head *head, struct bl_slice frame) {
  if (head->code == REQUEST_PULL_MESSAGE) {
    struct queue *queue = queue_of(hop, frame, "queueId");
    queue->consumer = conn;
    queue->opaque = head->opaque;
    queue->codec = (enum bl_codec)frame.ptr[4];
    if (queue->kept.len > 0) touch(hop, queue);
    return true;
  }
  if (head->code == REQUEST_GET_MAX_OFFSET) {
    answer_end(hop, conn, head, queue_of(hop, frame, "queueId"));
    return true;
  }
  bool batch = head->code == REQUEST_SEND_BATCH_MESSAGE;
  if (head->code != REQUEST_SEND_MESSAGE_V2 && !batch) return false;
  struct queue *queue = queue_of(hop, frame, "e");
  struct bl_slice topic = bl_bench_head_field(frame, BL_SLICE("b"));
  if (batch)
    keep_batch(queue, topic, head->body);
  else
    keep(queue, topic, bl_bench_head_field(frame, BL_SLICE("i")), head->body);
  touch(hop, queue);
  return false;
}

void bl_bench_hop_deliver(struct bl_bench_hop *hop) {
  for (uint32_t i = 0; i < hop->touched_count; i++) {
    struct queue *queue = &hop->queues[hop->touched[i]];
    queue->touched = false;
    if (queue->consumer != NULL && queue->kept.len > 0) answer_pull(hop, queue);
  }
  hop->touched_count = 0;
}

void bl_bench_hop_forget(struct bl_bench_hop *hop, const struct bl_bench_conn *conn) {
  for (uint32_t i = 0; i < QUEUES_MAX; i++) {
    if (hop->queues[i].consumer == conn) hop->queues[i].consumer = NULL;
  }
}
