/* The table of GET_BROKER_RUNTIME_INFO: RocketMQ's keys with our figures. Where RocketMQ has thread
 * pools with queues we have none, so their sizes are 0, but for sends that wait for room in the
 * log. */
#include <stdio.h>

#include "broker/assign/parts.h"
#include "broker/broker.h"
#include "broker/delay/delay.h"
#include "broker/members/views.h"
#include "broker/retention/retention.h"
#include "broker/runtime/runtime.h"
#include "broker/send/light.h"
#include "broker/transaction/transaction.h"
#include "remoting/remoting.h"

#define TRANSACTION_TOPICS_SHOWN 16
#define CODE_PULL 11
#define US_PER_MS 1000
#define DISAGREEMENTS_SHOWN 20

struct table {
  struct bl_json_writer w;
  struct bl_buf text; /* of the value being made */
};

static void put_text(struct table *table, const char *key, const char *text) {
  bl_json_member_text(&table->w, key, bl_slice_text(text));
}

static void put_i64(struct table *table, const char *key, int64_t value) {
  char text[24];
  snprintf(text, sizeof(text), "%lld", (long long)value);
  put_text(table, key, text);
}

/* As Double#toString. */
static void append_double(struct bl_buf *out, double value) {
  struct bl_json_writer w = bl_json_writer_of(out, false);
  bl_json_put_double(&w, value);
}

static void put_double(struct table *table, const char *key, double value) {
  bl_buf_clear(&table->text);
  append_double(&table->text, value);
  bl_json_member_text(&table->w, key, bl_buf_slice(&table->text));
}

static void put_ms(struct table *table, const char *key, uint64_t us) {
  char text[32];
  snprintf(text, sizeof(text), "%.2f", (double)us / US_PER_MS);
  put_text(table, key, text);
}

void bl_runtime_put_bytes(struct bl_buf *out, int64_t bytes) {
  static const char units[] = "KMGTPE";
  if (bytes < 1024) {
    bl_buf_printf(out, "%lld B", (long long)bytes);
    return;
  }
  int unit = 0;
  double value = (double)bytes / 1024;
  while (value >= 1024 && unit < 5) {
    value /= 1024;
    unit++;
  }
  bl_buf_printf(out, "%.1f %ciB", value, units[unit]);
}

/* Over 10, 60 and 600 seconds; of two rates together when `more` is given. */
static void put_tps(struct table *table, const char *key, const struct bl_rate *rate,
                    const struct bl_rate *more) {
  static const size_t seconds[] = {10, 60, 600};
  bl_buf_clear(&table->text);
  for (int i = 0; i < 3; i++) {
    double per_second = bl_rate_per_second(rate, seconds[i]);
    if (more != NULL) per_second += bl_rate_per_second(more, seconds[i]);
    if (i > 0) bl_buf_put_char(&table->text, ' ');
    append_double(&table->text, per_second);
  }
  bl_json_member_text(&table->w, key, bl_buf_slice(&table->text));
}

/* How many sends took how long, in RocketMQ's classes. */
static void put_distribution(struct table *table, const struct bl_histogram *histogram) {
  static const struct {
    const char *name;
    uint64_t below_us;
  } classes[] = {{"<=0ms", 1000},       {"0~10ms", 10000},     {"10~50ms", 50000},
                 {"50~100ms", 100000},  {"100~200ms", 200000}, {"200~500ms", 500000},
                 {"500ms~1s", 1000000}, {"1~2s", 2000000},     {"2~3s", 3000000},
                 {"3~4s", 4000000},     {"4~5s", 5000000},     {"5~10s", 10000000},
                 {"10s~", UINT64_MAX}};
  size_t bucket = 0;
  bl_buf_clear(&table->text);
  for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
    uint64_t count = 0;
    while (bucket < BL_HISTOGRAM_BUCKETS &&
           bl_histogram_bucket_end_us(bucket) < classes[i].below_us) {
      count += histogram->counts[bucket++];
    }
    bl_buf_printf(&table->text, "[%s]:%llu ", classes[i].name, (unsigned long long)count);
  }
  bl_json_member_text(&table->w, "putMessageDistributeTime", bl_buf_slice(&table->text));
}

static int64_t max_pull_ms(const struct bl_broker *broker) {
  if (broker->remoting == NULL) return 0;
  size_t count = bl_remoting_request_count(broker->remoting);
  for (size_t i = 0; i < count; i++) {
    const struct bl_request *request = bl_remoting_request(broker->remoting, i);
    if (request->code != CODE_PULL || (request->roles & BL_ROLE_BROKER) == 0) continue;
    return bl_remoting_stats(broker->remoting, i)->max_ns / 1000000;
  }
  return 0;
}

static void put_runtime(struct table *table, int64_t ms) {
  char text[96];
  snprintf(text, sizeof(text), "[ %lld days, %lld hours, %lld minutes, %lld seconds ]",
           (long long)(ms / 86400000), (long long)(ms / 3600000 % 24), (long long)(ms / 60000 % 60),
           (long long)(ms / 1000 % 60));
  put_text(table, "runtime", text);
}

static void put_sends(struct table *table, struct bl_runtime *runtime) {
  const struct bl_broker_stats *stats = &runtime->broker->stats;
  int64_t total = stats->put_count;
  put_i64(table, "putMessageEntireTimeMax", (int64_t)(stats->put_us.max_us / US_PER_MS));
  put_i64(table, "putMessageTimesTotal", total);
  put_i64(table, "putMessageFailedTimes", stats->put_failed);
  put_i64(table, "retriesSentBack", stats->sent_back);
  put_i64(table, "deadLetters", stats->dead_letters);
  put_i64(table, "queueLocks", runtime->broker->locks.count);
  put_i64(table, "queueLocksMax", BL_LOCKS_MAX);
  put_i64(table, "putMessageSizeTotal", stats->put_bytes);
  put_double(table, "putMessageAverageSize",
             total > 0 ? (double)stats->put_bytes / (double)total : 0);
  put_distribution(table, &stats->put_us);
  put_ms(table, "putLatency99", bl_histogram_percentile_us(&stats->put_us, 99));
  put_ms(table, "putLatency999", bl_histogram_percentile_us(&stats->put_us, 99.9));
  put_tps(table, "putTps", &runtime->put, NULL);
  put_i64(table, "msgPutTotalYesterdayMorning", stats->put_yesterday_start);
  put_i64(table, "msgPutTotalTodayMorning", stats->put_today_start);
  put_i64(table, "msgPutTotalTodayNow", total);
}

static void put_gets(struct table *table, struct bl_runtime *runtime) {
  const struct bl_broker_stats *stats = &runtime->broker->stats;
  put_i64(table, "getMessageEntireTimeMax", max_pull_ms(runtime->broker));
  put_tps(table, "getFoundTps", &runtime->found, NULL);
  put_tps(table, "getMissTps", &runtime->missed, NULL);
  put_tps(table, "getTotalTps", &runtime->found, &runtime->missed);
  put_tps(table, "getTransferredTps", &runtime->transferred, NULL);
  put_i64(table, "msgGetTotalYesterdayMorning", stats->get_yesterday_start);
  put_i64(table, "msgGetTotalTodayMorning", stats->get_today_start);
  put_i64(table, "msgGetTotalTodayNow", stats->get_count);
}

static void put_disk(struct table *table, const struct bl_broker *broker) {
  const char *dir = broker->settings->store_dir;
  int64_t total = 0;
  int64_t left = 0;
  double ratio = -1;
  char key[4200];
  bl_err err = broker->disk->ops->space(broker->disk, dir, &total, &left);
  if (err == BL_OK && total > 0) {
    int64_t percent = (total - left) * 100 / total;
    ratio = (double)percent / 100;
  }
  put_double(table, "commitLogDiskRatio", ratio);
  snprintf(key, sizeof(key), "commitLogDiskRatio_%s/commitlog", dir);
  put_double(table, key, ratio);
  put_double(table, "consumeQueueDiskRatio", ratio);
  bl_buf_clear(&table->text);
  bl_buf_put_text(&table->text, "Total : ");
  bl_runtime_put_bytes(&table->text, total);
  bl_buf_put_text(&table->text, ", Free : ");
  bl_runtime_put_bytes(&table->text, left);
  bl_buf_put_text(&table->text, ".");
  bl_json_member_text(&table->w, "commitLogDirCapacity", bl_buf_slice(&table->text));
}

static void put_store(struct table *table, const struct bl_broker *broker) {
  struct bl_store_marks marks = bl_store_marks(broker->store);
  struct bl_store_stats stats;
  bl_store_stats(broker->store, &stats);
  put_i64(table, "commitLogMinOffset", marks.min_offset);
  put_i64(table, "commitLogMaxOffset", marks.appended);
  put_i64(table, "earliestMessageTimeStamp", stats.first_store_ms > 0 ? stats.first_store_ms : -1);
  put_i64(table, "dispatchBehindBytes", marks.appended - marks.visible);
  put_i64(table, "dispatchMaxBuffer", 0);
  put_i64(table, "pageCacheLockTimeMills", 0);
  put_i64(table, "remainTransientStoreBufferNumbs", INT32_MAX); /* as RocketMQ without that pool */
  bl_buf_clear(&table->text);
  bl_runtime_put_bytes(&table->text, marks.appended - marks.written);
  bl_json_member_text(&table->w, "remainHowManyDataToCommit", bl_buf_slice(&table->text));
  bl_buf_clear(&table->text);
  bl_runtime_put_bytes(&table->text, marks.appended - marks.flushed);
  bl_json_member_text(&table->w, "remainHowManyDataToFlush", bl_buf_slice(&table->text));
}

/* What retention did, and what it may not take because topics keep it longer. */
static void put_retention(struct table *table, const struct bl_broker *broker) {
  const struct bl_retention *retention = broker->retention;
  struct bl_why why = {""};
  put_i64(table, "retentionRemovedFiles", retention->removed_files);
  put_i64(table, "retentionRemovedBytes", retention->removed_bytes);
  put_i64(table, "retentionPinnedBytes", retention->pinned_bytes);
  bool refused = bl_retention_may_send(retention, &why) != BL_OK;
  if (!refused && bl_store_full(broker->store, NULL)) {
    refused = true;
    (void)bl_retention_full(retention, BL_ERR_NO_SPACE, &why);
  }
  put_text(table, "diskFull", refused ? why.text : "false");
}

/* Reads from the disk for pulls and questions: what bounds them, and how often it did. */
static void put_cold(struct table *table, const struct bl_broker *broker) {
  const struct bl_holds *holds = &broker->holds;
  struct bl_cold_stats cold;
  bl_store_cold_stats(broker->store, &cold);
  put_i64(table, "holds", holds->count);
  put_i64(table, "holdsMax", broker->settings->holds_max);
  put_i64(table, "holdsMaxPerClient", broker->settings->holds_per_conn_max);
  put_i64(table, "holdsFilterBytes", holds->filter_bytes);
  put_i64(table, "holdsFilterBytesMax", holds->filter_bytes_max);
  put_i64(table, "holdsRefused", holds->refused);
  put_i64(table, "questionsWaiting", broker->stats.questions);
  put_i64(table, "questionsRefused", broker->stats.questions_refused);
  put_i64(table, "coldPullsReading", holds->reading);
  put_i64(table, "coldPullsReadingMax", BL_COLD_READING_MAX);
  put_i64(table, "coldPullsWaiting", holds->cold_waiting);
  put_i64(table, "coldPullsWaitedForLimit", holds->cold_waits);
  put_i64(table, "coldPullsBusy", holds->cold_late);
  put_i64(table, "coldReads", cold.reads);
  put_i64(table, "coldReadsAhead", cold.ahead_reads);
  put_i64(table, "coldReadBytes", cold.bytes);
  put_i64(table, "coldReadErrors", cold.errors);
  put_i64(table, "coldReadsWaiting", cold.waiting);
  put_i64(table, "coldReadsWaitedForLimit", cold.waits);
  put_i64(table, "coldReadMemoryBytes", cold.memory_bytes);
  put_i64(table, "coldReadMemoryMaxBytes", broker->settings->cold_bytes);
}

/* Half messages, also of the first topics that have some. */
static void put_transactions(struct table *table, const struct bl_broker *broker) {
  const struct bl_transaction_stats *stats = bl_transaction_stats(broker->transactions);
  struct bl_halves_stats halves;
  bl_halves_stats(broker->halves, &halves);
  put_i64(table, "transactionsOpen", halves.open);
  put_i64(table, "transactionsRemembered", halves.remembered);
  put_i64(table, "transactionsCommitted", halves.committed);
  put_i64(table, "transactionsRolledBack", halves.rolled_back);
  put_i64(table, "transactionsGivenUp", stats->discarded);
  put_i64(table, "transactionEndsRepeated", stats->repeated);
  put_i64(table, "transactionEndsRefused", stats->refused);
  put_i64(table, "transactionChecks", stats->checks);
  put_i64(table, "transactionChecksUnasked", stats->checks_unasked);
  put_i64(table, "transactionMemoryBytes", halves.memory_bytes);
  char key[BL_TOPIC_SPECIAL_BYTES_MAX + 32];
  const struct bl_half_name *topic;
  size_t cursor = 0;
  int shown = 0;
  while (shown < TRANSACTION_TOPICS_SHOWN &&
         (topic = bl_halves_next_topic(broker->halves, &cursor)) != NULL) {
    if (topic->open == 0) continue;
    snprintf(key, sizeof(key), "transactionsOpen_%.*s", BL_FMT(topic->text));
    put_i64(table, key, topic->open);
    shown++;
  }
}

/* Delayed messages. */
static void put_delays(struct table *table, const struct bl_broker *broker) {
  const struct bl_delay_stats *stats = bl_delay_stats(broker->delay);
  struct bl_pending_stats pending;
  bl_pending_stats(broker->pending, &pending);
  put_i64(table, "timersWaiting", pending.count);
  put_i64(table, "timersNear", pending.near_count);
  put_i64(table, "timersFar", pending.far_count);
  put_i64(table, "timersOnDisk", pending.disk_count);
  put_i64(table, "timersFiles", pending.files);
  put_i64(table, "timersInFlight", pending.in_flight);
  put_i64(table, "timersPutOff", pending.parked);
  put_i64(table, "timersPutOffMax", BL_PENDING_PARKED_MAX);
  put_i64(table, "timersMemoryBytes", pending.memory_bytes);
  put_i64(table, "timersBodyBytes", pending.body_bytes);
  put_i64(table, "timersBodyMaxBytes", broker->settings->timer_memory_bytes);
  put_i64(table, "timersDelivered", stats->delivered);
  put_i64(table, "timersCancelled", stats->cancelled);
  put_i64(table, "timersDroppedByOperators", stats->dropped);
  put_i64(table, "timersMovedByOperators", stats->moved);
  put_i64(table, "timersRolled", stats->rolled);
  put_i64(table, "timersLost", stats->lost);
  put_i64(table, "timersColdReads", stats->cold_reads);
  put_i64(table, "timersBlocked", stats->blocked);
  put_ms(table, "timersLateMs99", bl_histogram_percentile_us(&stats->late_us, 99));
  put_ms(table, "timersLateMsMax", stats->late_us.max_us);
}

/* SQL92: expressions that were compiled, and what pulls looked at by them. */
static void put_filters(struct table *table, const struct bl_broker *broker) {
  const struct bl_filter_cache *cache = &broker->filters;
  put_i64(table, "filtersCompiled", cache->compiled);
  put_i64(table, "filtersRefused", cache->refused);
  put_i64(table, "filtersCached", (int64_t)cache->by_text.count);
  put_i64(table, "filtersCachedMax", BL_FILTER_CACHE_COUNT_MAX);
  put_i64(table, "filtersCachedBytes", cache->bytes);
  put_i64(table, "filtersCachedMaxBytes", BL_FILTER_CACHE_BYTES_MAX);
  put_i64(table, "filterMessagesLooked", broker->stats.filter_looked);
  put_i64(table, "filterMessagesPassed", broker->stats.filter_passed);
  put_i64(table, "filterPullsCut", broker->stats.filter_cuts);
}

/* Groups whose members want different things, some of them, and who wants what. */
static void put_disagreements(struct table *table, const struct bl_members *members) {
  char key[BL_GROUP_BYTES_MAX + 32];
  int shown = 0;
  put_i64(table, "groupsWithDifferentSubscriptions", members->disagreeing_count);
  for (struct bl_list *node = members->disagreeing.next;
       node != &members->disagreeing && shown < DISAGREEMENTS_SHOWN; node = node->next, shown++) {
    const struct bl_member_group *group =
        BL_CONTAINER(node, struct bl_member_group, in_disagreeing);
    snprintf(key, sizeof(key), "differentSubscriptions_%.*s", BL_FMT(group->name));
    bl_buf_clear(&table->text);
    bl_views_describe(group, &table->text);
    bl_json_member_text(&table->w, key, bl_buf_slice(&table->text));
  }
}

/* Who is here, and the limits of that. */
static void put_members(struct table *table, const struct bl_broker *broker) {
  const struct bl_members *members = &broker->members;
  put_i64(table, "clients", members->client_count);
  put_i64(table, "consumerGroupsWithMembers", (int64_t)members->consumers.count);
  put_i64(table, "producerGroupsWithMembers", (int64_t)members->producers.count);
  put_i64(table, "groupsWithMembersMax", BL_MEMBER_GROUPS_MAX);
  put_i64(table, "groupMembersMax", broker->settings->group_members_max);
  put_i64(table, "clientGroupsMax", BL_CLIENT_GROUPS_MAX);
  put_i64(table, "clientSubscriptionsMax", BL_CLIENT_SUBSCRIPTIONS_MAX);
  put_i64(table, "heartbeatsRefused", members->refused);
  put_i64(table, "membershipNotices", members->notices);
  put_i64(table, "groups", (int64_t)broker->groups.table.map.count);
  put_i64(table, "groupsMax", broker->groups.limit);
  put_i64(table, "consumerOffsets", broker->offsets.slots);
  put_i64(table, "consumerOffsetsMax", broker->offsets.slots_max);
  put_i64(table, "consumerOffsetResetsPending", broker->offsets.resets);
  put_i64(table, "messageRequestModes", broker->request_modes.count);
  put_i64(table, "messageRequestModesMax", BL_REQUEST_MODES_MAX);
  put_i64(table, "statsSeries", broker->series.count);
  put_i64(table, "statsSeriesMax", BL_SERIES_MAX);
  put_i64(table, "statsSeriesRefused", broker->series.refused);
  put_i64(table, "assignmentTopics", bl_part_finder_topics(broker->part_finder));
  put_i64(table, "assignmentTopicsMax", BL_PARTS_TOPICS_MAX);
  put_disagreements(table, members);
}

/* Keys of topics with a dedup.window. */
static void put_dedup(struct table *table, const struct bl_broker *broker) {
  struct bl_dedup_stats stats;
  bl_dedup_stats(broker->dedup, &stats);
  put_i64(table, "dedupKeys", stats.keys);
  put_i64(table, "dedupKeysMax", stats.keys_max);
  put_i64(table, "dedupKeysForgotten", stats.forgotten);
  put_i64(table, "dedupMemoryBytes", stats.memory_bytes);
  put_i64(table, "dedupParts", stats.parts);
  put_i64(table, "dedupDuplicates", broker->duplicates.count);
}

static void put_ttl(struct table *table, const struct bl_broker *broker) {
  struct bl_expiry_stats stats;
  bl_expiry_stats(broker->expiry, &stats);
  put_i64(table, "ttlPassedOver", broker->stats.ttl_passed);
  put_i64(table, "ttlWaiting", stats.waiting);
  put_i64(table, "ttlWaitingMax", stats.limit);
  put_text(table, "ttlLate", stats.late ? "true" : "false");
  put_i64(table, "ttlMoved", broker->mover.moved);
  put_i64(table, "ttlConsumedInTime", broker->mover.consumed);
  put_i64(table, "ttlLost", broker->mover.lost);
}

/* Light queues and replies: what bounds them. */
static void put_light(struct table *table, const struct bl_broker *broker) {
  const struct bl_broker_settings *settings = broker->settings;
  put_i64(table, "lightQueues", bl_queues_light_count(broker->queues));
  put_i64(table, "lightQueuesMax",
          settings->lmq_quota_enable ? settings->lmq_queues_max : BL_LIGHT_QUEUES_MAX);
  put_i64(table, "lightQueuesRefused", broker->sends.light_refused);
  put_i64(table, "repliesWaiting", broker->replies.count);
  put_i64(table, "repliesWaitingMax", BL_REPLIES_MAX);
  put_i64(table, "repliesPushed", broker->replies.pushed);
  put_i64(table, "repliesNotPushed", broker->replies.failed);
  put_i64(table, "repliesRefused", broker->replies.refused);
}

static void put_queues(struct table *table, const struct bl_broker *broker) {
  static const char *const pools[] = {"pull", "litePull", "query", "ack"};
  char key[64];
  put_i64(table, "sendThreadPoolQueueSize", broker->sends.waiting_for_room);
  put_i64(table, "sendThreadPoolQueueCapacity", BL_SEND_ROOM_WAITS_MAX);
  put_i64(table, "sendThreadPoolQueueHeadWaitTimeMills", 0);
  for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
    snprintf(key, sizeof(key), "%sThreadPoolQueueSize", pools[i]);
    put_i64(table, key, 0);
    snprintf(key, sizeof(key), "%sThreadPoolQueueCapacity", pools[i]);
    put_i64(table, key, 0);
    snprintf(key, sizeof(key), "%sThreadPoolQueueHeadWaitTimeMills", pools[i]);
    put_i64(table, key, 0);
  }
  put_i64(table, "EndTransactionQueueSize", 0);
  put_i64(table, "EndTransactionThreadPoolQueueCapacity", 0);
}

static void put_timers(struct table *table) {
  put_i64(table, "timerReadBehind", 0);
  put_i64(table, "timerOffsetBehind", 0);
  put_i64(table, "timerCongestNum", 0);
  put_double(table, "timerEnqueueTps", 0);
  put_double(table, "timerDequeueTps", 0);
}

/* How long the core was held: what design 2 promises, to be looked at. */
static void put_core(struct table *table, const struct bl_broker *broker) {
  struct bl_net_stats net;
  char key[96];
  int64_t held = 0;
  bl_net_stats(bl_remoting_net(broker->remoting), &net);
  put_i64(table, "coreTurns", net.turns);
  put_i64(table, "coreTurnsOverOneMs", net.slow_turns);
  put_i64(table, "coreTurnMaxMicros", net.turn_ns_max / 1000);
  for (size_t i = 0; i < bl_remoting_request_count(broker->remoting); i++) {
    const struct bl_request_stats *stats = bl_remoting_stats(broker->remoting, i);
    held += stats->over_200us;
    if (stats->over_200us == 0 && stats->slow_turns == 0) continue;
    const char *name = bl_remoting_request(broker->remoting, i)->name;
    snprintf(key, sizeof(key), "coreCallsOver200us_%s", name);
    put_i64(table, key, stats->over_200us);
    snprintf(key, sizeof(key), "coreTurnsOverOneMs_%s", name);
    put_i64(table, key, stats->slow_turns);
    snprintf(key, sizeof(key), "coreCallMaxMicros_%s", name);
    put_i64(table, key, stats->max_ns / 1000);
  }
  put_i64(table, "coreCallsOver200us", held);
}

void bl_runtime_write_info(struct bl_runtime *runtime, struct bl_buf *out) {
  const struct bl_broker *broker = runtime->broker;
  struct table table = {.w = bl_json_writer_of(out, false)};
  bl_buf_init(&table.text, 65536);
  bl_runtime_sample(runtime);
  bl_json_open_object(&table.w);
  bl_json_key(&table.w, "table");
  bl_json_open_object(&table.w);
  put_i64(&table, "bootTimestamp", broker->boot_ms);
  put_runtime(&table, bl_clock_wall_ms(broker->clock) - broker->boot_ms);
  put_text(&table, "brokerActive", "true");
  put_i64(&table, "brokerVersion", BL_VERSION_ORDINAL);
  put_text(&table, "brokerVersionDesc", "V5_5_0");
  put_i64(&table, "startAcceptSendRequestTimeStamp", 0); /* from the start on */
  put_sends(&table, runtime);
  put_gets(&table, runtime);
  put_store(&table, broker);
  put_disk(&table, broker);
  put_retention(&table, broker);
  put_queues(&table, broker);
  put_light(&table, broker);
  put_cold(&table, broker);
  put_filters(&table, broker);
  put_delays(&table, broker);
  put_transactions(&table, broker);
  put_dedup(&table, broker);
  put_ttl(&table, broker);
  put_members(&table, broker);
  put_timers(&table);
  put_core(&table, broker);
  bl_json_close_object(&table.w);
  bl_json_close_object(&table.w);
  bl_buf_fini(&table.text);
}
