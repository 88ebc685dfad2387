/* bolide log repair DIR */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/log/tool.h"
#include "cli/verb.h"
#include "os/clock.h"
#include "store/check/export.h"
#include "store/check/repair.h"
#include "store/takeover.h"

struct repair {
  struct bl_logtool tool;
  struct bl_repair plan;
  struct bl_buf out;
  const char *dir;
  int64_t segment_bytes;
  bool yes;
  bool json;
};

static const char *text_of(enum bl_repair_kind kind) {
  switch (kind) {
    case BL_REPAIR_FILLER: return "covered by records that no client sees";
    case BL_REPAIR_BLANK: return "covered by the record that ends a file";
    case BL_REPAIR_ZERO: return "zeroed: behind the end of the records";
    default: return "left as it is: too short for a record, and what is around it is intact";
  }
}

static const char *name_of(enum bl_repair_kind kind) {
  static const char *const names[] = {"filler", "blank", "zero", "none"};
  return names[kind];
}

static void put_step(struct repair *repair, const struct bl_repair_step *step) {
  struct bl_buf *out = &repair->out;
  char file[64];
  int64_t place = bl_source_place(&repair->tool.source, step->from, file);
  if (!repair->json) {
    bl_buf_printf(out, "%s at %" PRId64 ", %" PRId64 " bytes, log offset %" PRId64 ": %s\n", file,
                  place, step->to - step->from, step->from, text_of(step->kind));
    return;
  }
  struct bl_json_writer w = bl_json_writer_of(out, false);
  bl_json_open_object(&w);
  bl_json_member_text(&w, "step", bl_slice_text(name_of(step->kind)));
  bl_json_member_text(&w, "file", bl_slice_text(file));
  bl_json_member_i64(&w, "fileOffset", place);
  bl_json_member_i64(&w, "logOffset", step->from);
  bl_json_member_i64(&w, "bytes", step->to - step->from);
  bl_json_close_object(&w);
  bl_buf_put_char(out, '\n');
}

static void put_end(struct repair *repair, const struct bl_export_totals *exported) {
  const struct bl_repair *plan = &repair->plan;
  struct bl_buf *out = &repair->out;
  bool something = plan->count > 0 || plan->files > 0;
  if (repair->json) {
    struct bl_json_writer w = bl_json_writer_of(out, false);
    bl_json_open_object(&w);
    bl_json_member_i64(&w, "steps", plan->count);
    bl_json_member_i64(&w, "files", plan->files);
    bl_json_member_i64(&w, "notPossible", plan->unbridged);
    bl_json_member_bool(&w, "done", repair->yes && something);
    if (repair->yes && something) bl_json_member_text(&w, "aside", bl_slice_text(plan->aside));
    bl_json_member_i64(&w, "savedBytes", plan->saved_bytes);
    bl_json_close_object(&w);
    bl_buf_put_char(out, '\n');
    return;
  }
  if (!something) {
    bl_buf_put_text(out, "nothing to repair in the commit log\n");
  } else if (!repair->yes) {
    if (plan->files > 0)
      bl_buf_printf(out, "%d files of the log are missing or short: they get their size\n",
                    plan->files);
    bl_buf_put_text(out, "nothing was done yet: say --yes to do it\n");
  } else {
    bl_buf_printf(out, "done; %s bytes are saved in %s\n",
                  bl_progress_number((uint64_t)plan->saved_bytes), plan->aside);
    if (plan->queues_moved)
      bl_buf_printf(out,
                    "the consume queues of a Java broker are there, too; %s new entries are in "
                    "consumequeue/\n",
                    bl_progress_number((uint64_t)exported->entries));
    else
      bl_buf_put_text(out,
                      "before a Java broker gets this store, run `bolide log export-cq` on it: "
                      "where messages are lost it\nwould otherwise give those behind other "
                      "queue offsets\n");
  }
}

/* What Java's queues say anew, in place of those that were moved. */
static bl_err write_queues(struct repair *repair, struct bl_export_totals *out_totals,
                           struct bl_why *why) {
  if (!repair->plan.queues_moved) return BL_OK;
  return bl_export(&repair->tool.source, bl_disk_real(), repair->dir, 0, out_totals, why);
}

static int work(struct repair *repair) {
  struct bl_why why = {""};
  struct bl_export_totals exported = {0};
  struct bl_disk *disk = bl_disk_real();
  if (!bl_logtool_open(&repair->tool, repair->dir, repair->segment_bytes, "checked"))
    return BL_EXIT_USAGE;
  bl_err err = bl_repair_plan(&repair->plan, &repair->tool.source, disk, bl_clock_real(), &why);
  bl_logtool_quiet(&repair->tool);
  for (int i = 0; err == BL_OK && i < repair->plan.count; i++)
    put_step(repair, &repair->plan.steps[i]);
  bl_logtool_print(&repair->out);
  if (err == BL_OK && repair->yes) err = bl_repair_apply(&repair->plan, &why);
  if (err == BL_OK && repair->yes) err = write_queues(repair, &exported, &why);
  if (err == BL_OK) put_end(repair, &exported);
  bl_logtool_print(&repair->out);
  bool left = repair->plan.unbridged > 0 || (!repair->yes && repair->plan.count > 0);
  bl_repair_fini(&repair->plan);
  if (err == BL_OK) return left ? BL_EXIT_FAILED : BL_EXIT_OK;
  fprintf(stderr, "bolide log repair: %s.\n", why.text);
  return BL_EXIT_USAGE;
}

int bl_log_repair_run(int argc, char **argv) {
  struct repair repair = {.yes = false};
  const struct bl_arg options[] = {
      {.name = "yes", .kind = BL_ARG_FLAG, .to = &repair.yes},
      {.name = "json", .kind = BL_ARG_FLAG, .to = &repair.json},
      {.name = "segment-bytes", .kind = BL_ARG_NUMBER, .to = &repair.segment_bytes, 1, INT32_MAX},
  };
  struct bl_args args;
  struct bl_why why = {""};
  struct bl_disk_stat info;
  char path[4200];
  int lock = -1;
  int exit_code;
  if (!bl_args_of_verb(&bl_verb_log, argc, argv, options, 3, &args, &exit_code)) return exit_code;
  if (!bl_logtool_dir(&args, "repair", &repair.dir)) return BL_EXIT_USAGE;
  struct bl_disk *disk = bl_disk_real();
  snprintf(path, sizeof(path), "%.4000s/commitlog", repair.dir);
  if (disk->ops->stat(disk, path, &info) != BL_OK) {
    fprintf(stderr, "bolide log repair: %s is no store: there is no folder commitlog in it.\n",
            repair.dir);
    return BL_EXIT_USAGE;
  }
  if (bl_takeover_lock(disk, repair.dir, &lock, &why) != BL_OK) {
    fprintf(stderr, "bolide log repair: %s.\n", why.text);
    return BL_EXIT_USAGE;
  }
  bl_buf_init(&repair.out, 0);
  exit_code = work(&repair);
  bl_logtool_close(&repair.tool);
  bl_buf_fini(&repair.out);
  disk->ops->close(disk, lock); /* unlocks */
  return exit_code;
}
