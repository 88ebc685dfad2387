#include "cli/bench/reader.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "cli/bench/frame.h"
#include "wire/record.h"

#define REQUEST_PULL_MESSAGE 11
#define CODE_NOT_FOUND 19
#define CODE_RETRY_AT_ONCE 20
#define CODE_OFFSET_MOVED 21
#define FLAG_SUSPEND 2 /* apache/rocketmq PullSysFlag */
#define FLAG_SUBSCRIPTION 4
/* Where things are in a record (wire/record.h, apache/rocketmq MessageExtEncoder). */
#define RECORD_BYTES_MIN 91
#define RECORD_QUEUE_OFFSET_AT 20
#define RECORD_SYS_FLAG_AT 36
#define RECORD_BODY_AT 88 /* with IPv4 hosts */
#define HOST_V6_MORE 12

static bl_err open_conn(struct bl_bench_reader *reader, uint32_t index, struct bl_why *why) {
  struct bl_bench_conn *conn = &reader->conns[index];
  struct bl_why cause = {""};
  bl_err err = bl_bench_conn_open(reader->loop, &reader->target->address, conn, &cause);
  if (err != BL_OK)
    return bl_why_set(why, err, "connection %u of %u to %s failed: %s", index + 1,
                      reader->conn_count, reader->target->server, cause.text);
  conn->index = index;
  conn->kind = 1;
  reader->conns_alive++;
  return BL_OK;
}

bl_err bl_bench_reader_open(const struct bl_bench_plan *plan, const struct bl_bench_target *target,
                            struct bl_bench_loop *loop, struct bl_bench_result *result,
                            uint32_t conn_count, uint32_t queue_count, uint32_t topic_queues,
                            const int64_t *ends, struct bl_bench_reader *out_reader,
                            struct bl_why *why) {
  struct bl_bench_reader *reader = out_reader;
  *reader = (struct bl_bench_reader){.plan = plan,
                                     .target = target,
                                     .loop = loop,
                                     .result = result,
                                     .conn_count = conn_count,
                                     .queue_count = queue_count};
  reader->conns = calloc(conn_count, sizeof(*reader->conns));
  reader->queues = calloc(queue_count + 1, sizeof(*reader->queues));
  BL_ASSERT(reader->conns != NULL && reader->queues != NULL);
  for (uint32_t i = 0; i < conn_count; i++) reader->conns[i].fd = -1;
  for (uint32_t i = 0; i < queue_count; i++) {
    struct bl_bench_queue *queue = &reader->queues[i];
    queue->id = (int32_t)(i % topic_queues);
    queue->conn = i % conn_count;
    queue->next_offset = plan->from > 0 ? plan->from : 0;
    if (plan->from == BL_BENCH_FROM_END) queue->next_offset = ends[queue->id];
  }
  bl_err err = BL_OK;
  for (uint32_t i = 0; err == BL_OK && i < conn_count && !bl_bench_interrupted(); i++)
    err = open_conn(reader, i, why);
  return err;
}

void bl_bench_reader_close(struct bl_bench_reader *reader) {
  for (uint32_t i = 0; i < reader->conn_count; i++) bl_bench_conn_close(&reader->conns[i]);
  free(reader->conns);
  free(reader->queues);
  bl_buf_fini(&reader->request);
}

static void lose_conn(struct bl_bench_reader *reader, struct bl_bench_conn *conn) {
  for (uint32_t i = 0; i < reader->queue_count; i++) {
    struct bl_bench_queue *queue = &reader->queues[i];
    if (queue->conn != conn->index || queue->done) continue;
    queue->done = true;
    reader->queues_done++;
    bl_bench_result_error(reader->result, BL_BENCH_CODE_LOST, 1, (struct bl_slice){NULL, 0});
  }
  if (reader->queue_count == 0)
    bl_bench_result_error(reader->result, BL_BENCH_CODE_LOST, 1, (struct bl_slice){NULL, 0});
  bl_bench_conn_close(conn);
  reader->conns_alive--;
}

/* Writes the request into reader->request. */
static void put_pull(struct bl_bench_reader *reader, const struct bl_bench_queue *queue) {
  const struct bl_bench_plan *plan = reader->plan;
  struct bl_command_writer w;
  int32_t number = (int32_t)(queue - reader->queues);
  bl_command_begin(&w, &reader->request, plan->codec, REQUEST_PULL_MESSAGE,
                   BL_BENCH_OPAQUE_BASE + number, 0, (struct bl_slice){NULL, 0});
  bl_command_put_text(&w, BL_SLICE("consumerGroup"), BL_SLICE(BL_BENCH_GROUP));
  bl_command_put_text(&w, BL_SLICE("topic"), bl_slice_text(plan->topic));
  bl_command_put_i64(&w, BL_SLICE("queueId"), queue->id);
  bl_command_put_i64(&w, BL_SLICE("queueOffset"), queue->next_offset);
  bl_command_put_i64(&w, BL_SLICE("maxMsgNums"), plan->max_messages);
  bl_command_put_i64(&w, BL_SLICE("sysFlag"),
                     FLAG_SUBSCRIPTION | (reader->suspend_ms > 0 ? FLAG_SUSPEND : 0));
  bl_command_put_i64(&w, BL_SLICE("commitOffset"), 0);
  bl_command_put_i64(&w, BL_SLICE("suspendTimeoutMillis"), reader->suspend_ms);
  bl_command_put_text(&w, BL_SLICE("subscription"), BL_SLICE("*"));
  bl_command_put_i64(&w, BL_SLICE("subVersion"), 0);
  bl_command_put_text(&w, BL_SLICE("expressionType"), BL_SLICE("TAG"));
  bl_command_put_i64(&w, BL_SLICE("maxMsgBytes"), plan->max_bytes);
  bl_command_put_text(&w, BL_SLICE("bname"), bl_slice_text(reader->target->broker_name));
  bl_command_end(&w, 0);
}

static void put_queue(struct bl_bench_reader *reader, struct bl_bench_queue *queue,
                      int64_t now_ns) {
  queue->asked_ns = now_ns;
  queue->under_way = true;
  put_pull(reader, queue);
}

static bl_err send_request(struct bl_bench_reader *reader, struct bl_bench_conn *conn) {
  if (reader->request.len == 0) return BL_OK;
  bl_err err = bl_bench_conn_write(conn, bl_buf_slice(&reader->request));
  bl_buf_clear(&reader->request);
  return err;
}

void bl_bench_reader_start(struct bl_bench_reader *reader) {
  for (uint32_t c = 0; c < reader->conn_count; c++) {
    if (reader->conns[c].fd < 0) continue;
    for (uint32_t i = c; i < reader->queue_count; i += reader->conn_count)
      put_queue(reader, &reader->queues[i], bl_bench_now_ns());
    if (send_request(reader, &reader->conns[c]) != BL_OK) lose_conn(reader, &reader->conns[c]);
  }
}

/* The latency of a message that this run's producer marked with the time it was due. */
static void take_mark(struct bl_bench_reader *reader, struct bl_slice record, int64_t now_ns) {
  uint32_t sys_flag = bl_load_u32(record.ptr + RECORD_SYS_FLAG_AT);
  size_t at = RECORD_BODY_AT + ((sys_flag & BL_SYS_BORN_V6) != 0 ? HOST_V6_MORE : 0) +
              ((sys_flag & BL_SYS_STORE_V6) != 0 ? HOST_V6_MORE : 0);
  if (record.len < at + 16) return;
  uint64_t mark = bl_load_u64(record.ptr + at + 8);
  if ((mark & ~1ull) != reader->run_mark) return;
  reader->marked++;
  if ((mark & 1) == 0) return;
  reader->result->messages++;
  reader->result->bytes += bl_load_u32(record.ptr + at - 4);
  int64_t due_ns = (int64_t)bl_load_u64(record.ptr + at);
  bl_hist_add_many(&reader->result->latency, now_ns - due_ns, 1);
}

/* RETURNS how many records the body has; *out_next is the offset behind the last. BL_ERR_FORMAT. */
static bl_err walk(struct bl_bench_reader *reader, struct bl_slice body, int64_t now_ns,
                   int64_t *out_next, uint64_t *out_count) {
  int64_t next = *out_next;
  uint64_t count = 0;
  while (body.len > 0) {
    if (body.len < RECORD_BYTES_MIN) return BL_ERR_FORMAT;
    uint32_t bytes = bl_load_u32(body.ptr), magic = bl_load_u32(body.ptr + 4);
    if (bytes < RECORD_BYTES_MIN || bytes > body.len ||
        (magic != BL_RECORD_MAGIC_V1 && magic != BL_RECORD_MAGIC_V2)) {
      return BL_ERR_FORMAT;
    }
    int64_t offset = (int64_t)bl_load_u64(body.ptr + RECORD_QUEUE_OFFSET_AT);
    if (offset < next) return BL_ERR_FORMAT;
    reader->gaps += (uint64_t)(offset - next);
    if (reader->run_mark != 0) take_mark(reader, bl_slice_of(body.ptr, bytes), now_ns);
    next = offset + 1;
    count++;
    body = bl_slice_from(body, bytes);
  }
  *out_next = next;
  *out_count = count;
  return BL_OK;
}

static void end_queue(struct bl_bench_reader *reader, struct bl_bench_queue *queue) {
  queue->done = true;
  reader->queues_done++;
}

static void on_found(struct bl_bench_reader *reader, struct bl_bench_queue *queue,
                     const struct bl_bench_head *head, int64_t now_ns) {
  struct bl_bench_result *result = reader->result;
  uint64_t count = 0;
  if (walk(reader, head->body, now_ns, &queue->next_offset, &count) != BL_OK) {
    bl_bench_result_error(result, BL_BENCH_CODE_DAMAGED, 1, (struct bl_slice){NULL, 0});
    end_queue(reader, queue);
    return;
  }
  queue->got += count;
  reader->pulled += count;
  result->good_total += count;
  if (reader->run_mark != 0 || !reader->measuring) return;
  result->messages += count;
  result->bytes += head->body.len;
  result->frames++;
  bl_hist_add_many(&result->latency, now_ns - queue->asked_ns, 1);
}

/* Nothing more is in the queue. */
static void on_end(struct bl_bench_reader *reader, struct bl_bench_queue *queue) {
  if (reader->suspend_ms > 0) return;
  if (!reader->plan->loop || queue->got == 0) {
    end_queue(reader, queue);
    return;
  }
  queue->got = 0;
  queue->next_offset = reader->plan->from > 0 ? reader->plan->from : 0;
}

static void on_error(struct bl_bench_reader *reader, struct bl_bench_queue *queue, int32_t code,
                     struct bl_slice frame) {
  bl_bench_result_error_of(reader->result, code, 1, frame);
  end_queue(reader, queue);
}

static void take_answer(struct bl_bench_reader *reader, struct bl_slice frame, int64_t now_ns) {
  struct bl_bench_head head = {0};
  bl_err err = bl_bench_head_read(frame, &head);
  if (err == BL_OK && (head.flag & BL_FLAG_RESPONSE) == 0) return; /* a request of the server */
  uint32_t number = (uint32_t)head.opaque - BL_BENCH_OPAQUE_BASE;
  if (err != BL_OK || number >= reader->queue_count || !reader->queues[number].under_way) {
    if (reader->other == NULL || !reader->other(reader->other_context, &head, frame))
      bl_bench_result_error(reader->result, BL_BENCH_CODE_STRANGE, 1, (struct bl_slice){NULL, 0});
    return;
  }
  struct bl_bench_queue *queue = &reader->queues[number];
  queue->under_way = false;
  reader->answers++;
  int64_t moved = queue->next_offset;
  if (head.code >= CODE_NOT_FOUND && head.code <= CODE_OFFSET_MOVED)
    bl_slice_i64(bl_bench_head_field(frame, BL_SLICE("nextBeginOffset")), &moved);
  if (head.code == 0) {
    on_found(reader, queue, &head, now_ns);
  } else if (head.code == CODE_NOT_FOUND ||
             (head.code == CODE_OFFSET_MOVED && moved == queue->next_offset)) {
    on_end(reader, queue);
  } else if (head.code == CODE_RETRY_AT_ONCE || head.code == CODE_OFFSET_MOVED) {
    queue->next_offset = moved;
  } else {
    on_error(reader, queue, head.code, frame);
  }
  if (!queue->done && !reader->ended) put_queue(reader, queue, now_ns);
}

void bl_bench_reader_event(struct bl_bench_reader *reader, struct bl_bench_conn *conn,
                           uint32_t events) {
  struct bl_slice frame;
  if (conn->fd < 0) return;
  bl_err err = BL_OK;
  if (events & EPOLLOUT) err = bl_bench_conn_flush(conn);
  if (err == BL_OK && events & ~(uint32_t)EPOLLOUT) err = bl_bench_conn_read(conn);
  if (err == BL_ERR_SHORT) err = BL_OK;
  int64_t now_ns = bl_bench_now_ns();
  bl_err found = bl_bench_conn_frame(conn, &frame);
  for (; found == BL_OK; found = bl_bench_conn_frame(conn, &frame))
    take_answer(reader, frame, now_ns);
  if (err == BL_OK) err = send_request(reader, conn);
  bl_buf_clear(&reader->request);
  if (err != BL_OK || found == BL_ERR_FORMAT) lose_conn(reader, conn);
}
