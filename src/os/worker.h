/* Threads that do what blocks, for one owner thread that never does.
 *
 * The owner submits jobs; a worker thread calls run; the owner later calls bl_worker_drain, which
 * calls done on the owner's thread, in the order in which the jobs ended. Between submit and done
 * the job belongs to the worker. With one thread the jobs run in order of submission: that is the
 * flush thread. */
#ifndef BOLIDE_OS_WORKER_H
#define BOLIDE_OS_WORKER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"

struct bl_job {
  struct bl_list node;
  void (*run)(struct bl_job *job);  /* on a worker thread; may block */
  void (*done)(struct bl_job *job); /* on the owner's thread, from bl_worker_drain */
};

struct bl_worker;

/* RETURNS OWNED. `wake` is called on a worker thread whenever a job ended (at least once after the
 * last drain); it makes the owner call bl_worker_drain. BORROWS wake_context. name: for the thread,
 * <= 15 characters. background: its threads leave the processor to others that want it (nice 10),
 * so that an index merge does not hold up the core where there are few processors. */
struct bl_worker *bl_worker_new(const char *name, unsigned threads, bool background,
                                void (*wake)(void *wake_context), void *wake_context);
/* The fake: jobs run inside bl_worker_drain, on the owner's thread, in order of submission. */
struct bl_worker *bl_worker_new_inline(void);
/* Runs what was submitted to its end, without done, and frees. Accepts NULL. */
void bl_worker_free(struct bl_worker *worker);

/* HOLDS the job until its done. Owner's thread. */
void bl_worker_submit(struct bl_worker *worker, struct bl_job *job);
/* Calls done of every job that ended. RETURNS how many. Owner's thread. */
size_t bl_worker_drain(struct bl_worker *worker);
/* From the run of a job that goes on: makes the owner look at what the job has told it so far (by
 * atomics), as `wake` does when a job ended. Inline: nothing. */
void bl_worker_notify(struct bl_worker *worker);
/* Waits until every submitted job ended, draining: for start and stop only. */
void bl_worker_finish(struct bl_worker *worker);

#endif
