/* bolide log verify DIR */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/log/tool.h"
#include "cli/verb.h"
#include "os/clock.h"
#include "os/stdio.h"
#include "store/check/verify.h"

#define SETTLE_MS 50

struct verify {
  struct bl_logtool tool;
  struct bl_verify_totals totals;
  struct bl_buf out;
  bool json;
};

static void put_place(struct bl_buf *out, const struct bl_finding *finding) {
  if (finding->file != NULL) bl_logtool_put_text(out, bl_slice_text(finding->file));
  if (finding->file_offset >= 0) bl_buf_printf(out, " at %" PRId64, finding->file_offset);
  if (finding->bytes >= 0) bl_buf_printf(out, ", %" PRId64 " bytes", finding->bytes);
  if (finding->log_offset >= 0) bl_buf_printf(out, ", log offset %" PRId64, finding->log_offset);
  bl_buf_put_char(out, '\n');
}

static void put_message(struct bl_buf *out, const struct bl_finding *finding) {
  if (finding->topic.ptr == NULL) return;
  bl_buf_put_text(out, "        topic ");
  bl_logtool_put_text(out, finding->topic);
  if (finding->queue_id >= 0) bl_buf_printf(out, " queue %" PRId32, finding->queue_id);
  if (finding->queue_offset >= 0) bl_buf_printf(out, " offset %" PRId64, finding->queue_offset);
  if (finding->queue_offset_to > finding->queue_offset + 1)
    bl_buf_printf(out, " to %" PRId64, finding->queue_offset_to - 1);
  if (finding->message_id != NULL) bl_buf_printf(out, ", id %s", finding->message_id);
  if (finding->unique_key.ptr != NULL) {
    bl_buf_put_text(out, ", unique key ");
    bl_logtool_put_text(out, finding->unique_key);
  }
  if (finding->guessed) bl_buf_put_text(out, " (as far as the damaged bytes tell)");
  bl_buf_put_char(out, '\n');
}

static void put_plain(struct bl_buf *out, const struct bl_finding *finding) {
  bl_buf_printf(out, "%-8s", finding->level == BL_FINDING_DAMAGE ? "damage" : "note");
  put_place(out, finding);
  put_message(out, finding);
  bl_buf_printf(out, "        %s\n", finding->what);
  if (finding->next != NULL) bl_buf_printf(out, "        next: %s\n", finding->next);
}

static void member(struct bl_json_writer *w, const char *name, int64_t number) {
  if (number >= 0) bl_json_member_i64(w, name, number);
}

static void put_json(struct bl_buf *out, const struct bl_finding *finding) {
  struct bl_json_writer w = bl_json_writer_of(out, false);
  bl_json_open_object(&w);
  bl_json_member_text(&w, "level",
                      bl_slice_text(finding->level == BL_FINDING_DAMAGE ? "damage" : "note"));
  bl_json_member_text(&w, "kind", bl_slice_text(finding->kind));
  bl_logtool_put_member(&w, "file", bl_slice_text(finding->file));
  member(&w, "fileOffset", finding->file_offset);
  member(&w, "bytes", finding->bytes);
  member(&w, "logOffset", finding->log_offset);
  bl_logtool_put_member(&w, "topic", finding->topic);
  if (finding->topic.ptr != NULL) member(&w, "queueId", finding->queue_id);
  member(&w, "queueOffset", finding->queue_offset);
  member(&w, "queueOffsetTo", finding->queue_offset_to);
  bl_logtool_put_member(&w, "offsetMsgId", bl_slice_text(finding->message_id));
  bl_logtool_put_member(&w, "uniqueKey", finding->unique_key);
  if (finding->guessed) bl_json_member_bool(&w, "guessed", true);
  bl_json_member_text(&w, "what", bl_slice_text(finding->what));
  bl_logtool_put_member(&w, "next", bl_slice_text(finding->next));
  bl_json_close_object(&w);
  bl_buf_put_char(out, '\n');
}

static void on_finding(void *context, const struct bl_finding *finding) {
  struct verify *verify = context;
  bl_progress_clear(&verify->tool.progress); /* it would stand between them */
  if (verify->json) {
    put_json(&verify->out, finding);
  } else {
    put_plain(&verify->out, finding);
  }
  bl_logtool_print(&verify->out);
  if (bl_stdio_is_terminal(BL_STDERR)) fflush(stdout); /* before the line comes again */
}

static void put_summary_json(struct bl_buf *out, const struct bl_verify_totals *t,
                             int64_t passed_ms) {
  struct bl_json_writer w = bl_json_writer_of(out, false);
  bl_json_open_object(&w);
  bl_json_member_text(&w, "level", BL_SLICE("summary"));
  const struct {
    const char *name;
    int64_t number;
  } rows[] = {
      {"damage", t->damage},
      {"notes", t->notes},
      {"logMin", t->log_min},
      {"logEnd", t->log_end},
      {"segments", t->segments},
      {"records", t->records},
      {"recordBytes", t->record_bytes},
      {"recordsWithPropertyCrc", t->crc_records},
      {"fillerRecords", t->filler_records},
      {"bytesNoChecksumCovers", t->uncovered_bytes},
      {"gaps", t->gaps},
      {"damagedBytes", t->damaged_bytes},
      {"lostRecords", t->lost_records},
      {"queues", t->queues},
      {"files", t->files},
      {"fileBytes", t->file_bytes},
      {"fileBytesWithoutChecksum", t->unchecked_bytes},
      {"queueEntries", t->queue_entries},
      {"milliseconds", passed_ms},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
    bl_json_member_i64(&w, rows[i].name, rows[i].number);
  bl_json_close_object(&w);
  bl_buf_put_char(out, '\n');
}

static const char *number(int64_t value) {
  return bl_progress_number((uint64_t)value);
}

static void put_summary(struct bl_buf *out, const struct bl_verify_totals *t, int64_t passed_ms) {
  bl_buf_printf(out, "log: offsets %" PRId64 " to %" PRId64 ", %s records in %s queues, %s",
                t->log_min, t->log_end, number(t->records), number(t->queues),
                bl_progress_bytes((uint64_t)t->record_bytes));
  bl_buf_printf(out, " in %s files\n", number(t->segments));
  if (t->crc_records == t->records) {
    bl_buf_put_text(out, "     every byte of them is covered by a checksum\n");
  } else {
    bl_buf_printf(out,
                  "     %s of them without the property checksum: %s bytes of these no checksum "
                  "covers (all but the body)\n",
                  number(t->records - t->crc_records), number(t->uncovered_bytes));
  }
  if (t->queue_entries > 0)
    bl_buf_printf(out, "     %s entries of consume queues compared with it\n",
                  number(t->queue_entries));
  bl_buf_printf(out, "files beside it: %s, %s", number(t->files),
                bl_progress_bytes((uint64_t)t->file_bytes));
  if (t->unchecked_bytes > 0)
    bl_buf_printf(out, ", of which %s bytes have no checksum", number(t->unchecked_bytes));
  bl_buf_put_char(out, '\n');
  if (t->damage == 0) {
    bl_buf_put_text(out, "no damage");
  } else {
    bl_buf_printf(out, "DAMAGE: %s findings", number(t->damage));
    if (t->damaged_bytes > 0) bl_buf_printf(out, "; %s bytes of the log", number(t->damaged_bytes));
    if (t->lost_records > 0) bl_buf_printf(out, ", %s messages lost", number(t->lost_records));
  }
  if (t->notes > 0) bl_buf_printf(out, ", %s notes", number(t->notes));
  bl_buf_printf(out, " (%.1f s)\n", (double)passed_ms / 1000);
}

int bl_log_verify_run(int argc, char **argv) {
  struct verify verify = {.json = false};
  bool log_only = false;
  int64_t segment_bytes = 0;
  const char *dir = NULL;
  const struct bl_arg options[] = {
      {.name = "json", .kind = BL_ARG_FLAG, .to = &verify.json},
      {.name = "log-only", .kind = BL_ARG_FLAG, .to = &log_only},
      {.name = "segment-bytes", .kind = BL_ARG_NUMBER, .to = &segment_bytes, 1, INT32_MAX},
  };
  struct bl_args args;
  int exit_code;
  if (!bl_args_of_verb(&bl_verb_log, argc, argv, options, 3, &args, &exit_code)) return exit_code;
  if (!bl_logtool_dir(&args, "verify", &dir)) return BL_EXIT_USAGE;
  int64_t start_ms = bl_clock_mono_ms(bl_clock_real());
  struct bl_why why = {""};
  bl_buf_init(&verify.out, 0);
  exit_code = BL_EXIT_USAGE;
  if (bl_logtool_open(&verify.tool, dir, segment_bytes, "checked")) {
    struct bl_verify_settings settings = {
        .settle_ms = SETTLE_MS, .log_only = log_only, .finding = on_finding, .context = &verify};
    bl_err err = bl_verify(&verify.tool.source, &settings, &verify.totals, &why);
    bl_logtool_quiet(&verify.tool);
    int64_t passed_ms = bl_clock_mono_ms(bl_clock_real()) - start_ms;
    if (err != BL_OK) {
      fprintf(stderr, "bolide log verify: %s.\n", why.text);
    } else {
      exit_code = verify.totals.damage > 0 ? BL_EXIT_FAILED : BL_EXIT_OK;
      if (verify.json) {
        put_summary_json(&verify.out, &verify.totals, passed_ms);
      } else {
        put_summary(&verify.out, &verify.totals, passed_ms);
      }
      bl_logtool_print(&verify.out);
    }
  }
  bl_logtool_close(&verify.tool);
  bl_buf_fini(&verify.out);
  return exit_code;
}
