/* What the parts of `bolide log` share: a store opened to be looked at, with a line of progress. */
#ifndef BOLIDE_CLI_LOG_TOOL_H
#define BOLIDE_CLI_LOG_TOOL_H

#include "base/buf.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/progress.h"
#include "cli/verb.h"
#include "store/check/scan.h"

extern const struct bl_verb bl_verb_log;

struct bl_logtool {
  struct bl_source source;
  struct bl_scan scan;
  struct bl_timers timers;
  struct bl_progress progress;
  uint64_t read_bytes;
  bool opened;
};

/* The four parts; argv[0] is the part's name. RETURN the exit code. */
int bl_log_verify_run(int argc, char **argv);
int bl_log_dump_run(int argc, char **argv);
int bl_log_repair_run(int argc, char **argv);
int bl_log_export_run(int argc, char **argv);

/* Opens the store and begins the line of progress; what: "checked". Says on standard error why not;
 * RETURNS false then. */
bool bl_logtool_open(struct bl_logtool *tool, const char *dir, int64_t segment_bytes,
                     const char *what);
/* Takes the line away; before anything else is printed. */
void bl_logtool_quiet(struct bl_logtool *tool);
void bl_logtool_close(struct bl_logtool *tool);

/* The one DIR among the arguments; says what is wrong. */
bool bl_logtool_dir(const struct bl_args *args, const char *part, const char **out_dir);

/* Text from the disk for a terminal: what is not printable as \xNN. */
void bl_logtool_put_text(struct bl_buf *out, struct bl_slice text);
/* The same as a JSON member; absent: no member. */
void bl_logtool_put_member(struct bl_json_writer *w, const char *name, struct bl_slice text);
/* Milliseconds since 1970 as 2026-11-22T20:15:30.250Z. */
void bl_logtool_put_time(struct bl_buf *out, int64_t ms);
/* Writes the buffer to standard output and empties it. RETURNS false when nobody reads. */
bool bl_logtool_print(struct bl_buf *out);

#endif
