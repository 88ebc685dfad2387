/* Lines of standard input, read piece by piece by the worker, so that waiting for them does not
 * stop the loop. Thread: the loop's. */
#ifndef BOLIDE_CLI_INPUT_H
#define BOLIDE_CLI_INPUT_H

#include <stdbool.h>

#include "base/err.h"
#include "cli/lines.h"
#include "os/worker.h"

#define BL_INPUT_PIECE_BYTES 262144

struct bl_input {
  struct bl_job job;
  struct bl_worker *worker;
  struct bl_lines lines;
  char *piece; /* the job's */
  size_t job_len;
  bl_err job_err;
  bool running;
  bool stopped;
  bl_err err;
};

/* BORROWS the worker. max_bytes: of one line. */
void bl_input_init(struct bl_input *input, struct bl_worker *worker, size_t max_bytes);
/* No job may run. */
void bl_input_fini(struct bl_input *input);
/* The next line, BORROWED until the next call. BL_ERR_SHORT: none now; reading goes on, the loop
 * turns when there is more. BL_ERR_CLOSED: the end. BL_ERR_FULL: the line is too long. BL_ERR_IO:
 * reading failed. */
BL_MUST_CHECK bl_err bl_input_next(struct bl_input *input, struct bl_slice *out_line);
/* Reads no more. */
void bl_input_stop(struct bl_input *input);

#endif
