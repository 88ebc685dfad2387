#include "client/timers.h"

#include <stdlib.h>

#include "base/assert.h"
#include "client/client_internal.h"
#include "client/routes.h"
#include "wire/headers.h"

#define REQUEST_LIST 960001
#define REQUEST_CANCEL 960002
#define REQUEST_MOVE 960003
#define CODE_UNSUPPORTED 3
#define CODE_NO_TOPIC 17
#define CODE_NOT_FOUND 22
#define EVERY_BROKER "SCHEDULE_TOPIC_XXXX" /* each has it */
#define CALL_MS 30000                      /* many records may be read from a disk for an answer */
#define TRIES_MAX 3
#define RETRY_MS 1000
#define SLOT_MS 1000 /* a recall is due at most that much before its message */
#define RECALLS_MAX 4096

/* A broker, and the page of it that is being given. */
struct source {
  struct bl_slice name; /* in the arena */
  int64_t after_due_ms;
  int64_t after_offset;
  bool end;
  struct bl_arena arena;    /* the page */
  const struct bl_json *at; /* its next message; NULL: a page is needed, or the end */
};

struct recall {
  int64_t due_ms;
  uint32_t hash; /* of the key */
};

struct bucket {
  int64_t start_ms;
  int64_t count;
};

struct bl_timer_work {
  struct bl_client *client;
  struct bl_timer_settings settings;
  struct bl_arena arena;
  struct bl_route_watch watch;
  struct bl_outcall call;
  struct bl_timer timer; /* of the next try, or the end */
  struct source *sources;
  uint32_t source_count;
  uint32_t at; /* the one that is asked */
  bool by_msg_id;
  int tries;
  struct recall recalls[RECALLS_MAX]; /* the last ones, a ring */
  uint32_t recall_count;
  struct bucket *buckets;
  size_t bucket_count;
  size_t bucket_cap;
  int64_t changed;
  bool ended;
  enum bl_timer_end end;
  struct bl_why why;
};

static void on_answer(struct bl_outcall *call, bl_err err, const struct bl_command *response);

static void end_work(struct bl_timer_work *work, enum bl_timer_end end) {
  if (work->ended) return;
  work->ended = true;
  work->end = end;
  bl_routes_unwatch(&work->watch);
  bl_remoting_cancel(&work->call);
  bl_timer_set(work->client->timers, &work->timer, 0);
}

/* Requests. */

static void send_request(struct bl_timer_work *work, int32_t code,
                         const struct bl_header_table *table, const void *header) {
  struct bl_client *client = work->client;
  struct bl_outgoing outgoing = {.code = code, .table = table, .header = header};
  struct bl_slice address = bl_client__master(client, work->sources[work->at].name);
  bl_err err = BL_ERR_CLOSED;
  if (address.ptr != NULL)
    err = bl_remoting_call_address(client->remoting, address, &outgoing, CALL_MS, &work->call);
  if (err != BL_OK) on_answer(&work->call, err, NULL);
}

static void ask_page(struct bl_timer_work *work) {
  const struct bl_timer_settings *settings = &work->settings;
  const struct source *source = &work->sources[work->at];
  struct bl_list_timers_header header = {.present = 0};
  BL_SET(&header, list_timers, after_due_ms, source->after_due_ms);
  BL_SET(&header, list_timers, after_offset, source->after_offset);
  if (settings->action == BL_TIMER_COUNT)
    BL_SET(&header, list_timers, bucket_ms, settings->bucket_ms);
  if (settings->topic.ptr != NULL) BL_SET(&header, list_timers, topic, settings->topic);
  if (settings->until_ms != INT64_MAX)
    BL_SET(&header, list_timers, until_due_ms, settings->until_ms - 1);
  send_request(work, REQUEST_LIST, &bl_list_timers_table, &header);
}

static void ask_change(struct bl_timer_work *work) {
  const struct bl_timer_settings *settings = &work->settings;
  if (settings->action == BL_TIMER_CANCEL) {
    struct bl_cancel_timer_header header = {.topic = settings->topic};
    if (work->by_msg_id)
      BL_SET(&header, cancel_timer, msg_id, settings->id);
    else
      BL_SET(&header, cancel_timer, uniq_key, settings->id);
    send_request(work, REQUEST_CANCEL, &bl_cancel_timer_table, &header);
  } else {
    struct bl_move_timer_header header = {.topic = settings->topic, .due_ms = settings->to_ms};
    if (work->by_msg_id)
      BL_SET(&header, move_timer, msg_id, settings->id);
    else
      BL_SET(&header, move_timer, uniq_key, settings->id);
    send_request(work, REQUEST_MOVE, &bl_move_timer_table, &header);
  }
}

static bool changes(const struct bl_timer_work *work) {
  return work->settings.action == BL_TIMER_CANCEL || work->settings.action == BL_TIMER_MOVE;
}

static void ask(struct bl_timer_work *work) {
  if (changes(work))
    ask_change(work);
  else
    ask_page(work);
}

/* Pages. */

static bool is_recalled(const struct bl_timer_work *work, uint32_t hash, int64_t due_ms) {
  uint32_t count = work->recall_count < RECALLS_MAX ? work->recall_count : RECALLS_MAX;
  for (uint32_t i = 0; i < count; i++) {
    const struct recall *recall = &work->recalls[i];
    if (recall->hash == hash && due_ms >= recall->due_ms && due_ms <= recall->due_ms + SLOT_MS)
      return true;
  }
  return false;
}

static uint32_t hash_of(const struct bl_timer_row *row) {
  return bl_hash(row->uniq_key) * 31 + bl_hash(row->topic);
}

static bool matches(const struct bl_timer_work *work, const struct bl_timer_row *row) {
  struct bl_slice id = work->settings.id;
  struct bl_slice words = row->keys;
  if (id.ptr == NULL || bl_slice_eq(row->uniq_key, id) || bl_slice_eq(row->msg_id, id)) return true;
  while (words.ptr != NULL) {
    if (bl_slice_eq(bl_slice_cut(&words, ' '), id)) return true;
  }
  return false;
}

static void give(struct bl_timer_work *work, struct source *source) {
  const struct bl_json *node = source->at;
  struct bl_timer_row row = {.broker_name = source->name,
                             .due_ms = bl_json_i64(bl_json_get(node, "dueTime"), 0),
                             .store_ms = bl_json_i64(bl_json_get(node, "storeTime"), 0),
                             .topic = bl_json_text(bl_json_get(node, "topic")),
                             .queue_id = bl_json_i32(bl_json_get(node, "queueId"), -1),
                             .uniq_key = bl_json_text(bl_json_get(node, "uniqKey")),
                             .msg_id = bl_json_text(bl_json_get(node, "offsetMsgId")),
                             .keys = bl_json_text(bl_json_get(node, "keys")),
                             .tags = bl_json_text(bl_json_get(node, "tags")),
                             .body_bytes = bl_json_i64(bl_json_get(node, "bodyBytes"), 0)};
  source->at = node->next;
  if (bl_json_bool(bl_json_get(node, "recall"), false)) {
    struct recall *recall = &work->recalls[work->recall_count++ % RECALLS_MAX];
    *recall = (struct recall){row.due_ms, hash_of(&row)};
    return;
  }
  if (row.due_ms < work->settings.from_ms || !matches(work, &row)) return;
  row.recalled = work->recall_count > 0 && is_recalled(work, hash_of(&row), row.due_ms);
  work->changed++;
  work->settings.on_row(work->settings.context, &row);
}

static int64_t due_of(const struct bl_json *node) {
  return bl_json_i64(bl_json_get(node, "dueTime"), 0);
}

/* Gives what is next among all brokers until one must be asked for its next page. */
static void merge(struct bl_timer_work *work) {
  const struct bl_timer_settings *settings = &work->settings;
  for (;;) {
    struct source *least = NULL;
    if (settings->limit > 0 && work->changed >= settings->limit) break;
    for (uint32_t i = 0; i < work->source_count; i++) {
      struct source *source = &work->sources[i];
      if (source->at == NULL && !source->end) {
        work->at = i;
        ask(work);
        return;
      }
      if (source->at != NULL && (least == NULL || due_of(source->at) < due_of(least->at)))
        least = source;
    }
    if (least == NULL) break;
    give(work, least);
  }
  end_work(work, BL_TIMER_DONE);
}

static int compare(const void *a, const void *b) {
  const struct bucket *x = a;
  const struct bucket *y = b;
  return (x->start_ms > y->start_ms) - (x->start_ms < y->start_ms);
}

static void give_buckets(struct bl_timer_work *work) {
  const struct bl_timer_settings *settings = &work->settings;
  if (work->bucket_count > 0)
    qsort(work->buckets, work->bucket_count, sizeof(*work->buckets), compare);
  for (size_t i = 0; i < work->bucket_count; i++) {
    struct bucket sum = work->buckets[i];
    while (i + 1 < work->bucket_count && work->buckets[i + 1].start_ms == sum.start_ms)
      sum.count += work->buckets[++i].count;
    work->changed += sum.count;
    settings->on_bucket(settings->context, sum.start_ms, sum.count);
  }
}

static void next_count(struct bl_timer_work *work) {
  while (work->at < work->source_count && work->sources[work->at].end) work->at++;
  if (work->at < work->source_count) {
    ask(work);
    return;
  }
  give_buckets(work);
  end_work(work, BL_TIMER_DONE);
}

static void take_buckets(struct bl_timer_work *work, const struct bl_json *counts) {
  for (const struct bl_json *node = counts != NULL ? counts->child : NULL; node != NULL;
       node = node->next) {
    struct bucket bucket = {bl_json_i64(bl_json_get(node, "from"), 0),
                            bl_json_i64(bl_json_get(node, "count"), 0)};
    if (work->bucket_count > 0 &&
        work->buckets[work->bucket_count - 1].start_ms == bucket.start_ms) {
      work->buckets[work->bucket_count - 1].count += bucket.count;
      continue;
    }
    if (work->bucket_count == work->bucket_cap) {
      work->bucket_cap = work->bucket_cap > 0 ? work->bucket_cap * 2 : 64;
      work->buckets = realloc(work->buckets, work->bucket_cap * sizeof(*work->buckets));
      BL_ASSERT(work->buckets != NULL);
    }
    work->buckets[work->bucket_count++] = bucket;
  }
}

static bl_err take_page(struct bl_timer_work *work, struct bl_slice body) {
  struct source *source = &work->sources[work->at];
  const struct bl_json *root;
  bl_arena_reset(&source->arena);
  bl_err err = bl_json_parse(bl_arena_copy(&source->arena, body), BL_JSON_DIALECT, &source->arena,
                             &root, NULL);
  if (err != BL_OK) return err;
  int64_t after_due_ms = bl_json_i64(bl_json_get(root, "afterDue"), INT64_MIN);
  int64_t after_offset = bl_json_i64(bl_json_get(root, "afterOffset"), -1);
  bool moved = after_due_ms > source->after_due_ms ||
               (after_due_ms == source->after_due_ms && after_offset > source->after_offset);
  source->end = bl_json_bool(bl_json_get(root, "end"), false);
  if (!moved && !source->end) return BL_ERR_FORMAT;
  source->after_due_ms = after_due_ms;
  source->after_offset = after_offset;
  if (work->settings.action == BL_TIMER_COUNT) {
    take_buckets(work, bl_json_get(root, "counts"));
    next_count(work);
  } else {
    const struct bl_json *messages = bl_json_get(root, "messages");
    source->at = messages != NULL ? messages->child : NULL;
    merge(work);
  }
  return BL_OK;
}

/* Changes. */

static void next_change(struct bl_timer_work *work) {
  struct bl_host host;
  int64_t log_offset;
  if (++work->at < work->source_count) {
    ask(work);
    return;
  }
  if (work->changed > 0) {
    end_work(work, BL_TIMER_DONE);
    return;
  }
  if (!work->by_msg_id && bl_msgid_parse(work->settings.id, &host, &log_offset)) {
    work->by_msg_id = true;
    work->at = 0;
    ask(work);
    return;
  }
  bl_why_set(&work->why, BL_ERR_NOT_FOUND,
             "no delayed message '%.*s' of topic '%.*s' waits: it was delivered or cancelled, or "
             "never was one; `bolide timers %.*s` lists those that wait",
             BL_FMT(work->settings.id), BL_FMT(work->settings.topic), BL_FMT(work->settings.topic));
  end_work(work, BL_TIMER_NO_MESSAGE);
}

static bl_err take_changed(struct bl_timer_work *work, const struct bl_command *response) {
  struct bl_arena arena;
  const struct bl_json *root;
  bl_arena_init(&arena);
  bl_err err = bl_json_parse(response->body, BL_JSON_DIALECT, &arena, &root, NULL);
  if (err == BL_OK) work->changed += bl_json_i64(bl_json_get(root, "changed"), 0);
  bl_arena_fini(&arena);
  return err;
}

static void refused(struct bl_timer_work *work, const struct bl_command *response) {
  struct bl_slice name = work->sources[work->at].name;
  struct bl_slice remark = bl_client__first_line(response->remark);
  if (response->code == CODE_UNSUPPORTED) {
    bl_why_set(&work->why, BL_ERR_SYSTEM,
               "broker %.*s does not serve this request: it is no bolide, or an older one",
               BL_FMT(name));
  } else {
    bl_why_set(&work->why, BL_ERR_SYSTEM, "broker %.*s refused with code %d: %.*s", BL_FMT(name),
               response->code, BL_FMT(remark));
  }
  end_work(work, BL_TIMER_REFUSED);
}

static bl_err take_answer(struct bl_timer_work *work, const struct bl_command *response) {
  if (response->code == 0 && changes(work)) {
    bl_err err = take_changed(work, response);
    if (err == BL_OK) next_change(work);
    return err;
  }
  if (response->code == 0) return take_page(work, response->body);
  if (changes(work) && (response->code == CODE_NOT_FOUND || response->code == CODE_NO_TOPIC))
    next_change(work);
  else
    refused(work, response);
  return BL_OK;
}

static void on_answer(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct bl_timer_work *work = BL_CONTAINER(call, struct bl_timer_work, call);
  if (err == BL_OK) {
    work->tries = 0;
    err = take_answer(work, response);
  }
  if (err == BL_OK || work->ended) return;
  /* A change that was made already would not be found. */
  if (!changes(work) && ++work->tries < TRIES_MAX && err != BL_ERR_FORMAT) {
    bl_timer_set(work->client->timers, &work->timer,
                 bl_clock_mono_ms(work->client->clock) + RETRY_MS);
    return;
  }
  bl_why_set(&work->why, err, "broker %.*s does not answer (%s)%s",
             BL_FMT(work->sources[work->at].name), bl_err_text(err),
             changes(work) ? "; whether the message was changed is not known, run it again"
                           : "; run it again when it does");
  end_work(work, BL_TIMER_UNREACHABLE);
}

static void on_timer(struct bl_timer *timer, int64_t now_ms) {
  struct bl_timer_work *work = BL_CONTAINER(timer, struct bl_timer_work, timer);
  (void)now_ms;
  if (!work->ended) {
    ask(work);
    return;
  }
  const char *sentence = work->why.text[0] != '\0' ? work->why.text : NULL;
  work->settings.on_end(work->settings.context, work->end, work->changed, sentence);
}

static void on_route(struct bl_route_watch *watch, bl_err err, const struct bl_route *route,
                     const struct bl_why *why) {
  struct bl_timer_work *work = BL_CONTAINER(watch, struct bl_timer_work, watch);
  const struct bl_timer_settings *settings = &work->settings;
  bl_routes_unwatch(watch);
  if (err != BL_OK) {
    work->why = *why;
    end_work(work, err == BL_ERR_NO_TOPIC ? BL_TIMER_NO_TOPIC : BL_TIMER_UNREACHABLE);
    return;
  }
  work->sources = calloc(route->broker_count + 1, sizeof(*work->sources));
  BL_ASSERT(work->sources != NULL);
  bool any = settings->from_ms == INT64_MIN;
  /* A recall before the first message belongs to it. */
  int64_t ahead_ms = settings->action == BL_TIMER_LIST ? SLOT_MS + 1 : 1;
  for (uint32_t i = 0; i < route->broker_count; i++) {
    struct source *source = &work->sources[work->source_count++];
    *source = (struct source){.name = bl_arena_copy(&work->arena, route->brokers[i].name),
                              .after_due_ms = any ? INT64_MIN : settings->from_ms - ahead_ms,
                              .after_offset = any ? -1 : INT64_MAX};
    bl_arena_init(&source->arena);
  }
  if (changes(work))
    ask(work);
  else if (settings->action == BL_TIMER_COUNT)
    next_count(work);
  else
    merge(work);
}

struct bl_timer_work *bl_timer_work_new(struct bl_client *client,
                                        const struct bl_timer_settings *settings) {
  struct bl_timer_work *work = calloc(1, sizeof(*work));
  BL_ASSERT(work != NULL);
  work->client = client;
  work->settings = *settings;
  bl_arena_init(&work->arena);
  struct bl_timer_settings *own = &work->settings;
  if (own->topic.ptr != NULL) own->topic = bl_arena_copy(&work->arena, own->topic);
  if (own->id.ptr != NULL) own->id = bl_arena_copy(&work->arena, own->id);
  work->call.done = on_answer;
  work->timer.fire = on_timer;
  work->watch.on_route = on_route;
  struct bl_slice topic = own->topic.ptr != NULL ? own->topic : BL_SLICE(EVERY_BROKER);
  bl_routes_watch(client, topic, &work->watch);
  return work;
}

void bl_timer_work_free(struct bl_timer_work *work) {
  if (work == NULL) return;
  bl_routes_unwatch(&work->watch);
  bl_remoting_cancel(&work->call);
  bl_timer_cancel(work->client->timers, &work->timer);
  for (uint32_t i = 0; i < work->source_count; i++) bl_arena_fini(&work->sources[i].arena);
  free(work->sources);
  free(work->buckets);
  bl_arena_fini(&work->arena);
  free(work);
}

void bl_timer_work_stop(struct bl_timer_work *work) {
  end_work(work, BL_TIMER_STOPPED);
}
