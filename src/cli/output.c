#include "cli/output.h"

#include "os/stdio.h"

#define WAIT_MS 200

static void run(struct bl_job *job) {
  struct bl_output *output = BL_CONTAINER(job, struct bl_output, job);
  const struct bl_buf *bytes = &output->writing;
  output->job_err = bl_stdio_write(bytes->data + output->job_from, bytes->len - output->job_from,
                                   WAIT_MS, &output->job_done);
}

static void done(struct bl_job *job) {
  struct bl_output *output = BL_CONTAINER(job, struct bl_output, job);
  output->running = false;
  output->written_bytes += output->job_done;
  output->job_from += output->job_done;
  if (output->job_err != BL_OK && output->job_err != BL_ERR_TIMEOUT) output->err = output->job_err;
  if (output->job_from == output->writing.len) bl_buf_clear(&output->writing);
  bl_output_flush(output);
}

void bl_output_init(struct bl_output *output, struct bl_worker *worker) {
  *output = (struct bl_output){.worker = worker, .job = {.run = run, .done = done}};
  bl_buf_init(&output->filling, 0);
  bl_buf_init(&output->writing, 0);
}

void bl_output_fini(struct bl_output *output) {
  bl_buf_fini(&output->filling);
  bl_buf_fini(&output->writing);
}

struct bl_buf *bl_output_buf(struct bl_output *output) {
  return &output->filling;
}

uint64_t bl_output_position(const struct bl_output *output) {
  return output->put_bytes + output->filling.len;
}

void bl_output_flush(struct bl_output *output) {
  if (output->running || output->err != BL_OK) return;
  if (output->writing.len == 0) {
    if (output->filling.len == 0) return;
    struct bl_buf empty = output->writing;
    output->writing = output->filling;
    output->filling = empty;
    output->job_from = 0;
    output->put_bytes += output->writing.len;
  }
  output->job_done = 0;
  output->running = true;
  bl_worker_submit(output->worker, &output->job);
}

bool bl_output_idle(const struct bl_output *output) {
  if (output->running) return false;
  return output->err != BL_OK || bl_output_backlog(output) == 0;
}

uint64_t bl_output_backlog(const struct bl_output *output) {
  return bl_output_position(output) - output->written_bytes;
}
