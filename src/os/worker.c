#define _GNU_SOURCE
#include "os/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"

#define WORKER_THREADS_MAX 16
#define BACKGROUND_NICE 10

struct bl_worker {
  bool is_inline;
  bool background;
  unsigned threads;
  pthread_t thread[WORKER_THREADS_MAX];
  void (*wake)(void *wake_context);
  void *wake_context;
  pthread_mutex_t mutex; /* guards what follows */
  pthread_cond_t submitted;
  pthread_cond_t ended;
  struct bl_list waiting;
  struct bl_list done;
  size_t running;
  bool stop;
};

static struct bl_job *job_of(struct bl_list *node) {
  return BL_CONTAINER(node, struct bl_job, node);
}

static struct bl_worker *make_worker(void) {
  struct bl_worker *worker = calloc(1, sizeof(*worker));
  BL_ASSERT(worker != NULL);
  bl_list_init(&worker->waiting);
  bl_list_init(&worker->done);
  pthread_mutex_init(&worker->mutex, NULL);
  pthread_cond_init(&worker->submitted, NULL);
  pthread_cond_init(&worker->ended, NULL);
  return worker;
}

static void *work(void *argument) {
  struct bl_worker *worker = argument;
  /* Of this thread alone, on Linux. What is refused is no error: it is a courtesy. */
  if (worker->background) (void)setpriority(PRIO_PROCESS, (id_t)gettid(), BACKGROUND_NICE);
  pthread_mutex_lock(&worker->mutex);
  for (;;) {
    struct bl_list *node = bl_list_take_first(&worker->waiting);
    if (node == NULL) {
      if (worker->stop) break;
      pthread_cond_wait(&worker->submitted, &worker->mutex);
      continue;
    }
    worker->running++;
    pthread_mutex_unlock(&worker->mutex);
    job_of(node)->run(job_of(node));
    pthread_mutex_lock(&worker->mutex);
    worker->running--;
    bool first = bl_list_empty(&worker->done);
    bl_list_add_last(&worker->done, node);
    pthread_cond_signal(&worker->ended);
    if (first && worker->wake != NULL && !worker->stop) {
      pthread_mutex_unlock(&worker->mutex);
      worker->wake(worker->wake_context);
      pthread_mutex_lock(&worker->mutex);
    }
  }
  pthread_mutex_unlock(&worker->mutex);
  return NULL;
}

struct bl_worker *bl_worker_new(const char *name, unsigned threads, bool background,
                                void (*wake)(void *wake_context), void *wake_context) {
  BL_ASSERT(threads > 0 && threads <= WORKER_THREADS_MAX);
  struct bl_worker *worker = make_worker();
  worker->threads = threads;
  worker->background = background;
  worker->wake = wake;
  worker->wake_context = wake_context;
  /* Signals belong to the owner's thread. */
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (unsigned i = 0; i < threads; i++) {
    int failed = pthread_create(&worker->thread[i], NULL, work, worker);
    BL_ASSERT(failed == 0);
    pthread_setname_np(worker->thread[i], name);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return worker;
}

struct bl_worker *bl_worker_new_inline(void) {
  struct bl_worker *worker = make_worker();
  worker->is_inline = true;
  return worker;
}

void bl_worker_free(struct bl_worker *worker) {
  if (worker == NULL) return;
  pthread_mutex_lock(&worker->mutex);
  worker->stop = true;
  pthread_cond_broadcast(&worker->submitted);
  pthread_mutex_unlock(&worker->mutex);
  for (unsigned i = 0; i < worker->threads; i++) pthread_join(worker->thread[i], NULL);
  if (worker->is_inline) {
    struct bl_list *node;
    while ((node = bl_list_take_first(&worker->waiting)) != NULL) job_of(node)->run(job_of(node));
  }
  pthread_cond_destroy(&worker->ended);
  pthread_cond_destroy(&worker->submitted);
  pthread_mutex_destroy(&worker->mutex);
  free(worker);
}

void bl_worker_submit(struct bl_worker *worker, struct bl_job *job) {
  BL_ASSERT(job->run != NULL && job->done != NULL);
  pthread_mutex_lock(&worker->mutex);
  BL_ASSERT(!bl_list_linked(&job->node));
  bl_list_add_last(&worker->waiting, &job->node);
  pthread_cond_signal(&worker->submitted);
  pthread_mutex_unlock(&worker->mutex);
}

void bl_worker_notify(struct bl_worker *worker) {
  if (worker->wake != NULL) worker->wake(worker->wake_context);
}

static size_t drain_inline(struct bl_worker *worker) {
  /* Only what is there now: done may submit the next job, which waits for the next drain. */
  struct bl_list now;
  bl_list_init(&now);
  struct bl_list *node;
  while ((node = bl_list_take_first(&worker->waiting)) != NULL) bl_list_add_last(&now, node);
  size_t count = 0;
  while ((node = bl_list_take_first(&now)) != NULL) {
    struct bl_job *job = job_of(node);
    job->run(job);
    job->done(job); /* may free the job */
    count++;
  }
  return count;
}

size_t bl_worker_drain(struct bl_worker *worker) {
  if (worker->is_inline) return drain_inline(worker);
  struct bl_list now;
  bl_list_init(&now);
  struct bl_list *node;
  pthread_mutex_lock(&worker->mutex);
  while ((node = bl_list_take_first(&worker->done)) != NULL) bl_list_add_last(&now, node);
  pthread_mutex_unlock(&worker->mutex);
  size_t count = 0;
  while ((node = bl_list_take_first(&now)) != NULL) {
    struct bl_job *job = job_of(node);
    job->done(job);
    count++;
  }
  return count;
}

void bl_worker_finish(struct bl_worker *worker) {
  for (;;) {
    while (bl_worker_drain(worker) > 0) continue;
    if (worker->is_inline) {
      if (bl_list_empty(&worker->waiting)) return;
      continue;
    }
    pthread_mutex_lock(&worker->mutex);
    while (bl_list_empty(&worker->done) &&
           (worker->running > 0 || !bl_list_empty(&worker->waiting)))
      pthread_cond_wait(&worker->ended, &worker->mutex);
    bool idle =
        bl_list_empty(&worker->done) && worker->running == 0 && bl_list_empty(&worker->waiting);
    pthread_mutex_unlock(&worker->mutex);
    if (idle) return;
  }
}
