/* threads */
#include "os/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define JOBS 200

static atomic_int wakes;
static atomic_int ran;
static int finished[2 * JOBS];
static int finished_count;

struct numbered {
  struct bl_job job;
  int number;
  struct bl_worker *again; /* submits `next` when done */
  struct numbered *next;
};

static void on_wake(void *context) {
  atomic_fetch_add((atomic_int *)context, 1);
}

static void run(struct bl_job *job) {
  (void)job;
  atomic_fetch_add(&ran, 1);
}

static void done(struct bl_job *job) {
  struct numbered *self = BL_CONTAINER(job, struct numbered, job);
  finished[finished_count++] = self->number;
  if (self->again != NULL) bl_worker_submit(self->again, &self->next->job);
}

static void fill(struct numbered *jobs, int count) {
  atomic_store(&ran, 0);
  atomic_store(&wakes, 0);
  finished_count = 0;
  for (int i = 0; i < count; i++)
    jobs[i] = (struct numbered){.job = {.run = run, .done = done}, .number = i};
}

static void one_thread_keeps_the_order(void **state) {
  (void)state;
  struct numbered jobs[JOBS];
  fill(jobs, JOBS);
  struct bl_worker *worker = bl_worker_new("test", 1, false, on_wake, &wakes);
  for (int i = 0; i < JOBS; i++) bl_worker_submit(worker, &jobs[i].job);
  bl_worker_finish(worker);
  assert_int_equal(finished_count, JOBS);
  for (int i = 0; i < JOBS; i++) assert_int_equal(finished[i], i);
  assert_true(atomic_load(&wakes) >= 1);
  bl_worker_free(worker);
}

static void several_threads_run_each_job_once(void **state) {
  (void)state;
  struct numbered jobs[JOBS];
  fill(jobs, JOBS);
  struct bl_worker *worker = bl_worker_new("test", 4, false, NULL, NULL);
  for (int i = 0; i < JOBS; i++) bl_worker_submit(worker, &jobs[i].job);
  bl_worker_finish(worker);
  assert_int_equal(atomic_load(&ran), JOBS);
  int seen[JOBS] = {0};
  for (int i = 0; i < finished_count; i++) seen[finished[i]]++;
  for (int i = 0; i < JOBS; i++) assert_int_equal(seen[i], 1);
  bl_worker_free(worker);
}

static void a_wake_follows_the_last_drain(void **state) {
  (void)state;
  struct numbered jobs[1];
  fill(jobs, 1);
  struct bl_worker *worker = bl_worker_new("test", 1, false, on_wake, &wakes);
  for (int round = 1; round <= 20; round++) {
    bl_worker_submit(worker, &jobs[0].job);
    while (atomic_load(&wakes) < round) continue;
    assert_int_equal(bl_worker_drain(worker), 1);
    assert_int_equal(bl_worker_drain(worker), 0);
  }
  bl_worker_free(worker);
}

static void free_runs_what_was_submitted_without_done(void **state) {
  (void)state;
  struct numbered jobs[JOBS];
  fill(jobs, JOBS);
  struct bl_worker *worker = bl_worker_new("test", 2, false, NULL, NULL);
  for (int i = 0; i < JOBS; i++) bl_worker_submit(worker, &jobs[i].job);
  bl_worker_free(worker);
  assert_int_equal(atomic_load(&ran), JOBS);
  assert_int_equal(finished_count, 0);
  bl_worker_free(NULL);
}

static void inline_jobs_run_in_drain_and_not_before(void **state) {
  (void)state;
  struct numbered jobs[3];
  fill(jobs, 3);
  struct bl_worker *worker = bl_worker_new_inline();
  jobs[0].again = worker;
  jobs[0].next = &jobs[2];
  bl_worker_submit(worker, &jobs[0].job);
  bl_worker_submit(worker, &jobs[1].job);
  assert_int_equal(atomic_load(&ran), 0);
  assert_int_equal(bl_worker_drain(worker), 2); /* what done submitted waits */
  assert_int_equal(bl_worker_drain(worker), 1);
  assert_int_equal(finished[0], 0);
  assert_int_equal(finished[1], 1);
  assert_int_equal(finished[2], 2);
  bl_worker_submit(worker, &jobs[1].job);
  bl_worker_free(worker);
  assert_int_equal(atomic_load(&ran), 4);
  assert_int_equal(finished_count, 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_thread_keeps_the_order),
      cmocka_unit_test(several_threads_run_each_job_once),
      cmocka_unit_test(a_wake_follows_the_last_drain),
      cmocka_unit_test(free_runs_what_was_submitted_without_done),
      cmocka_unit_test(inline_jobs_run_in_drain_and_not_before),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
