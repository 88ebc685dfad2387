/* bolide consume TOPIC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "cli/args.h"
#include "cli/jsonline.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "cli/when.h"
#include "client/consumer.h"
#include "os/stdio.h"

#define TOPIC_BYTES_MAX 255 /* RocketMQ's own names, as %RETRY%group, are longer than 127 */
#define GROUP_BYTES_MAX 120
#define PULL_COUNT 512
#define QUEUE_COUNT 16384
#define PAUSE_BACKLOG_BYTES                                                                        \
  8388608 /* lines that wait for the reader: pulling waits above, goes on below */
#define GO_ON_BACKLOG_BYTES 2097152

static int run(int argc, char **argv);

const struct bl_verb bl_verb_consume = {
    .name = "consume",
    .summary = "Print the messages of a topic as they come",
    .usage =
        "Usage: bolide consume TOPIC [OPTIONS]\n"
        "\n"
        "Prints the body of each message on a line, until Ctrl-C. With --group it is a member of "
        "that consumer group:\n"
        "members share the messages, the broker keeps what is done. Without, it reads everything "
        "and leaves no trace.\n"
        "\n"
        "  --namesrv ADDR[;ADDR]  name servers; else the variable BOLIDE_SERVER, else "
        "127.0.0.1:9876\n"
        "  --group NAME           reads as a member of the group, from where the group stands\n"
        "  --from WHERE           earliest (default), latest, or a time: milliseconds since 1970 "
        "or ISO 8601\n"
        "                         (2026-11-22T20:15:00Z; local time without Z or +01:00); a group "
        "that has offsets\n"
        "                         goes on where it stands\n"
        "  --count N              ends after N messages\n"
        "  --json                 a line of JSON for each message: topic, brokerName, queueId, "
        "queueOffset, msgId,\n"
        "                         offsetMsgId, storeTimestamp, bornTimestamp, tags, keys, "
        "properties, body (bodyBase64\n"
        "                         when it is not UTF-8)\n"
        "\n"
        "Exit codes: 0 ended as asked, 1 it could not go on, 2 wrong use.\n",
    .run = run,
};

/* Up to `position` of the output the queue's messages before `next_offset` are printed. */
struct mark {
  uint64_t position;
  struct bl_consumer_queue *queue;
  int64_t next_offset;
};

struct consume {
  struct bl_session session;
  struct bl_consumer *consumer;
  struct bl_output output;
  struct bl_progress progress;
  struct mark *marks; /* first to last, from marks_at */
  size_t marks_at, marks_count, marks_cap;
  bool json;
  int64_t count; /* to end after; 0: never */
  uint64_t printed;
  bool ending;
  bool leaving;
  bool failed;
};

static void add_mark(struct consume *consume, struct bl_consumer_queue *queue,
                     int64_t next_offset) {
  if (consume->marks_count > 0) {
    struct mark *last = &consume->marks[consume->marks_at + consume->marks_count - 1];
    if (last->queue == queue) {
      last->position = bl_output_position(&consume->output);
      last->next_offset = next_offset;
      return;
    }
  }
  if (consume->marks_at + consume->marks_count == consume->marks_cap) {
    if (consume->marks_count > 0) {
      memmove(consume->marks, consume->marks + consume->marks_at,
              consume->marks_count * sizeof(*consume->marks));
    }
    consume->marks_at = 0;
    if (consume->marks_count * 2 >= consume->marks_cap) {
      consume->marks_cap = consume->marks_cap == 0 ? 64 : consume->marks_cap * 2;
      consume->marks = realloc(consume->marks, consume->marks_cap * sizeof(*consume->marks));
      BL_ASSERT(consume->marks != NULL);
    }
  }
  consume->marks[consume->marks_at + consume->marks_count++] =
      (struct mark){bl_output_position(&consume->output), queue, next_offset};
}

/* What has been written is done. */
static void pass_marks(struct consume *consume) {
  while (consume->marks_count > 0) {
    struct mark mark = consume->marks[consume->marks_at];
    if (mark.position > consume->output.written_bytes) return;
    consume->marks_at++;
    consume->marks_count--;
    bl_consumer_done(mark.queue, mark.next_offset);
  }
}

static void on_failure(void *context, bl_err err, const char *sentence) {
  struct consume *consume = context;
  (void)err;
  bl_session_say(&consume->session, "%s", sentence);
  consume->failed = true;
  consume->ending = true;
}

static bool on_message(void *context, struct bl_consumer_queue *queue,
                       const struct bl_message *message) {
  struct consume *consume = context;
  if (consume->ending) return false;
  struct bl_buf *out = bl_output_buf(&consume->output);
  if (consume->json) {
    bl_jsonline_message(out, bl_consumer_queue_broker(queue), message);
  } else if (message->compression != NULL) {
    char sentence[200];
    snprintf(sentence, sizeof(sentence),
             "queue %d offset %lld has a body in a form that is not understood here (%s); --json "
             "prints it as it is",
             message->queue_id, (long long)message->queue_offset, message->compression);
    on_failure(consume, BL_ERR_FORMAT, sentence);
    return false;
  } else {
    bl_buf_put_slice(out, message->body);
    bl_buf_put_char(out, '\n');
  }
  consume->printed++;
  add_mark(consume, queue, message->queue_offset + 1);
  if (consume->count > 0 && consume->printed == (uint64_t)consume->count) {
    consume->ending = true;
    return false;
  }
  return true;
}

static void on_left(void *context, bl_err err) {
  struct consume *consume = context;
  if (err != BL_OK) {
    bl_session_say(&consume->session,
                   "not every offset could be kept at the broker (%s); the group will see the last "
                   "messages again",
                   bl_err_text(err));
    consume->failed = true;
  }
  bl_session_stop(&consume->session);
}

/* After a second signal the rest of the output is given up. */
static bool may_leave(const struct consume *consume) {
  return consume->ending && !consume->leaving &&
         (bl_output_idle(&consume->output) || consume->session.signals > 1);
}

static void on_turn(void *context) {
  struct consume *consume = context;
  bl_output_flush(&consume->output);
  pass_marks(consume);
  if (consume->output.err != BL_OK && !consume->ending) {
    consume->ending = true; /* the reader has gone: quietly */
    if (consume->output.err == BL_ERR_IO)
      on_failure(consume, BL_ERR_IO, "standard output cannot be written");
  }
  if (may_leave(consume)) {
    consume->leaving = true;
    bl_consumer_leave(consume->consumer, on_left, consume);
    return;
  }
  uint64_t backlog = bl_output_backlog(&consume->output);
  if (backlog > PAUSE_BACKLOG_BYTES)
    bl_consumer_pause(consume->consumer, true);
  else if (backlog < GO_ON_BACKLOG_BYTES)
    bl_consumer_pause(consume->consumer, false);
}

static void on_stop(void *context) {
  struct consume *consume = context;
  consume->ending = true;
}

/* RETURNS the exit code. */
static int work(struct consume *consume, struct bl_consumer_settings *settings,
                const char *namesrv) {
  struct bl_session *session = &consume->session;
  struct bl_why why;
  *session = (struct bl_session){.on_turn = on_turn, .on_stop = on_stop, .context = consume};
  if (bl_session_open(session, "consume", namesrv, &why) != BL_OK) {
    fprintf(stderr, "bolide consume: %s.\n", why.text);
    return BL_EXIT_USAGE;
  }
  settings->pull_count = PULL_COUNT;
  settings->queue_count = QUEUE_COUNT;
  settings->on_message = on_message;
  settings->on_failure = on_failure;
  settings->context = consume;
  bl_output_init(&consume->output, session->worker);
  consume->consumer = bl_consumer_new(session->client, settings);
  if (!bl_stdio_is_terminal(BL_STDOUT)) {
    bl_progress_start(&consume->progress, &session->timers, bl_clock_mono_ms(bl_clock_real()),
                      "received", &consume->printed);
  }
  bl_session_run(session);
  bl_progress_stop(&consume->progress);
  bl_consumer_free(consume->consumer);
  bl_session_close(session);
  bl_output_fini(&consume->output);
  free(consume->marks);
  return consume->failed ? BL_EXIT_FAILED : BL_EXIT_OK;
}

static bool read_from(const char *text, struct bl_consumer_settings *settings) {
  if (text == NULL || strcmp(text, "earliest") == 0) {
    settings->from = BL_FROM_EARLIEST;
  } else if (strcmp(text, "latest") == 0) {
    settings->from = BL_FROM_LATEST;
  } else if (bl_when_parse(bl_slice_text(text), &settings->from_ms)) {
    settings->from = BL_FROM_TIME;
  } else {
    fprintf(stderr,
            "bolide consume: --from is '%s'; it is earliest, latest, milliseconds since 1970, or a "
            "time as "
            "2026-11-22T20:15:00Z.\n",
            text);
    return false;
  }
  return true;
}

static int run(int argc, char **argv) {
  struct consume consume = {.count = 0};
  const char *namesrv = NULL, *group = NULL, *from = NULL;
  const struct bl_arg options[] = {
      {.name = "namesrv", .kind = BL_ARG_TEXT, .to = &namesrv},
      {.name = "group", .kind = BL_ARG_TEXT, .to = &group},
      {.name = "from", .kind = BL_ARG_TEXT, .to = &from},
      {.name = "count", .kind = BL_ARG_NUMBER, .to = &consume.count, .min = 1, .max = INT64_MAX},
      {.name = "json", .kind = BL_ARG_FLAG, .to = &consume.json},
  };
  struct bl_args args;
  int exit_code;
  if (!bl_args_of_verb(&bl_verb_consume, argc, argv, options, 5, &args, &exit_code))
    return exit_code;
  if (args.positional_count != 1) {
    fprintf(stderr, "bolide consume: it needs one TOPIC. `bolide help consume` says more.\n");
    return BL_EXIT_USAGE;
  }
  struct bl_consumer_settings settings;
  bl_consumer_settings_default(&settings);
  settings.topic = bl_slice_text(args.positional[0]);
  settings.group = bl_slice_text(group);
  if (!bl_session_check_name("consume", "topic", args.positional[0], TOPIC_BYTES_MAX) ||
      (group != NULL && !bl_session_check_name("consume", "group", group, GROUP_BYTES_MAX)) ||
      !read_from(from, &settings)) {
    return BL_EXIT_USAGE;
  }
  return work(&consume, &settings, namesrv);
}
