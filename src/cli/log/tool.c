#include "cli/log/tool.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/jsonline.h"
#include "cli/verb.h"
#include "os/clock.h"

static void on_read(void *context) {
  struct bl_logtool *tool = context;
  tool->read_bytes = (uint64_t)tool->source.guard.read_bytes;
  int64_t now_ms = bl_clock_mono_ms(bl_clock_real());
  if (bl_timers_wait_ms(&tool->timers, now_ms) == 0) bl_timers_run(&tool->timers, now_ms, 1);
}

bool bl_logtool_open(struct bl_logtool *tool, const char *dir, int64_t segment_bytes,
                     const char *what) {
  struct bl_why why = {""};
  memset(tool, 0, sizeof(*tool));
  bl_timers_init(&tool->timers);
  tool->opened = true;
  if (bl_source_open(&tool->source, bl_disk_real(), dir, segment_bytes, &why) != BL_OK) {
    fprintf(stderr, "bolide log: %s.\n", why.text);
    return false;
  }
  const struct bl_source *source = &tool->source;
  /* What was never written is passed over. */
  int64_t total =
      source->has_mark ? source->mark.flushed - bl_source_min(source) + 1 : bl_source_bytes(source);
  tool->source.guard.on_read = on_read;
  tool->source.guard.context = tool;
  bl_progress_start_bytes(&tool->progress, &tool->timers, bl_clock_mono_ms(bl_clock_real()), what,
                          &tool->read_bytes, (uint64_t)(total > 0 ? total : 1));
  return true;
}

void bl_logtool_quiet(struct bl_logtool *tool) {
  bl_progress_stop(&tool->progress);
}

void bl_logtool_close(struct bl_logtool *tool) {
  if (!tool->opened) return;
  bl_progress_stop(&tool->progress);
  bl_source_close(&tool->source);
  bl_timers_fini(&tool->timers);
  tool->opened = false;
}

bool bl_logtool_dir(const struct bl_args *args, const char *part, const char **out_dir) {
  if (args->positional_count == 1) {
    *out_dir = args->positional[0];
    return true;
  }
  fprintf(
      stderr,
      "bolide log %s: it needs one DIR, the folder of the store. `bolide help log` says more.\n",
      part);
  return false;
}

void bl_logtool_put_text(struct bl_buf *out, struct bl_slice text) {
  bool utf8 = text.len > 0 && bl_jsonline_is_utf8(text);
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c < ' ' || c == 127 || (c > 127 && !utf8)) {
      bl_buf_printf(out, "\\x%02x", c);
    } else {
      bl_buf_put_char(out, (char)c);
    }
  }
}

void bl_logtool_put_member(struct bl_json_writer *w, const char *name, struct bl_slice text) {
  if (text.ptr == NULL) return;
  if (bl_jsonline_is_utf8(text)) {
    bl_json_member_text(w, name, text);
    return;
  }
  struct bl_buf plain;
  bl_buf_init(&plain, 0);
  bl_logtool_put_text(&plain, text);
  bl_json_member_text(w, name, bl_buf_slice(&plain));
  bl_buf_fini(&plain);
}

void bl_logtool_put_time(struct bl_buf *out, int64_t ms) {
  time_t seconds = (time_t)(ms / 1000);
  struct tm utc;
  char text[32];
  if (ms < 0 || gmtime_r(&seconds, &utc) == NULL ||
      strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc) == 0) {
    bl_buf_put_i64_text(out, ms);
    return;
  }
  bl_buf_printf(out, "%s.%03dZ", text, (int)(ms % 1000));
}

bool bl_logtool_print(struct bl_buf *out) {
  bool good = fwrite(out->data != NULL ? out->data : "", 1, out->len, stdout) == out->len;
  bl_buf_clear(out);
  return good;
}
