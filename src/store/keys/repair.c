#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "store/keys/keys_internal.h"

static struct bl_log_limit damaged_limit = {.per_second = 10};

/* The file loses its name; who has it open reads on. */
struct unlink_job {
  struct bl_job job;
  struct bl_keys *keys;
  char path[512];
};

static void unlink_run(struct bl_job *job) {
  struct unlink_job *unlink = BL_CONTAINER(job, struct unlink_job, job);
  struct bl_disk *disk = unlink->keys->disk;
  char folder[512];
  bl_keys__path(unlink->keys, "keys", folder);
  /* What stays is found damaged again. */
  if (disk->ops->remove(disk, unlink->path) == BL_OK) (void)disk->ops->sync_dir(disk, folder);
}

static void unlink_done(struct bl_job *job) {
  struct unlink_job *unlink = BL_CONTAINER(job, struct unlink_job, job);
  unlink->keys->jobs--;
  free(unlink);
}

void bl_keys__add_hole(struct bl_keys *keys, int64_t from, int64_t to) {
  if (keys->hole_count < BL_KEYS_HOLES_MAX) {
    keys->holes[keys->hole_count++] = (struct bl_key_hole){from, to};
    return;
  }
  struct bl_key_hole *last = &keys->holes[keys->hole_count - 1];
  if (from < last->from) last->from = from;
  if (to > last->to) last->to = to;
}

void bl_keys__damaged(struct bl_keys *keys, struct bl_key_run *run, bl_err err) {
  if (run->damaged || !bl_keys__take_run(&keys->runs, run)) return;
  run->damaged = true;
  bl_keys__add_run(&keys->dead, run);
  bl_keys__add_hole(keys, run->first, run->last + 1);
  struct unlink_job *unlink = calloc(1, sizeof(*unlink));
  BL_ASSERT(unlink != NULL);
  unlink->job = (struct bl_job){.run = unlink_run, .done = unlink_done};
  unlink->keys = keys;
  bl_keys__run_path(keys, run, unlink->path);
  bl_log_limited(&damaged_limit, BL_LOG_ERROR, "store", "keys.run.damaged",
                 "file=%s error=%s going_on=\"its keys are taken from the log again\"",
                 unlink->path, bl_err_name(err));
  keys->jobs++;
  bl_worker_submit(keys->pool, &unlink->job);
}

bool bl_keys__wants_again(struct bl_follower *follower, int64_t *out_from, int64_t *out_to) {
  const struct bl_keys *keys = (struct bl_keys *)follower;
  if (keys->hole_count == 0 || keys->frozen_count == BL_KEYS_FROZEN_MAX) return false;
  *out_from = keys->holes[0].from;
  *out_to = keys->holes[0].to;
  return true;
}

void bl_keys__again_done(struct bl_follower *follower, bl_err err) {
  struct bl_keys *keys = (struct bl_keys *)follower;
  BL_ASSERT(keys->hole_count > 0);
  if (err == BL_ERR_NOT_AVAILABLE) return; /* the end: the next start misses the run again */
  if (err != BL_OK) {
    bl_log_limited(&damaged_limit, BL_LOG_ERROR, "store", "keys.not_all",
                   "from=%" PRId64 " to=%" PRId64
                   " error=%s going_on=\"keys of messages in that "
                   "part of the log may not be found\"",
                   keys->holes[0].from, keys->holes[0].to, bl_err_name(err));
  }
  keys->hole_count--;
  memmove(keys->holes, keys->holes + 1, (size_t)keys->hole_count * sizeof(keys->holes[0]));
  keys->repaired = true;
}

bool bl_keys__unsettled(struct bl_follower *follower) {
  const struct bl_keys *keys = (struct bl_keys *)follower;
  return keys->repaired && keys->hole_count == 0;
}
