/* Standard output, written by the worker in large pieces, so that a slow reader does not stop the
 * loop. Thread: the loop's. */
#ifndef BOLIDE_CLI_OUTPUT_H
#define BOLIDE_CLI_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "os/worker.h"

struct bl_output {
  struct bl_job job;
  struct bl_worker *worker;
  struct bl_buf filling; /* bytes put since the job began */
  struct bl_buf writing; /* the job's */
  size_t job_from, job_done;
  bl_err job_err;
  bool running;
  bl_err err; /* BL_ERR_CLOSED: the reader has gone; BL_ERR_IO. Nothing more is written then */
  uint64_t put_bytes;
  uint64_t written_bytes;
};

/* BORROWS the worker. */
void bl_output_init(struct bl_output *output, struct bl_worker *worker);
/* No job may run: the worker is freed or drained before. */
void bl_output_fini(struct bl_output *output);

/* The buffer to append to; call bl_output_flush once afterwards. */
struct bl_buf *bl_output_buf(struct bl_output *output);
/* Starts to write what was appended, unless it is being done. */
void bl_output_flush(struct bl_output *output);
/* All bytes ever appended. */
uint64_t bl_output_position(const struct bl_output *output);
/* Everything was written, or an error ended it. */
bool bl_output_idle(const struct bl_output *output);
/* Bytes appended and not written. */
uint64_t bl_output_backlog(const struct bl_output *output);

#endif
