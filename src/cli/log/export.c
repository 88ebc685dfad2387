/* bolide log export-cq DIR */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/log/tool.h"
#include "cli/verb.h"
#include "os/clock.h"
#include "store/check/export.h"
#include "store/takeover.h"

#define SETTLE_MS 50

struct export_job {
  struct bl_logtool tool;
  struct bl_buf out;
  const char *dir;
  const char *to; /* NULL: dir */
  int64_t segment_bytes;
  bool overwrite;
  bool json;
};

/* Old queues go out of the way, under a name that no broker looks at. */
static bl_err clear_place(const struct export_job *job, const char *to, struct bl_why *why) {
  static const char *const names[] = {"consumequeue", "batchconsumequeue"};
  struct bl_disk *disk = bl_disk_real();
  int64_t now_ms = bl_clock_wall_ms(bl_clock_real());
  for (size_t i = 0; i < 2; i++) {
    char path[4200];
    char kept[4300];
    struct bl_disk_stat info;
    snprintf(path, sizeof(path), "%.4000s/%s", to, names[i]);
    if (disk->ops->stat(disk, path, &info) != BL_OK) continue;
    if (!job->overwrite)
      return bl_why_set(
          why, BL_ERR_EXISTS,
          "%s is there already; say --overwrite to replace it, or --to another folder", path);
    snprintf(kept, sizeof(kept), "%.4000s/before-export-%" PRId64 "-%s", to, now_ms, names[i]);
    bl_err err = disk->ops->rename(disk, path, kept);
    if (err != BL_OK)
      return bl_why_set(why, err, "cannot rename %.200s: %s", path, bl_err_text(err));
  }
  return BL_OK;
}

/* bolide noted how far the queues of a Java broker reach: those are others now. */
static void forget_end(const char *to) {
  char path[4200];
  snprintf(path, sizeof(path), "%.4000s/bolide/java.queues", to);
  (void)bl_disk_real()->ops->remove(bl_disk_real(), path); /* most stores have none */
}

static void put_end(struct export_job *job, const struct bl_export_totals *totals, const char *to) {
  struct bl_buf *out = &job->out;
  if (job->json) {
    struct bl_json_writer w = bl_json_writer_of(out, false);
    bl_json_open_object(&w);
    bl_logtool_put_member(&w, "to", bl_slice_text(to));
    bl_json_member_i64(&w, "queues", totals->queues);
    bl_json_member_i64(&w, "entries", totals->entries);
    bl_json_member_i64(&w, "files", totals->files);
    bl_json_member_i64(&w, "holes", totals->holes);
    bl_json_member_i64(&w, "gaps", totals->gaps);
    bl_json_member_i64(&w, "lightQueueRecords", totals->light);
    bl_json_close_object(&w);
    bl_buf_put_char(out, '\n');
    return;
  }
  bl_buf_printf(out, "wrote %s entries of %s queues in %s files to %s/consumequeue\n",
                bl_progress_number((uint64_t)totals->entries),
                bl_progress_number((uint64_t)totals->queues),
                bl_progress_number((uint64_t)totals->files), to);
  if (totals->holes > 0)
    bl_buf_printf(out, "%s queue offsets have no record: their entries name the next one\n",
                  bl_progress_number((uint64_t)totals->holes));
  if (totals->light > 0)
    bl_buf_printf(out, "%s records are in light queues (LMQ), too\n",
                  bl_progress_number((uint64_t)totals->light));
  if (totals->gaps > 0)
    bl_buf_printf(out,
                  "%s ranges of the log are damaged: run `bolide log repair` before a Java "
                  "broker gets the store\n",
                  bl_progress_number((uint64_t)totals->gaps));
}

static int work(struct export_job *job) {
  struct bl_why why = {""};
  struct bl_export_totals totals = {0};
  struct bl_disk *disk = bl_disk_real();
  bool here = job->to == NULL;
  const char *to = here ? job->dir : job->to;
  int lock = -1;
  if (!bl_logtool_open(&job->tool, job->dir, job->segment_bytes, "read")) return BL_EXIT_USAGE;
  bl_err err = BL_OK;
  if (here) {
    err = bl_takeover_lock(disk, job->dir, &lock, &why);
    if (err == BL_ERR_LOCKED)
      bl_why_set(&why, err, "a server uses %s; stop it, or say --to another folder", job->dir);
  }
  if (err == BL_OK) err = clear_place(job, to, &why);
  if (err == BL_OK)
    err = bl_export(&job->tool.source, disk, to, here ? 0 : SETTLE_MS, &totals, &why);
  bl_logtool_quiet(&job->tool);
  if (err == BL_OK && here) forget_end(to);
  if (err == BL_OK) put_end(job, &totals, to);
  bl_logtool_print(&job->out);
  if (here) disk->ops->close(disk, lock);
  if (err == BL_OK) return totals.gaps > 0 ? BL_EXIT_FAILED : BL_EXIT_OK;
  fprintf(stderr, "bolide log export-cq: %s.\n", why.text);
  return BL_EXIT_USAGE;
}

int bl_log_export_run(int argc, char **argv) {
  struct export_job job = {.to = NULL};
  const struct bl_arg options[] = {
      {.name = "to", .kind = BL_ARG_TEXT, .to = &job.to},
      {.name = "overwrite", .kind = BL_ARG_FLAG, .to = &job.overwrite},
      {.name = "json", .kind = BL_ARG_FLAG, .to = &job.json},
      {.name = "segment-bytes", .kind = BL_ARG_NUMBER, .to = &job.segment_bytes, 1, INT32_MAX},
  };
  struct bl_args args;
  int exit_code;
  if (!bl_args_of_verb(&bl_verb_log, argc, argv, options, 4, &args, &exit_code)) return exit_code;
  if (!bl_logtool_dir(&args, "export-cq", &job.dir)) return BL_EXIT_USAGE;
  bl_buf_init(&job.out, 0);
  exit_code = work(&job);
  bl_logtool_close(&job.tool);
  bl_buf_fini(&job.out);
  return exit_code;
}
