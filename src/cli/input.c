#include "cli/input.h"

#include <stdlib.h>

#include "base/assert.h"
#include "os/stdio.h"

#define WAIT_MS 200

static void read_more(struct bl_input *input);

static void run(struct bl_job *job) {
  struct bl_input *input = BL_CONTAINER(job, struct bl_input, job);
  input->job_err = bl_stdio_read(input->piece, BL_INPUT_PIECE_BYTES, WAIT_MS, &input->job_len);
}

static void done(struct bl_job *job) {
  struct bl_input *input = BL_CONTAINER(job, struct bl_input, job);
  input->running = false;
  if (input->stopped) return;
  if (input->job_err == BL_OK) {
    bl_lines_put(&input->lines, bl_slice_of(input->piece, input->job_len));
  } else if (input->job_err == BL_ERR_CLOSED) {
    bl_lines_end(&input->lines);
  } else if (input->job_err == BL_ERR_TIMEOUT) {
    read_more(input);
  } else {
    input->err = input->job_err;
  }
}

static void read_more(struct bl_input *input) {
  if (input->running || input->stopped || input->lines.ended || input->err != BL_OK) return;
  input->running = true;
  bl_worker_submit(input->worker, &input->job);
}

void bl_input_init(struct bl_input *input, struct bl_worker *worker, size_t max_bytes) {
  *input = (struct bl_input){.worker = worker, .job = {.run = run, .done = done}};
  bl_lines_init(&input->lines, max_bytes);
  input->piece = malloc(BL_INPUT_PIECE_BYTES);
  BL_ASSERT(input->piece != NULL);
}

void bl_input_fini(struct bl_input *input) {
  bl_lines_fini(&input->lines);
  free(input->piece);
  input->piece = NULL;
}

bl_err bl_input_next(struct bl_input *input, struct bl_slice *out_line) {
  if (input->err != BL_OK) return input->err;
  bl_err err = bl_lines_next(&input->lines, out_line);
  if (err == BL_ERR_SHORT) read_more(input);
  return err;
}

void bl_input_stop(struct bl_input *input) {
  input->stopped = true;
}
