#include "cli/bench/target.h"

#include <stdio.h>

#include "base/json.h"
#include "cli/bench/ask.h"
#include "cli/progress.h"
#include "client/route.h"
#include "wire/headers.h"

#define REQUEST_CREATE_TOPIC 17
#define REQUEST_GET_ROUTE 105
#define REQUEST_GET_CLUSTER_INFO 106
#define REQUEST_GET_TOPIC_CONFIG 351
#define CODE_NO_TOPIC 17
#define REQUEST_GET_MAX_OFFSET 30
#define AT_ONCE 128
#define QUEUES_UNKNOWN 4
/* RocketMQ looks at a send's broker name only where a topic's queues move between brokers. */
#define BROKER_NAME_UNKNOWN "broker-a"

size_t bl_bench_topic_name(const struct bl_bench_plan *plan, int64_t index, char out_name[256]) {
  int len = plan->topics > 1 ? snprintf(out_name, 256, "%s-%lld", plan->topic, (long long)index)
                             : snprintf(out_name, 256, "%s", plan->topic);
  return (size_t)len;
}

static void take_broker(struct bl_bench_target *target, struct bl_slice name,
                        struct bl_slice address) {
  snprintf(target->broker_name, sizeof(target->broker_name), "%.*s", BL_FMT(name));
  snprintf(target->server, sizeof(target->server), "%.*s", BL_FMT(address));
}

/* The first broker of the route with a master that takes, or gives, messages. */
static bl_err take_route(const struct bl_bench_plan *plan, struct bl_bench_target *target,
                         struct bl_slice body, struct bl_why *why) {
  bool reads = strcmp(plan->verb, "pull") == 0 || strcmp(plan->verb, "idle") == 0;
  int32_t perm = reads ? BL_PERM_READ : BL_PERM_WRITE;
  struct bl_route route;
  bl_err err = bl_route_parse(body, &route, why);
  if (err != BL_OK) return err;
  for (uint32_t i = 0; i < route.broker_count && target->server[0] == '\0'; i++) {
    const struct bl_route_broker *broker = &route.brokers[i];
    struct bl_slice address = bl_route_master(broker);
    if (address.ptr != NULL && (broker->perm & perm) != 0)
      take_broker(target, broker->name, address);
  }
  bl_route_fini(&route);
  if (target->server[0] != '\0') return BL_OK;
  return bl_why_set(why, BL_ERR_NO_PERMISSION, "topic %s may not be %s on any master broker",
                    plan->topic, reads ? "read" : "written to");
}

/* The first broker of the cluster with a master. */
static bl_err take_any(struct bl_bench_target *target, struct bl_slice body, struct bl_arena *arena,
                       struct bl_why *why) {
  const struct bl_json *root = NULL;
  bl_err err = bl_json_parse(body, BL_JSON_DIALECT, arena, &root, why);
  if (err != BL_OK) return err;
  const struct bl_json *table = bl_json_get(root, "brokerAddrTable");
  const struct bl_json *broker = table != NULL ? table->child : NULL;
  for (; broker != NULL && target->server[0] == '\0'; broker = broker->next) {
    const struct bl_json *addresses = bl_json_get(broker, "brokerAddrs");
    struct bl_slice master = bl_json_text(bl_json_get(addresses, "0"));
    if (master.len > 0) take_broker(target, broker->key, master);
  }
  if (target->server[0] != '\0') return BL_OK;
  return bl_why_set(why, BL_ERR_NOT_FOUND, "the name server knows no master broker; start one");
}

static bl_err find_broker(struct bl_bench_line *line, const struct bl_bench_plan *plan,
                          struct bl_arena *arena, struct bl_bench_target *target,
                          struct bl_why *why) {
  char name[256];
  struct bl_command answer;
  struct bl_get_route_header header = {0};
  BL_SET(&header, get_route, topic, bl_slice_of(name, bl_bench_topic_name(plan, 0, name)));
  BL_SET(&header, get_route, standard_json, true);
  bl_bench_line_put(line, REQUEST_GET_ROUTE, &bl_get_route_table, &header);
  bl_err err = bl_bench_line_send(line, why);
  if (err == BL_OK) err = bl_bench_line_answer(line, arena, &answer, why);
  if (err != BL_OK) return err;
  if (answer.code == 0) return take_route(plan, target, answer.body, why);
  if (answer.code != CODE_NO_TOPIC) {
    return bl_why_set(why, BL_ERR_SYSTEM, "the name server answered %d to the topic's route: %.*s",
                      answer.code, BL_FMT(answer.remark));
  }
  bl_bench_line_put(line, REQUEST_GET_CLUSTER_INFO, NULL, NULL);
  err = bl_bench_line_send(line, why);
  if (err == BL_OK) err = bl_bench_line_answer(line, arena, &answer, why);
  if (err != BL_OK) return err;
  if (answer.code == 0) return take_any(target, answer.body, arena, why);
  return bl_why_set(why, BL_ERR_SYSTEM, "the name server answered %d when asked for brokers: %.*s",
                    answer.code, BL_FMT(answer.remark));
}

bl_err bl_bench_target_find(const struct bl_bench_plan *plan, struct bl_bench_target *out_target,
                            struct bl_why *why) {
  *out_target = (struct bl_bench_target){.server = ""};
  if (plan->server != NULL) {
    take_broker(out_target, BL_SLICE(BROKER_NAME_UNKNOWN), bl_slice_text(plan->server));
    return bl_bench_resolve(out_target->server, &out_target->address, why);
  }
  struct bl_bench_line line;
  struct bl_arena arena;
  struct bl_why cause = {""};
  bl_arena_init(&arena);
  bl_err err = bl_bench_line_open(&line, plan->namesrv, &cause);
  if (err == BL_OK) err = find_broker(&line, plan, &arena, out_target, &cause);
  bl_bench_line_close(&line);
  bl_arena_fini(&arena);
  if (err != BL_OK)
    return bl_why_set(why, err, "no broker was found by the name server %s: %s", plan->namesrv,
                      cause.text);
  return bl_bench_resolve(out_target->server, &out_target->address, why);
}

/* What was done with topics, to be said at the end. */
struct made {
  uint64_t created;
  uint64_t widened;
  uint64_t refused;
  int32_t code;
  char remark[200];
};

/* A number of the answer to 351; `unknown` of a server that answers everything with 0. */
static int64_t topic_number(const struct bl_command *answer, const char *name, int64_t unknown,
                            struct bl_arena *arena) {
  const struct bl_json *root = NULL;
  if (bl_json_parse(answer->body, BL_JSON_DIALECT, arena, &root, NULL) != BL_OK) return unknown;
  return bl_json_i64(bl_json_get(root, name), unknown);
}

static void put_create(struct bl_bench_line *line, const struct bl_bench_plan *plan,
                       int64_t index) {
  char name[256];
  struct bl_create_topic_header header = {.default_topic = BL_SLICE("TBW102"),
                                          .filter_type = BL_SLICE("SINGLE_TAG"),
                                          .perm = 6,
                                          .read_queues = (int32_t)plan->queues,
                                          .write_queues = (int32_t)plan->queues};
  header.topic = bl_slice_of(name, bl_bench_topic_name(plan, index, name));
  BL_SET(&header, create_topic, sys_flag, 0);
  bl_bench_line_put(line, REQUEST_CREATE_TOPIC, &bl_create_topic_table, &header);
}

/* Sends what was put and takes so many answers; the first of them has `first` as its number. */
static bl_err exchange(struct bl_bench_line *line, struct bl_arena *arena, int32_t first,
                       int64_t count, struct bl_command *out_answers, struct bl_why *why) {
  bl_err err = bl_bench_line_send(line, why);
  for (int64_t i = 0; err == BL_OK && i < count; i++) {
    struct bl_command answer;
    err = bl_bench_line_answer(line, arena, &answer, why);
    if (err != BL_OK) break;
    int64_t place = (int64_t)answer.opaque - first;
    if (place < 0 || place >= count)
      return bl_why_set(why, BL_ERR_FORMAT, "the server answered what nobody asked");
    /* The bytes are the connection's until the next read. */
    answer.body = bl_arena_copy(arena, answer.body);
    answer.remark = bl_arena_copy(arena, answer.remark);
    out_answers[place] = answer;
  }
  return err;
}

static bl_err make_some(struct bl_bench_line *line, const struct bl_bench_plan *plan, int64_t from,
                        int64_t count, struct bl_arena *arena, struct made *made,
                        struct bl_why *why) {
  struct bl_command answers[AT_ONCE] = {{0}};
  char name[256];
  int32_t first = line->opaque + 1;
  for (int64_t i = 0; i < count; i++) {
    struct bl_topic_name_header header = {
        .topic = bl_slice_of(name, bl_bench_topic_name(plan, from + i, name))};
    bl_bench_line_put(line, REQUEST_GET_TOPIC_CONFIG, &bl_topic_name_table, &header);
  }
  bl_err err = exchange(line, arena, first, count, answers, why);
  if (err != BL_OK) return err;
  int64_t asked = 0;
  first = line->opaque + 1;
  for (int64_t i = 0; i < count; i++) {
    bool there = answers[i].code == 0;
    if (there && topic_number(&answers[i], "writeQueueNums", INT64_MAX, arena) >= plan->queues)
      continue;
    put_create(line, plan, from + i);
    made->widened += there;
    made->created += !there;
    asked++;
  }
  if (asked == 0) return BL_OK;
  err = exchange(line, arena, first, asked, answers, why);
  for (int64_t i = 0; err == BL_OK && i < asked; i++) {
    if (answers[i].code == 0) continue;
    made->refused++;
    made->code = answers[i].code;
    snprintf(made->remark, sizeof(made->remark), "%.*s", BL_FMT(answers[i].remark));
  }
  return err;
}

static void say(const struct bl_bench_plan *plan, const struct made *made) {
  const char *what = plan->topics > 1 ? "topics" : "topic";
  if (made->refused > 0) {
    fprintf(stderr,
            "bolide bench: the broker answered %d when asked to make %s %s (%s); the first send "
            "may make it from TBW102.\n",
            made->code, what, plan->topic, made->remark);
    return;
  }
  if (made->created > 0)
    fprintf(stderr, "bolide bench: made %s %s %s with %lld queue%s.\n",
            bl_progress_number(made->created), what, plan->topic, (long long)plan->queues,
            plan->queues == 1 ? "" : "s");
  if (made->widened > 0)
    fprintf(stderr, "bolide bench: gave %s %s %s the %lld queues it lacked.\n",
            bl_progress_number(made->widened), what, plan->topic, (long long)plan->queues);
}

bl_err bl_bench_target_topics(const struct bl_bench_plan *plan,
                              const struct bl_bench_target *target, struct bl_why *why) {
  struct bl_bench_line line;
  struct bl_arena arena;
  struct made made = {0};
  bl_arena_init(&arena);
  bl_err err = bl_bench_line_open(&line, target->server, why);
  for (int64_t from = 0; err == BL_OK && from < plan->topics; from += AT_ONCE) {
    int64_t count = plan->topics - from < AT_ONCE ? plan->topics - from : AT_ONCE;
    err = make_some(&line, plan, from, count, &arena, &made, why);
    bl_arena_reset(&arena);
  }
  bl_bench_line_close(&line);
  bl_arena_fini(&arena);
  if (err == BL_OK) say(plan, &made);
  return err;
}

bl_err bl_bench_target_queues(const struct bl_bench_plan *plan,
                              const struct bl_bench_target *target, int64_t *out_queues,
                              struct bl_why *why) {
  struct bl_bench_line line;
  struct bl_arena arena;
  struct bl_command answer = {0};
  struct bl_topic_name_header header = {.topic = bl_slice_text(plan->topic)};
  bl_arena_init(&arena);
  bl_err err = bl_bench_line_open(&line, target->server, why);
  if (err == BL_OK) {
    bl_bench_line_put(&line, REQUEST_GET_TOPIC_CONFIG, &bl_topic_name_table, &header);
    err = exchange(&line, &arena, line.opaque, 1, &answer, why);
  }
  if (err == BL_OK && answer.code != 0) {
    err = bl_why_set(why, BL_ERR_NO_TOPIC, "%s answered %d when asked for topic %s: %.*s",
                     target->server, answer.code, plan->topic, BL_FMT(answer.remark));
  }
  if (err == BL_OK) *out_queues = topic_number(&answer, "readQueueNums", QUEUES_UNKNOWN, &arena);
  bl_bench_line_close(&line);
  bl_arena_fini(&arena);
  return err;
}

static bl_err ask_ends(struct bl_bench_line *line, const struct bl_bench_plan *plan, int64_t from,
                       int64_t count, struct bl_arena *arena, int64_t *out_ends,
                       struct bl_why *why) {
  struct bl_command answers[AT_ONCE] = {{0}};
  int32_t first = line->opaque + 1;
  for (int64_t i = 0; i < count; i++) {
    struct bl_get_max_offset_header header = {.topic = bl_slice_text(plan->topic),
                                              .queue_id = (int32_t)(from + i)};
    bl_bench_line_put(line, REQUEST_GET_MAX_OFFSET, &bl_get_max_offset_table, &header);
  }
  bl_err err = exchange(line, arena, first, count, answers, why);
  for (int64_t i = 0; err == BL_OK && i < count; i++) {
    struct bl_offset_reply_header reply = {0};
    int64_t queue_id = from + i;
    if (answers[i].code == 0)
      err = bl_header_decode(&bl_offset_reply_table, &answers[i], &reply, why);
    else
      err = bl_why_set(why, BL_ERR_SYSTEM, "the broker answered %d to the end of queue %lld: %.*s",
                       answers[i].code, (long long)queue_id, BL_FMT(answers[i].remark));
    out_ends[queue_id] = reply.offset;
  }
  return err;
}

bl_err bl_bench_target_ends(const struct bl_bench_plan *plan, const struct bl_bench_target *target,
                            int64_t count, int64_t *out_ends, struct bl_why *why) {
  struct bl_bench_line line;
  struct bl_arena arena;
  bl_arena_init(&arena);
  bl_err err = bl_bench_line_open(&line, target->server, why);
  for (int64_t from = 0; err == BL_OK && from < count; from += AT_ONCE) {
    err = ask_ends(&line, plan, from, count - from < AT_ONCE ? count - from : AT_ONCE, &arena,
                   out_ends, why);
    bl_arena_reset(&arena);
  }
  bl_bench_line_close(&line);
  bl_arena_fini(&arena);
  return err;
}
