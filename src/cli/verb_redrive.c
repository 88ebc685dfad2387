/* bolide redrive GROUP */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/args.h"
#include "cli/jsonline.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "cli/when.h"
#include "client/redrive.h"
#include "os/stdio.h"

#define TOPIC_BYTES_MAX 255
#define GROUP_BYTES_MAX 220 /* with redrive_ and a filter's digits it is a group's name, too */
#define DEAD_LETTER_PREFIX "%DLQ%"

#define EXIT_NO_LETTERS 3
#define EXIT_REFUSED 4
#define EXIT_NO_ORIGIN 5
#define EXIT_STOPPED 6

static int run(int argc, char **argv);

const struct bl_verb bl_verb_redrive = {
    .name = "redrive",
    .summary = "Send the dead letters of a group back to the topics they came from",
    .usage =
        "Usage: bolide redrive GROUP [OPTIONS]\n"
        "\n"
        "Reads the dead letter topic %DLQ%GROUP up to its present end and sends each message "
        "again, "
        "as a new one, to\n"
        "the topic it came from. What was sent is remembered: a repetition goes on behind it. It "
        "is "
        "kept as offsets of\n"
        "the group redrive_GROUP on %DLQ%GROUP; with a filter, of redrive_GROUP_ and eight digits, "
        "so each filter has\n"
        "its own memory. When it is killed, the messages of the last pull may be sent again.\n"
        "\n"
        "  --to TOPIC             sends all to this topic, which must exist\n"
        "  --key KEY              only messages with this key, message id or original message id\n"
        "  --tag TAG              only messages with this tag\n"
        "  --from TIME            only what became a dead letter at that time or later: "
        "milliseconds since 1970 or\n"
        "                         ISO 8601 (2026-11-22T20:15:00Z; local time without Z or +01:00)\n"
        "  --until TIME           only what became a dead letter before that time\n"
        "  --limit N              ends after N messages that the filter takes\n"
        "  --dry-run              says what would be sent; sends and remembers nothing\n"
        "  --again                from the first dead letter, whatever was sent before\n"
        "  --json                 a line of JSON for each message, and one with the counts at the "
        "end\n"
        "  --namesrv ADDR[;ADDR]  name servers; else the variable BOLIDE_SERVER, else "
        "127.0.0.1:9876\n"
        "\n"
        "Exit codes: 0 all were sent, 1 a server did not answer or refused to be read, 2 wrong "
        "use, "
        "3 the group has no\n"
        "dead letter topic, 4 a topic did not take a message, 5 a message does not say where it "
        "came from (use --to),\n"
        "6 ended by Ctrl-C.\n",
    .run = run,
};

struct redrive {
  struct bl_session session;
  struct bl_redrive *work;
  struct bl_redrive_settings settings;
  struct bl_output output;
  struct bl_progress progress;
  struct bl_arena arena;
  const char *group;
  const struct bl_redrive_counts *counts;
  bool json;
  bool ended;
  enum bl_redrive_end end;
};

static void put_text(struct bl_json_writer *w, const char *name, struct bl_slice text) {
  if (text.ptr != NULL && bl_jsonline_is_utf8(text)) bl_json_member_text(w, name, text);
}

static void put_json_letter(struct bl_buf *out, const struct bl_redrive_letter *letter) {
  struct bl_json_writer w = bl_json_writer_of(out, false);
  const struct bl_send_result *result = letter->result;
  bl_json_open_object(&w);
  bl_json_member_text(&w, "brokerName", letter->broker_name);
  bl_json_member_i64(&w, "queueId", letter->queue_id);
  bl_json_member_i64(&w, "queueOffset", letter->queue_offset);
  bl_json_member_i64(&w, "storeTimestamp", letter->store_ms);
  bl_json_member_i64(&w, "reconsumeTimes", letter->reconsume_times);
  put_text(&w, "msgId", letter->msg_id);
  put_text(&w, "originMsgId", letter->origin_id);
  put_text(&w, "keys", letter->keys);
  put_text(&w, "tags", letter->tags);
  bl_json_member_i64(&w, "bodyBytes", (int64_t)letter->body_bytes);
  put_text(&w, "to", letter->to);
  if (result != NULL && result->err == BL_OK) {
    bl_json_member_text(&w, "status", bl_slice_text(bl_send_status(result->code)));
    put_text(&w, "sentMsgId", result->msg_id);
    put_text(&w, "sentBrokerName", result->broker_name);
    bl_json_member_i64(&w, "sentQueueId", result->queue_id);
    bl_json_member_i64(&w, "sentQueueOffset", result->queue_offset);
  } else if (result != NULL) {
    bl_json_member_text(&w, "status", BL_SLICE("FAILED"));
    bl_json_member_text(&w, "error", bl_slice_text(result->sentence));
  }
  bl_json_close_object(&w);
  bl_buf_put_char(out, '\n');
}

static void on_letter(void *context, const struct bl_redrive_letter *letter) {
  struct redrive *redrive = context;
  struct bl_buf *out = bl_output_buf(&redrive->output);
  if (redrive->json) {
    put_json_letter(out, letter);
    return;
  }
  if (letter->result != NULL) return;
  bl_buf_printf(out, "%.*s queue %d offset %lld: %.*s", BL_FMT(letter->broker_name),
                letter->queue_id, (long long)letter->queue_offset, BL_FMT(letter->msg_id));
  if (letter->keys.len > 0) bl_buf_printf(out, " keys %.*s", BL_FMT(letter->keys));
  if (letter->tags.len > 0) bl_buf_printf(out, " tags %.*s", BL_FMT(letter->tags));
  if (letter->to.len > 0)
    bl_buf_printf(out, " -> %.*s\n", BL_FMT(letter->to));
  else
    bl_buf_put_text(out, " does not say where it came from\n");
}

static void put_summary(struct redrive *redrive) {
  struct bl_buf *out = bl_output_buf(&redrive->output);
  const struct bl_redrive_counts *counts = redrive->counts;
  const struct bl_redrive_settings *settings = &redrive->settings;
  struct bl_slice keeper = bl_redrive_group(settings->group, &settings->filter, &redrive->arena);
  if (redrive->json) {
    struct bl_json_writer w = bl_json_writer_of(out, false);
    bl_json_open_object(&w);
    bl_json_member_text(&w, "group", settings->group);
    bl_json_member_bool(&w, "dryRun", settings->dry_run);
    bl_json_member_i64(&w, "looked", (int64_t)counts->passed);
    bl_json_member_i64(&w, "matched", (int64_t)counts->matched);
    bl_json_member_i64(&w, "sent", (int64_t)counts->sent);
    bl_json_member_text(&w, "progressGroup", keeper);
    bl_json_member_bool(&w, "complete", redrive->end == BL_REDRIVE_DONE);
    bl_json_close_object(&w);
    bl_buf_put_char(out, '\n');
    return;
  }
  if (settings->dry_run) {
    bl_buf_printf(out, "%s of %s dead letters of %s would be sent.\n",
                  bl_progress_number(counts->matched), bl_progress_number(counts->passed),
                  redrive->group);
    return;
  }
  bl_buf_printf(out,
                "%s of %s dead letters of %s sent; a repetition goes on behind them (offsets of "
                "group %.*s; --again starts over).\n",
                bl_progress_number(counts->sent), bl_progress_number(counts->passed),
                redrive->group, BL_FMT(keeper));
}

static void on_end(void *context, enum bl_redrive_end end, const char *sentence) {
  struct redrive *redrive = context;
  redrive->ended = true;
  redrive->end = end;
  bl_progress_stop(&redrive->progress);
  if (sentence != NULL) bl_session_say(&redrive->session, "%s", sentence);
  if (redrive->counts->ready) put_summary(redrive);
}

static void on_turn(void *context) {
  struct redrive *redrive = context;
  bl_output_flush(&redrive->output);
  if (redrive->ended && (bl_output_idle(&redrive->output) || redrive->session.signals > 1))
    bl_session_stop(&redrive->session);
}

static void on_stop(void *context) {
  struct redrive *redrive = context;
  if (!redrive->ended) bl_redrive_stop(redrive->work);
}

static int exit_code_of(enum bl_redrive_end end) {
  switch (end) {
    case BL_REDRIVE_DONE: return BL_EXIT_OK;
    case BL_REDRIVE_STOPPED: return EXIT_STOPPED;
    case BL_REDRIVE_NO_LETTERS: return EXIT_NO_LETTERS;
    case BL_REDRIVE_REFUSED: return EXIT_REFUSED;
    case BL_REDRIVE_NO_ORIGIN: return EXIT_NO_ORIGIN;
    case BL_REDRIVE_UNREACHABLE: break;
  }
  return BL_EXIT_FAILED;
}

/* RETURNS the exit code. */
static int work(struct redrive *redrive, const char *namesrv) {
  struct bl_session *session = &redrive->session;
  struct bl_why why;
  *session = (struct bl_session){.on_turn = on_turn, .on_stop = on_stop, .context = redrive};
  if (bl_session_open(session, "redrive", namesrv, &why) != BL_OK) {
    fprintf(stderr, "bolide redrive: %s.\n", why.text);
    return BL_EXIT_USAGE;
  }
  redrive->settings.on_letter = on_letter;
  redrive->settings.on_end = on_end;
  redrive->settings.context = redrive;
  bl_arena_init(&redrive->arena);
  bl_output_init(&redrive->output, session->worker);
  redrive->work = bl_redrive_new(session->client, &redrive->settings);
  redrive->counts = bl_redrive_counts(redrive->work);
  bl_progress_start_of(&redrive->progress, &session->timers, bl_clock_mono_ms(bl_clock_real()),
                       redrive->settings.dry_run ? "looked at" : "redriven",
                       &redrive->counts->passed, &redrive->counts->total);
  bl_session_run(session);
  bl_progress_stop(&redrive->progress);
  bool unwritten = redrive->output.err == BL_ERR_IO;
  if (unwritten) bl_session_say(session, "standard output cannot be written");
  bl_redrive_free(redrive->work);
  bl_session_close(session);
  bl_output_fini(&redrive->output);
  bl_arena_fini(&redrive->arena);
  int exit_code = exit_code_of(redrive->end);
  return unwritten && exit_code == BL_EXIT_OK ? BL_EXIT_FAILED : exit_code;
}

static bool read_time(const char *name, const char *text, int64_t *out_ms) {
  if (text == NULL) return true;
  if (bl_when_parse(bl_slice_text(text), out_ms) && *out_ms > 0) return true;
  fprintf(stderr,
          "bolide redrive: --%s is '%s'; it is milliseconds since 1970, or a time as "
          "2026-11-22T20:15:00Z.\n",
          name, text);
  return false;
}

static bool read_settings(const char *to, const char *key, const char *tag,
                          struct redrive *redrive) {
  struct bl_redrive_settings *settings = &redrive->settings;
  const char *group = redrive->group;
  if (!bl_session_check_name("redrive", "group", group, GROUP_BYTES_MAX)) return false;
  if (to != NULL && !bl_session_check_name("redrive", "topic", to, TOPIC_BYTES_MAX)) return false;
  settings->group = bl_slice_text(group);
  settings->to = bl_slice_text(to);
  settings->filter.key = bl_slice_text(key);
  settings->filter.tag = bl_slice_text(tag);
  if ((key != NULL && key[0] == '\0') || (tag != NULL && tag[0] == '\0')) {
    fprintf(stderr,
            "bolide redrive: --key and --tag need a text; leave the option out for all "
            "messages.\n");
    return false;
  }
  if (bl_slice_starts(settings->to, BL_SLICE(DEAD_LETTER_PREFIX)) &&
      bl_slice_is(bl_slice_from(settings->to, strlen(DEAD_LETTER_PREFIX)), group)) {
    fprintf(stderr, "bolide redrive: --to %s is where the dead letters are already.\n", to);
    return false;
  }
  return true;
}

static int run(int argc, char **argv) {
  struct redrive redrive = {.json = false};
  struct bl_redrive_settings *settings = &redrive.settings;
  const char *namesrv = NULL, *to = NULL, *key = NULL, *tag = NULL, *from = NULL, *until = NULL;
  const struct bl_arg options[] = {
      {.name = "namesrv", .kind = BL_ARG_TEXT, .to = &namesrv},
      {.name = "to", .kind = BL_ARG_TEXT, .to = &to},
      {.name = "key", .kind = BL_ARG_TEXT, .to = &key},
      {.name = "tag", .kind = BL_ARG_TEXT, .to = &tag},
      {.name = "from", .kind = BL_ARG_TEXT, .to = &from},
      {.name = "until", .kind = BL_ARG_TEXT, .to = &until},
      {.name = "limit", .kind = BL_ARG_NUMBER, .to = &settings->limit, .min = 1, .max = INT64_MAX},
      {.name = "dry-run", .kind = BL_ARG_FLAG, .to = &settings->dry_run},
      {.name = "again", .kind = BL_ARG_FLAG, .to = &settings->again},
      {.name = "json", .kind = BL_ARG_FLAG, .to = &redrive.json},
  };
  struct bl_args args;
  int exit_code;
  if (!bl_args_of_verb(&bl_verb_redrive, argc, argv, options, sizeof(options) / sizeof(options[0]),
                       &args, &exit_code)) {
    return exit_code;
  }
  if (args.positional_count != 1) {
    fprintf(stderr, "bolide redrive: it needs one GROUP. `bolide help redrive` says more.\n");
    return BL_EXIT_USAGE;
  }
  redrive.group = args.positional[0];
  if (!read_settings(to, key, tag, &redrive) ||
      !read_time("from", from, &settings->filter.from_ms) ||
      !read_time("until", until, &settings->filter.until_ms)) {
    return BL_EXIT_USAGE;
  }
  return work(&redrive, namesrv);
}
