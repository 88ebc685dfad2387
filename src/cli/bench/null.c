#define _GNU_SOURCE
#include "cli/bench/null.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "cli/bench/conn.h"
#include "cli/bench/frame.h"
#include "cli/bench/hop.h"
#include "cli/bench/reply.h"
#include "cli/verb.h"
#include "wire/headers.h"

#define REQUEST_SEND_BATCH_MESSAGE 320
#define STAGE_BYTES 262144
#define BATCH_MAX 4096
#define LOOK_MS 200
#define UNIQUE_KEY "7F0000010000000000000000000000000" /* as long as one */

/* An answer of the form that bolide gives to a send, with the opaque's place. */
struct answer {
  struct bl_buf bytes;
  uint32_t opaque_at;
};

struct null {
  struct bl_bench_loop loop;
  int listener;
  struct bl_bench_hop *hop; /* NULL: messages go nowhere */
  struct answer one[2];     /* by codec */
  struct answer batch[2];   /* for batches of the last body's length */
  size_t batch_body_bytes[2];
  char stage[STAGE_BYTES];
};

static void make_answer(enum bl_codec codec, uint32_t messages, struct answer *out_answer) {
  struct bl_command_writer writer;
  struct bl_buf ids = {0};
  struct bl_send_reply_header header = {.queue_id = 0, .queue_offset = 123456};
  for (uint32_t i = 0; i < messages; i++) {
    if (i > 0) bl_buf_put_char(&ids, ',');
    bl_buf_put_text(&ids, "7F00000100002A9F0000000012345678");
  }
  header.msg_id = bl_buf_slice(&ids);
  BL_SET(&header, send_reply, transaction_id, bl_slice_of(UNIQUE_KEY, 32));
  BL_SET(&header, send_reply, region, BL_SLICE("DefaultRegion"));
  BL_SET(&header, send_reply, trace_on, BL_SLICE("true"));
  bl_buf_clear(&out_answer->bytes);
  /* JSON: the base has as many digits as the opaques of this program's requests. */
  bl_command_begin(&writer, &out_answer->bytes, codec, 0, BL_BENCH_OPAQUE_BASE, BL_FLAG_RESPONSE,
                   (struct bl_slice){NULL, 0});
  bl_header_encode(&bl_send_reply_table, &header, &writer);
  bl_command_end(&writer, 0);
  bl_buf_fini(&ids);
  out_answer->opaque_at = 13;
  for (uint32_t at = 8; codec == BL_CODEC_JSON && at + 10 < out_answer->bytes.len; at++) {
    if (memcmp(out_answer->bytes.data + at, "1000000000", 10) == 0) out_answer->opaque_at = at;
  }
}

/* How many messages the body of a batch has. */
static uint32_t count_batch(struct bl_slice body) {
  uint32_t count = 0;
  while (body.len >= 4 && count < BATCH_MAX) {
    uint32_t bytes = bl_load_u32(body.ptr);
    if (bytes < 4) break;
    body = bl_slice_from(body, bytes);
    count++;
  }
  return count > 0 ? count : 1;
}

static const struct answer *answer_for(struct null *null, const struct bl_bench_head *head,
                                       enum bl_codec codec) {
  if (head->code != REQUEST_SEND_BATCH_MESSAGE) return &null->one[codec];
  if (null->batch_body_bytes[codec] != head->body.len) {
    make_answer(codec, count_batch(head->body), &null->batch[codec]);
    null->batch_body_bytes[codec] = head->body.len;
  }
  return &null->batch[codec];
}

/* Copies the answer with the opaque. JSON has room for ten digits; shorter numbers have blanks in
 * front, which JSON allows. */
static size_t put_answer(const struct answer *answer, enum bl_codec codec, int32_t opaque,
                         char *to) {
  memcpy(to, answer->bytes.data, answer->bytes.len);
  if (codec == BL_CODEC_BINARY) {
    bl_store_u32(to + answer->opaque_at, (uint32_t)opaque);
    return answer->bytes.len;
  }
  char text[16];
  snprintf(text, sizeof(text), "%10d", opaque);
  memcpy(to + answer->opaque_at, text, 10);
  return answer->bytes.len;
}

static void forget(struct null *null, struct bl_bench_conn *conn) {
  if (null->hop != NULL) bl_bench_hop_forget(null->hop, conn);
  bl_bench_conn_close(conn);
  free(conn);
}

/* Answers all frames that are there. false: the connection ends. */
static bool answer_all(struct null *null, struct bl_bench_conn *conn) {
  struct bl_slice frame;
  size_t used = 0;
  bl_err err = BL_OK;
  while (err == BL_OK && bl_bench_conn_frame(conn, &frame) == BL_OK) {
    struct bl_bench_head head;
    if (bl_bench_head_read(frame, &head) != BL_OK) return false;
    if (null->hop != NULL && bl_bench_hop_take(null->hop, conn, &head, frame)) continue;
    if (head.flag != 0) continue; /* an answer, or one way */
    enum bl_codec codec = (enum bl_codec)frame.ptr[4];
    const struct answer *answer = answer_for(null, &head, codec);
    if (answer->bytes.len > STAGE_BYTES) return false;
    if (used + answer->bytes.len > STAGE_BYTES) {
      err = bl_bench_conn_write(conn, bl_slice_of(null->stage, used));
      used = 0;
    }
    used += put_answer(answer, codec, head.opaque, null->stage + used);
  }
  if (null->hop != NULL) bl_bench_hop_deliver(null->hop);
  if (err == BL_OK && used > 0) err = bl_bench_conn_write(conn, bl_slice_of(null->stage, used));
  return err == BL_OK;
}

static void on_event(struct null *null, struct bl_bench_conn *conn, uint32_t events) {
  bl_err err = BL_OK;
  if (events & EPOLLOUT) err = bl_bench_conn_flush(conn);
  /* Who does not take its answers is not read (see pauses). */
  if (err == BL_OK && !conn->wants_write && events & ~(uint32_t)EPOLLOUT)
    err = bl_bench_conn_read(conn);
  if ((err != BL_OK && err != BL_ERR_SHORT) || !answer_all(null, conn)) forget(null, conn);
}

static void accept_all(struct null *null) {
  for (;;) {
    int fd = accept4(null->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    struct bl_bench_conn *conn = calloc(1, sizeof(*conn));
    BL_ASSERT(conn != NULL);
    bl_bench_conn_take(&null->loop, fd, conn);
    conn->pauses = true;
  }
}

static bl_err listen_on(struct null *null, const char *text, struct bl_why *why) {
  struct bl_bench_address address;
  bl_err err = bl_bench_resolve(text, &address, why);
  if (err != BL_OK) return err;
  int on = 1;
  null->listener = socket(address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  BL_ASSERT(null->listener >= 0);
  setsockopt(null->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(null->listener, (const struct sockaddr *)&address.bytes, address.len) != 0 ||
      listen(null->listener, 4096) != 0) {
    return bl_why_set(why, BL_ERR_USAGE, "%s cannot be listened on (%s)", text,
                      strerrordesc_np(errno));
  }
  bl_bench_loop_watch(&null->loop, null->listener, NULL);
  return BL_OK;
}

/* "listening on HOST:PORT" so that who started it knows the port. */
static void say_address(const struct null *null, const char *text) {
  struct sockaddr_storage bytes;
  socklen_t len = sizeof(bytes);
  getsockname(null->listener, (struct sockaddr *)&bytes, &len);
  uint16_t port; /* behind the family, in both address families */
  memcpy(&port, (const char *)&bytes + sizeof(sa_family_t), sizeof(port));
  const char *colon = strrchr(text, ':');
  printf("listening on %.*s:%d\n", (int)(colon - text), text, __builtin_bswap16(port));
  fflush(stdout);
}

static void serve(struct null *null) {
  while (!bl_bench_interrupted()) {
    int count = bl_bench_loop_wait(&null->loop, bl_bench_now_ns() + (int64_t)LOOK_MS * 1000000);
    for (int i = 0; i < count; i++) {
      struct epoll_event *event = &null->loop.events[i];
      if (event->data.ptr == NULL)
        accept_all(null);
      else
        on_event(null, event->data.ptr, event->events);
    }
  }
}

int bl_bench_null(const struct bl_bench_plan *plan) {
  struct null *null = calloc(1, sizeof(*null));
  struct bl_why why = {""};
  BL_ASSERT(null != NULL);
  bl_bench_loop_init(&null->loop, plan->spin_us * 1000);
  for (int codec = 0; codec < 2; codec++) make_answer((enum bl_codec)codec, 1, &null->one[codec]);
  if (plan->hop) null->hop = bl_bench_hop_new();
  bl_err err = listen_on(null, plan->listen, &why);
  if (err == BL_OK) {
    say_address(null, plan->listen);
    serve(null);
  } else {
    fprintf(stderr, "bolide bench: %s.\n", why.text);
  }
  close(null->listener);
  for (int codec = 0; codec < 2; codec++) {
    bl_buf_fini(&null->one[codec].bytes);
    bl_buf_fini(&null->batch[codec].bytes);
  }
  bl_bench_hop_free(null->hop);
  bl_bench_loop_fini(&null->loop);
  free(null);
  return err == BL_OK ? BL_EXIT_OK : BL_EXIT_USAGE;
}
