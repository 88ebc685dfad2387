#include "cli/bench/ask.h"

#include <poll.h>

bl_err bl_bench_line_open(struct bl_bench_line *line, const char *address, struct bl_why *why) {
  struct bl_bench_address bytes;
  struct bl_why cause = {""};
  *line = (struct bl_bench_line){.conn = {.fd = -1}, .opaque = 0};
  bl_err err = bl_bench_resolve(address, &bytes, why);
  if (err != BL_OK) return err;
  err = bl_bench_conn_open(NULL, &bytes, &line->conn, &cause);
  if (err == BL_OK) return BL_OK;
  return bl_why_set(why, err, "nobody answers at %s (%s)", address, cause.text);
}

void bl_bench_line_close(struct bl_bench_line *line) {
  if (line->conn.in != NULL) bl_bench_conn_close(&line->conn);
  bl_buf_fini(&line->out);
}

int32_t bl_bench_line_put(struct bl_bench_line *line, int32_t code,
                          const struct bl_header_table *table, const void *header) {
  struct bl_command_writer writer;
  bl_command_begin(&writer, &line->out, BL_CODEC_JSON, code, ++line->opaque, 0,
                   (struct bl_slice){NULL, 0});
  if (table != NULL) bl_header_encode(table, header, &writer);
  bl_command_end(&writer, 0);
  return line->opaque;
}

/* Waits for the socket until the deadline. */
static bl_err wait_for(struct bl_bench_line *line, short events, int64_t deadline_ns,
                       struct bl_why *why) {
  int64_t left_ms = (deadline_ns - bl_bench_now_ns()) / 1000000;
  struct pollfd wait = {.fd = line->conn.fd, .events = events};
  if (left_ms > 0 && poll(&wait, 1, (int)left_ms) == 1) return BL_OK;
  if (bl_bench_interrupted()) return bl_why_set(why, BL_ERR_TIMEOUT, "it was interrupted");
  return bl_why_set(why, BL_ERR_TIMEOUT, "the server did not answer in %d s",
                    BL_BENCH_ASK_MS / 1000);
}

bl_err bl_bench_line_send(struct bl_bench_line *line, struct bl_why *why) {
  int64_t deadline_ns = bl_bench_now_ns() + (int64_t)BL_BENCH_ASK_MS * 1000000;
  bl_err err = bl_bench_conn_write(&line->conn, bl_buf_slice(&line->out));
  bl_buf_clear(&line->out);
  while (err == BL_OK && line->conn.wants_write) {
    err = wait_for(line, POLLOUT, deadline_ns, why);
    if (err != BL_OK) return err;
    err = bl_bench_conn_flush(&line->conn);
  }
  return err == BL_OK ? BL_OK : bl_why_set(why, err, "the server closed the connection");
}

bl_err bl_bench_line_answer(struct bl_bench_line *line, struct bl_arena *arena,
                            struct bl_command *out_command, struct bl_why *why) {
  int64_t deadline_ns = bl_bench_now_ns() + (int64_t)BL_BENCH_ASK_MS * 1000000;
  for (;;) {
    struct bl_slice frame;
    bl_err err = bl_bench_conn_frame(&line->conn, &frame);
    if (err == BL_OK) err = bl_command_decode(frame, arena, out_command);
    if (err == BL_OK && bl_command_is_response(out_command)) return BL_OK;
    if (err == BL_OK) continue;
    if (err != BL_ERR_SHORT)
      return bl_why_set(why, err, "what answers does not speak RocketMQ's remoting protocol");
    err = wait_for(line, POLLIN, deadline_ns, why);
    if (err != BL_OK) return err;
    err = bl_bench_conn_read(&line->conn);
    if (err != BL_OK && err != BL_ERR_SHORT)
      return bl_why_set(why, err, "the server closed the connection");
  }
}
