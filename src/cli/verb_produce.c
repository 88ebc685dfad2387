/* bolide produce TOPIC [BODY | -] */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/input.h"
#include "cli/jsonline.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "client/producer.h"
#include "os/stdio.h"
#include "wire/properties.h"

#define GROUP "bolide_produce"
#define TOPIC_BYTES_MAX 127
#define BACKLOG_BYTES_MAX 4194304 /* of result lines; input waits above */
#define STOP_PATIENCE_MS 3000     /* for answers, after a signal */

static int run(int argc, char **argv);

const struct bl_verb bl_verb_produce = {
    .name = "produce",
    .summary = "Send messages",
    .usage =
        "Usage: bolide produce TOPIC [BODY | -] [OPTIONS]\n"
        "\n"
        "Sends BODY as one message; with - or without BODY each line of standard input, whatever "
        "bytes it has, up to\n"
        "4 MiB. Empty lines are skipped: RocketMQ has no empty messages. Messages of one queue "
        "keep the order of the\n"
        "lines.\n"
        "\n"
        "  --namesrv ADDR[;ADDR]  name servers; else the variable BOLIDE_SERVER, else "
        "127.0.0.1:9876\n"
        "  --tags TAG             tag of every message\n"
        "  --keys \"KEY KEY\"       keys of every message, by which it can be found\n"
        "  --property NAME=VALUE  property of every message; may be repeated\n"
        "  --queue N              sends to queue N only, all in order; else to all queues in turn\n"
        "  --json                 prints a line for each stored message: topic, brokerName, "
        "queueId, queueOffset,\n"
        "                         msgId, offsetMsgId, status\n"
        "\n"
        "Exit codes: 0 every message is stored, 1 one is not, 2 wrong use.\n",
    .run = run,
};

struct produce {
  struct bl_session session;
  struct bl_producer *producer;
  struct bl_input input;
  struct bl_output output;
  struct bl_progress progress;
  struct bl_timer patience;
  struct bl_send send; /* what every message has in common */
  struct bl_buf properties;
  const char *body; /* NULL: lines of standard input */
  bool json;
  bool input_ended;
  bool leaving;
  uint64_t taken; /* messages given to the producer */
  uint64_t stored;
  uint64_t failed;
  uint64_t skipped;                     /* empty lines */
  char sentence[sizeof(struct bl_why)]; /* of the first failure */
  char last_queue[160];                 /* where the last message is */
};

static void end_input(struct produce *produce) {
  produce->input_ended = true;
  if (produce->body == NULL) bl_input_stop(&produce->input);
}

static void fail(struct produce *produce, const char *sentence) {
  if (produce->failed++ == 0)
    snprintf(produce->sentence, sizeof(produce->sentence), "%s", sentence);
  end_input(produce);
}

static void on_result(void *context, const struct bl_send_result *result) {
  struct produce *produce = context;
  if (result->err != BL_OK) {
    fail(produce, result->sentence);
    return;
  }
  produce->stored++;
  if (produce->json) {
    bl_jsonline_sent(bl_output_buf(&produce->output), result);
  } else if (produce->body != NULL) {
    snprintf(produce->last_queue, sizeof(produce->last_queue),
             "broker %.*s queue %d offset %lld, id %.*s", BL_FMT(result->broker_name),
             result->queue_id, (long long)result->queue_offset, BL_FMT(result->msg_id));
  }
}

static void send_one(struct produce *produce, struct bl_slice body) {
  struct bl_why why;
  if (body.len == 0 && produce->body == NULL) {
    produce->skipped++;
    return;
  }
  produce->send.body = body;
  if (bl_producer_send(produce->producer, &produce->send, &why) == BL_OK)
    produce->taken++;
  else
    fail(produce, why.text);
}

static void send_lines(struct produce *produce) {
  while (!produce->input_ended && bl_producer_has_room(produce->producer) &&
         bl_output_backlog(&produce->output) < BACKLOG_BYTES_MAX) {
    struct bl_slice line;
    bl_err err = bl_input_next(&produce->input, &line);
    if (err == BL_ERR_SHORT) return;
    if (err == BL_OK) {
      send_one(produce, line);
    } else if (err == BL_ERR_CLOSED) {
      produce->input_ended = true;
    } else {
      char sentence[128];
      unsigned long long number = (unsigned long long)produce->input.lines.count + 1;
      if (err == BL_ERR_FULL)
        snprintf(sentence, sizeof(sentence), "line %llu is longer than 4 MiB", number);
      else
        snprintf(sentence, sizeof(sentence), "standard input cannot be read (%s)",
                 bl_err_text(err));
      fail(produce, sentence);
    }
  }
}

static void on_left(void *context) {
  struct produce *produce = context;
  bl_session_stop(&produce->session);
}

static void on_turn(void *context) {
  struct produce *produce = context;
  if (produce->body == NULL) send_lines(produce);
  bl_output_flush(&produce->output);
  if (produce->output.err != BL_OK) end_input(produce);
  if (produce->leaving || !produce->input_ended || bl_producer_pending(produce->producer) > 0 ||
      !bl_output_idle(&produce->output)) {
    return;
  }
  produce->leaving = true;
  bl_producer_leave(produce->producer, on_left, produce);
}

static void out_of_patience(struct bl_timer *timer, int64_t now_ms) {
  struct produce *produce = BL_CONTAINER(timer, struct produce, patience);
  (void)now_ms;
  bl_session_stop(&produce->session);
}

static void on_stop(void *context) {
  struct produce *produce = context;
  struct bl_session *session = &produce->session;
  if (!produce->input_ended) fail(produce, "it was interrupted");
  bl_timer_set(&session->timers, &produce->patience,
               bl_net_now_ms(session->net) + STOP_PATIENCE_MS);
}

/* "1 message", "2,000 messages". Static storage, until the next call. */
static const char *count_text(uint64_t count, const char *what) {
  static char text[64];
  snprintf(text, sizeof(text), "%s %s%s", bl_progress_number(count), what, count == 1 ? "" : "s");
  return text;
}

/* RETURNS the exit code. */
static int tell_end(struct produce *produce, int64_t passed_ms) {
  uint64_t unknown = produce->taken - produce->stored;
  if (produce->failed > 0 || unknown > 0) {
    if (produce->failed == 0)
      snprintf(produce->sentence, sizeof(produce->sentence), "no answer came in time");
    if (produce->body != NULL) {
      bl_session_say(&produce->session, "the message was not sent: %s", produce->sentence);
    } else {
      bl_session_say(&produce->session, "it ended after %s: %s",
                     count_text(produce->stored, "message"), produce->sentence);
    }
    return BL_EXIT_FAILED;
  }
  if (produce->output.err == BL_ERR_IO) {
    bl_session_say(&produce->session, "standard output cannot be written");
    return BL_EXIT_FAILED;
  }
  if (produce->json) return BL_EXIT_OK;
  if (produce->body != NULL) {
    printf("sent to %.*s: %s\n", BL_FMT(produce->send.topic), produce->last_queue);
    return BL_EXIT_OK;
  }
  uint64_t rate = produce->stored * 1000 / (uint64_t)(passed_ms > 0 ? passed_ms : 1);
  printf("sent %s to %.*s in %.1f s, %s/s", count_text(produce->stored, "message"),
         BL_FMT(produce->send.topic), (double)passed_ms / 1000, bl_progress_number(rate));
  if (produce->skipped > 0) printf("; skipped %s", count_text(produce->skipped, "empty line"));
  printf("\n");
  return BL_EXIT_OK;
}

/* RETURNS the exit code. */
static int work(struct produce *produce, const char *namesrv) {
  struct bl_session *session = &produce->session;
  struct bl_why why;
  *session = (struct bl_session){.on_turn = on_turn, .on_stop = on_stop, .context = produce};
  if (bl_session_open(session, "produce", namesrv, &why) != BL_OK) {
    fprintf(stderr, "bolide produce: %s.\n", why.text);
    return BL_EXIT_USAGE;
  }
  struct bl_producer_settings settings;
  bl_producer_settings_default(&settings);
  settings.group = BL_SLICE(GROUP);
  settings.on_result = on_result;
  settings.context = produce;
  produce->producer = bl_producer_new(session->client, &settings);
  produce->patience.fire = out_of_patience;
  bl_output_init(&produce->output, session->worker);
  bl_input_init(&produce->input, session->worker, BL_PRODUCER_BODY_BYTES_MAX);
  int64_t start_ms = bl_clock_mono_ms(bl_clock_real());
  if (produce->body != NULL) {
    send_one(produce, bl_slice_text(produce->body));
    produce->input_ended = true;
  } else if (!bl_stdio_is_terminal(BL_STDIN)) { /* it would stand in the way of typing */
    bl_progress_start(&produce->progress, &session->timers, start_ms, "sent", &produce->stored);
  }
  bl_session_run(session);
  bl_progress_stop(&produce->progress);
  int exit_code = tell_end(produce, bl_clock_mono_ms(bl_clock_real()) - start_ms);
  bl_timer_cancel(&session->timers, &produce->patience);
  bl_producer_free(produce->producer);
  bl_session_close(session);
  bl_input_fini(&produce->input);
  bl_output_fini(&produce->output);
  return exit_code;
}

static bool has_separator(const char *text) {
  return strpbrk(text, "\001\002") != NULL;
}

static bool put_property(struct bl_buf *out, const char *text) {
  static const char *const reserved[] = {"KEYS", "TAGS", "UNIQ_KEY"};
  const char *equals = strchr(text, '=');
  if (equals == NULL || equals == text || equals[1] == '\0' || has_separator(text)) {
    fprintf(stderr,
            "bolide produce: --property is '%s'; it is NAME=VALUE, neither of them empty.\n", text);
    return false;
  }
  struct bl_slice name = bl_slice_of(text, (size_t)(equals - text));
  for (size_t i = 0; i < 3; i++) {
    if (!bl_slice_is(name, reserved[i])) continue;
    fprintf(stderr, "bolide produce: --property %s is not free to use%s.\n", reserved[i],
            i == 0 ? "; say --keys" : (i == 1 ? "; say --tags" : ""));
    return false;
  }
  bl_properties_put(out, name, bl_slice_text(equals + 1));
  return true;
}

static bool put_text(struct bl_buf *out, const char *option, struct bl_slice name,
                     const char *value) {
  if (value == NULL) return true;
  if (value[0] == '\0' || has_separator(value)) {
    fprintf(stderr, "bolide produce: --%s is empty or has control characters.\n", option);
    return false;
  }
  bl_properties_put(out, name, bl_slice_text(value));
  return true;
}

static int run(int argc, char **argv) {
  struct produce produce = {.send = {.queue_id = -1}};
  const char *namesrv = NULL, *tags = NULL, *keys = NULL;
  int64_t queue_id = -1;
  struct bl_args_list properties = {.count = 0};
  const struct bl_arg options[] = {
      {.name = "namesrv", .kind = BL_ARG_TEXT, .to = &namesrv},
      {.name = "tags", .kind = BL_ARG_TEXT, .to = &tags},
      {.name = "keys", .kind = BL_ARG_TEXT, .to = &keys},
      {.name = "property", .kind = BL_ARG_LIST, .to = &properties},
      {.name = "queue", .kind = BL_ARG_NUMBER, .to = &queue_id, .min = 0, .max = 65535},
      {.name = "json", .kind = BL_ARG_FLAG, .to = &produce.json},
  };
  struct bl_args args;
  int exit_code;
  if (!bl_args_of_verb(&bl_verb_produce, argc, argv, options, 6, &args, &exit_code))
    return exit_code;
  if (args.positional_count < 1 || args.positional_count > 2) {
    fprintf(stderr,
            "bolide produce: it needs a TOPIC and at most one BODY; quote a body with blanks. "
            "`bolide help produce` says more.\n");
    return BL_EXIT_USAGE;
  }
  const char *topic = args.positional[0];
  if (!bl_session_check_name("produce", "topic", topic, TOPIC_BYTES_MAX)) return BL_EXIT_USAGE;
  if (args.positional_count == 2 && strcmp(args.positional[1], "-") != 0)
    produce.body = args.positional[1];
  if (produce.body != NULL && produce.body[0] == '\0') {
    fprintf(stderr, "bolide produce: BODY is empty; RocketMQ has no empty messages.\n");
    return BL_EXIT_USAGE;
  }
  bl_buf_init(&produce.properties, 0);
  bool good = put_text(&produce.properties, "keys", BL_PROP_KEYS, keys) &&
              put_text(&produce.properties, "tags", BL_PROP_TAGS, tags);
  for (size_t i = 0; good && i < properties.count; i++)
    good = put_property(&produce.properties, properties.items[i]);
  produce.send.topic = bl_slice_text(topic);
  produce.send.properties = bl_buf_slice(&produce.properties);
  produce.send.queue_id = (int32_t)queue_id;
  exit_code = good ? work(&produce, namesrv) : BL_EXIT_USAGE;
  bl_buf_fini(&produce.properties);
  return exit_code;
}
