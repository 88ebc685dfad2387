/* bolide timers [TOPIC] */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/args.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/timer_table.h"
#include "cli/verb.h"
#include "cli/when.h"
#include "os/stdio.h"

#define TOPIC_BYTES_MAX 255
#define EXIT_NO_TOPIC 3
#define EXIT_REFUSED 4
#define EXIT_NO_MESSAGE 5
#define EXIT_STOPPED 6

static int run(int argc, char **argv);

const struct bl_verb bl_verb_timers = {
    .name = "timers",
    .summary = "List, count, cancel, move delayed messages that wait",
    .usage =
        "Usage: bolide timers [TOPIC] [--key KEY] [--from TIME] [--until TIME] [--limit N] "
        "[--json]\n"
        "       bolide timers [TOPIC] --count minute|hour|day [--from TIME] [--until TIME] "
        "[--json]\n"
        "       bolide timers TOPIC --cancel ID [--json]\n"
        "       bolide timers TOPIC --move ID --to TIME [--json]\n"
        "\n"
        "Delayed messages that wait for their time, of levels and timers alike, by due time; all "
        "topics without TOPIC.\n"
        "Times are UTC. It asks every broker that has the topic; only bolide serves this.\n"
        "\n"
        "  --key KEY              only messages with this unique key, message id, or word of their "
        "keys\n"
        "  --from TIME            only what is due at that time or later: milliseconds since 1970 "
        "or ISO 8601\n"
        "                         (2026-11-22T20:15:00Z; local time without Z or +01:00)\n"
        "  --until TIME           only what is due before that time\n"
        "  --limit N              ends after N messages\n"
        "  --count minute|hour|day   how many are due in each, instead of the messages\n"
        "  --cancel ID            drops the message at once; ID is its unique key (all copies that "
        "wait), or the id\n"
        "                         that the broker gave it\n"
        "  --move ID              gives the message another time: --to. What is over is now. Its "
        "recall handle is of\n"
        "                         no use then\n"
        "  --to TIME              for --move\n"
        "  --json                 a JSON object for each line\n"
        "  --namesrv ADDR[;ADDR]  name servers; else the variable BOLIDE_SERVER, else "
        "127.0.0.1:9876\n"
        "\n"
        "Exit codes: 0 done, 1 a server did not answer, 2 wrong use, 3 there is no such topic, 4 a "
        "broker refused (the\n"
        "message was recalled, the time is too far ahead, it is no bolide), 5 no such message "
        "waits, 6 ended by Ctrl-C.\n",
    .run = run,
};

struct timers {
  struct bl_session session;
  struct bl_timer_settings settings;
  struct bl_timer_work *work;
  struct bl_output output;
  struct bl_timer_table table;
  const char *topic;
  bool json;
  bool ended;
  enum bl_timer_end end;
};

static void on_row(void *context, const struct bl_timer_row *row) {
  struct timers *timers = context;
  if (timers->json)
    bl_timer_json_row(bl_output_buf(&timers->output), row);
  else
    bl_timer_table_row(&timers->table, row, bl_output_buf(&timers->output));
}

static void on_bucket(void *context, int64_t start_ms, int64_t count) {
  struct timers *timers = context;
  if (timers->json) {
    struct bl_json_writer w = bl_json_writer_of(bl_output_buf(&timers->output), false);
    char text[BL_TIMER_TIME_BYTES];
    bl_timer_time(start_ms, text);
    bl_json_open_object(&w);
    bl_json_member_i64(&w, "from", start_ms);
    bl_json_member_text(&w, "fromTime", bl_slice_text(text));
    bl_json_member_i64(&w, "count", count);
    bl_json_close_object(&w);
    bl_buf_put_char(bl_output_buf(&timers->output), '\n');
  } else {
    bl_timer_table_bucket(&timers->table, start_ms, count);
  }
}

static const char *of_topic(const struct timers *timers) {
  return timers->topic != NULL ? timers->topic : "all topics";
}

static void put_summary(struct timers *timers, int64_t changed) {
  struct bl_buf *out = bl_output_buf(&timers->output);
  const struct bl_timer_settings *settings = &timers->settings;
  bool changes = settings->action == BL_TIMER_CANCEL || settings->action == BL_TIMER_MOVE;
  const char *plural = changed == 1 ? "" : "s";
  if (timers->json) {
    if (!changes || timers->end != BL_TIMER_DONE) return;
    struct bl_json_writer w = bl_json_writer_of(out, false);
    bl_json_open_object(&w);
    bl_json_member_text(&w, "topic", settings->topic);
    bl_json_member_text(&w, "id", settings->id);
    bl_json_member_i64(&w, settings->action == BL_TIMER_CANCEL ? "cancelled" : "moved", changed);
    if (settings->action == BL_TIMER_MOVE) bl_json_member_i64(&w, "dueTime", settings->to_ms);
    bl_json_close_object(&w);
    bl_buf_put_char(out, '\n');
    return;
  }
  bl_timer_table_end(&timers->table, out);
  if (timers->end != BL_TIMER_DONE) return;
  const char *number = bl_progress_number((uint64_t)changed);
  if (settings->action == BL_TIMER_CANCEL) {
    bl_buf_printf(out, "%s message%s of %s cancelled.\n", number, plural, timers->topic);
  } else if (settings->action == BL_TIMER_MOVE) {
    char text[BL_TIMER_TIME_BYTES];
    bl_timer_time(settings->to_ms, text);
    bl_buf_printf(out, "%s message%s of %s moved to %s.\n", number, plural, timers->topic, text);
  } else {
    bool cut = settings->limit > 0 && changed >= settings->limit;
    bl_buf_printf(out, "%s delayed message%s of %s%s.\n", number, plural, of_topic(timers),
                  cut ? ", perhaps more: --limit" : "");
  }
}

static void on_end(void *context, enum bl_timer_end end, int64_t changed, const char *sentence) {
  struct timers *timers = context;
  timers->ended = true;
  timers->end = end;
  put_summary(timers, changed);
  if (sentence != NULL) bl_session_say(&timers->session, "%s", sentence);
}

static void on_turn(void *context) {
  struct timers *timers = context;
  bl_output_flush(&timers->output);
  if (timers->output.err != BL_OK && !timers->ended) bl_timer_work_stop(timers->work);
  if (timers->ended && (bl_output_idle(&timers->output) || timers->session.signals > 1))
    bl_session_stop(&timers->session);
}

static void on_stop(void *context) {
  struct timers *timers = context;
  if (!timers->ended) bl_timer_work_stop(timers->work);
}

static int exit_code_of(enum bl_timer_end end) {
  switch (end) {
    case BL_TIMER_DONE: return BL_EXIT_OK;
    case BL_TIMER_STOPPED: return EXIT_STOPPED;
    case BL_TIMER_NO_TOPIC: return EXIT_NO_TOPIC;
    case BL_TIMER_REFUSED: return EXIT_REFUSED;
    case BL_TIMER_NO_MESSAGE: return EXIT_NO_MESSAGE;
    case BL_TIMER_UNREACHABLE: break;
  }
  return BL_EXIT_FAILED;
}

/* RETURNS the exit code. */
static int work(struct timers *timers, const char *namesrv) {
  struct bl_session *session = &timers->session;
  struct bl_why why;
  *session = (struct bl_session){.on_turn = on_turn, .on_stop = on_stop, .context = timers};
  if (bl_session_open(session, "timers", namesrv, &why) != BL_OK) {
    fprintf(stderr, "bolide timers: %s.\n", why.text);
    return BL_EXIT_USAGE;
  }
  timers->settings.on_row = on_row;
  timers->settings.on_bucket = on_bucket;
  timers->settings.on_end = on_end;
  timers->settings.context = timers;
  bl_output_init(&timers->output, session->worker);
  bl_timer_table_init(&timers->table);
  timers->work = bl_timer_work_new(session->client, &timers->settings);
  bl_session_run(session);
  bool unwritten = timers->output.err == BL_ERR_IO;
  bool closed = timers->output.err == BL_ERR_CLOSED;
  if (unwritten) bl_session_say(session, "standard output cannot be written");
  bl_timer_work_free(timers->work);
  bl_session_close(session);
  bl_output_fini(&timers->output);
  bl_timer_table_fini(&timers->table);
  if (unwritten) return BL_EXIT_FAILED;
  /* Whoever read has seen enough. */
  return closed && timers->end == BL_TIMER_STOPPED ? BL_EXIT_OK : exit_code_of(timers->end);
}

static bool read_time(const char *name, const char *text, int64_t *out_ms) {
  if (text == NULL) return true;
  if (bl_when_parse(bl_slice_text(text), out_ms) && *out_ms > 0) return true;
  fprintf(stderr,
          "bolide timers: --%s is '%s'; it is milliseconds since 1970, or a time as "
          "2026-11-22T20:15:00Z.\n",
          name, text);
  return false;
}

static bool read_step(const char *text, int64_t *out_ms) {
  static const struct {
    const char *name;
    int64_t ms;
  } steps[] = {{"minute", 60000}, {"hour", 3600000}, {"day", 86400000}};
  for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
    if (strcmp(text, steps[i].name) != 0) continue;
    *out_ms = steps[i].ms;
    return true;
  }
  fprintf(stderr, "bolide timers: --count is '%s'; it is minute, hour or day.\n", text);
  return false;
}

struct texts {
  const char *namesrv, *key, *from, *until, *count, *cancel, *move, *to;
};

/* NULL: they go together. */
static const char *what_clashes(const struct timers *timers, const struct texts *texts) {
  bool changes = texts->cancel != NULL || texts->move != NULL;
  bool chooses = texts->key != NULL || texts->from != NULL || texts->until != NULL ||
                 timers->settings.limit > 0 || texts->count != NULL;
  if (texts->cancel != NULL && texts->move != NULL) return "it either cancels or moves a message";
  if ((texts->move != NULL) != (texts->to != NULL)) return "--move ID and --to TIME go together";
  if (changes && timers->topic == NULL) return "--cancel and --move need the TOPIC";
  if (changes && chooses) return "--cancel and --move take no other choice than ID";
  if (texts->count != NULL && (texts->key != NULL || timers->settings.limit > 0))
    return "--count goes with --from and --until only";
  if ((texts->cancel != NULL && texts->cancel[0] == '\0') ||
      (texts->move != NULL && texts->move[0] == '\0') ||
      (texts->key != NULL && texts->key[0] == '\0'))
    return "--cancel, --move and --key need a text";
  return NULL;
}

static bool read_settings(struct timers *timers, const struct texts *texts) {
  struct bl_timer_settings *settings = &timers->settings;
  const char *clash = what_clashes(timers, texts);
  if (clash != NULL) {
    fprintf(stderr, "bolide timers: %s. `bolide help timers` says more.\n", clash);
    return false;
  }
  if (timers->topic != NULL &&
      !bl_session_check_name("timers", "topic", timers->topic, TOPIC_BYTES_MAX))
    return false;
  settings->topic = bl_slice_text(timers->topic);
  settings->from_ms = INT64_MIN;
  settings->until_ms = INT64_MAX;
  settings->id = bl_slice_text(texts->key);
  if (texts->count != NULL) settings->action = BL_TIMER_COUNT;
  if (texts->cancel != NULL) settings->action = BL_TIMER_CANCEL;
  if (texts->move != NULL) settings->action = BL_TIMER_MOVE;
  if (texts->cancel != NULL) settings->id = bl_slice_text(texts->cancel);
  if (texts->move != NULL) settings->id = bl_slice_text(texts->move);
  return (texts->count == NULL || read_step(texts->count, &settings->bucket_ms)) &&
         read_time("from", texts->from, &settings->from_ms) &&
         read_time("until", texts->until, &settings->until_ms) &&
         read_time("to", texts->to, &settings->to_ms);
}

static int run(int argc, char **argv) {
  struct timers timers = {.json = false};
  struct texts texts = {0};
  const struct bl_arg options[] = {
      {.name = "namesrv", .kind = BL_ARG_TEXT, .to = &texts.namesrv},
      {.name = "key", .kind = BL_ARG_TEXT, .to = &texts.key},
      {.name = "from", .kind = BL_ARG_TEXT, .to = &texts.from},
      {.name = "until", .kind = BL_ARG_TEXT, .to = &texts.until},
      {.name = "count", .kind = BL_ARG_TEXT, .to = &texts.count},
      {.name = "cancel", .kind = BL_ARG_TEXT, .to = &texts.cancel},
      {.name = "move", .kind = BL_ARG_TEXT, .to = &texts.move},
      {.name = "to", .kind = BL_ARG_TEXT, .to = &texts.to},
      {.name = "limit",
       .kind = BL_ARG_NUMBER,
       .to = &timers.settings.limit,
       .min = 1,
       .max = INT64_MAX},
      {.name = "json", .kind = BL_ARG_FLAG, .to = &timers.json},
  };
  struct bl_args args;
  int exit_code;
  if (!bl_args_of_verb(&bl_verb_timers, argc, argv, options, sizeof(options) / sizeof(options[0]),
                       &args, &exit_code)) {
    return exit_code;
  }
  if (args.positional_count > 1) {
    fprintf(stderr,
            "bolide timers: it takes one TOPIC, or none. `bolide help timers` says more.\n");
    return BL_EXIT_USAGE;
  }
  timers.topic = args.positional_count == 1 ? args.positional[0] : NULL;
  if (!read_settings(&timers, &texts)) return BL_EXIT_USAGE;
  return work(&timers, texts.namesrv);
}
