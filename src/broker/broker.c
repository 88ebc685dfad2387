#include "broker/broker.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "broker/assign/parts.h"
#include "broker/delay/delay.h"
#include "broker/identity.h"
#include "broker/offset/light_offsets.h"
#include "broker/retention/retention.h"
#include "broker/runtime/runtime.h"
#include "broker/send/light.h"
#include "broker/system_topics.h"
#include "broker/transaction/transaction.h"
#include "net/net.h"
#include "os/process.h"
#include "remoting/remoting.h"

#define OFFSETS_INTERVAL_MS 1000
#define SNAPSHOT_LOG_BYTES (256LL << 20)
#define ZERO_AHEAD_BYTES ((int64_t)4 << 20)
#define FLUSH_LOG_BYTES (256LL << 20)

/* A deletion also ends what the topic's queues hold. */
static void apply_topic(void *context, struct bl_slice name, const struct bl_json *json,
                        int64_t log_offset) {
  struct bl_broker *broker = context;
  if (json == NULL) bl_queues_retire_topic(broker->queues, name, log_offset);
  bl_topics_apply(&broker->topics, name, json, log_offset);
}

static bl_err replace_topics(void *context, const struct bl_json *root, struct bl_why *why) {
  return bl_topics_replace(&((struct bl_broker *)context)->topics, root, why);
}

static bool write_topics(void *context, struct bl_buf *out, void **progress) {
  return bl_topics_write_step(&((struct bl_broker *)context)->topics, out, progress);
}

static void register_tables(struct bl_broker *broker) {
  struct bl_meta_table tables[] = {
      {"topic", "topics.json", broker, apply_topic, replace_topics, write_topics},
      {"group", "subscriptionGroup.json", &broker->groups, bl_groups_apply, bl_groups_replace,
       bl_groups_write_step},
      {"offset", "consumerOffset.json", &broker->offsets, bl_offsets_apply, bl_offsets_replace,
       bl_offsets_write_step},
      {"lightOffset", "lmqConsumerOffset.json", &broker->offsets, bl_light_offsets_apply,
       bl_light_offsets_replace, bl_light_offsets_write_step},
      {"mode", "messageRequestMode.json", &broker->request_modes, bl_request_modes_apply,
       bl_request_modes_replace, bl_request_modes_write_step},
      {"lock", "queueLocks.json", &broker->locks, bl_locks_apply, bl_locks_replace,
       bl_locks_write_step},
  };
  for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
    bl_meta_register(broker->meta, &tables[i]);
  }
}

static void on_offsets_timer(struct bl_timer *timer, int64_t now_ms) {
  struct bl_broker *broker = BL_CONTAINER(timer, struct bl_broker, offsets_timer);
  (void)now_ms;
  bl_broker_log_offsets(broker);
}

/* What each flush mode is better with: bench/results/log-modes.md. */
static enum bl_write_mode write_mode(const struct bl_broker_settings *settings) {
  if (settings->log_write_mode <= BL_WRITE_DIRECT)
    return (enum bl_write_mode)settings->log_write_mode;
  return (enum bl_flush_mode)settings->flush_mode == BL_FLUSH_SYNC ? BL_WRITE_DIRECT
                                                                   : BL_WRITE_BUFFERED;
}

static bl_err open_store(struct bl_broker *broker, struct bl_worker *flush_worker,
                         struct bl_why *why) {
  const struct bl_broker_settings *settings = broker->settings;
  struct bl_store_settings store = {.dir = settings->store_dir,
                                    .segment_bytes = settings->segment_bytes,
                                    .ring_bytes = settings->ring_bytes,
                                    .flush_mode = (enum bl_flush_mode)settings->flush_mode,
                                    .write_mode = write_mode(settings),
                                    .zero_ahead_bytes = ZERO_AHEAD_BYTES,
                                    .flush_interval_ms = settings->flush_interval_ms,
                                    .flush_bytes = FLUSH_LOG_BYTES,
                                    .snapshot_interval_ms = settings->snapshot_interval_ms,
                                    .snapshot_bytes = SNAPSHOT_LOG_BYTES,
                                    .cold_bytes = settings->cold_bytes,
                                    .append_crc = settings->append_crc};
  broker->followers[0] = bl_queues_follower(broker->queues);
  broker->followers[1] = bl_keys_follower(broker->keys);
  broker->followers[2] = bl_meta_follower(broker->meta);
  broker->followers[3] = bl_pending_follower(broker->pending);
  broker->followers[4] = bl_dedup_follower(broker->dedup); /* behind the tables that it asks */
  broker->followers[5] = bl_halves_follower(broker->halves);
  broker->followers[6] = bl_expiry_follower(broker->expiry);
  return bl_store_open(&store, broker->disk, broker->clock, broker->timers, flush_worker,
                       broker->pool, broker->followers, BL_BROKER_FOLLOWERS, &broker->store, why);
}

static bl_err set_delay_levels(struct bl_broker *broker, struct bl_why *why) {
  int64_t delays_ms[BL_PENDING_LEVELS_MAX];
  int count = 0;
  bl_err err =
      bl_delay_levels_parse(bl_slice_text(broker->settings->delay_levels), delays_ms, &count, why);
  if (err == BL_OK) bl_pending_set_levels(broker->pending, delays_ms, count);
  return err;
}

/* What the JSON files lack is in the log's records, where no broker of another kind looks. */
static void write_json_soon(struct bl_broker *broker) {
  struct bl_meta_stats stats;
  bl_meta_stats(broker->meta, &stats);
  if (stats.applied_records == 0 && stats.recovered_tables == 0) return;
  bl_store_snapshot_soon(broker->store, bl_meta_follower(broker->meta), 0);
}

static void resume_locks(struct bl_broker *broker) {
  struct bl_store_stats stats;
  bl_store_stats(broker->store, &stats);
  broker->locks.lease_ms = broker->settings->lock_lease_ms;
  bl_locks_resume(&broker->locks, stats.last_store_ms);
}

/* Without the queue index a queue whose messages all went would begin at 0 again, and a group that
 * is behind them would not be given new ones: it goes on where the groups are. */
static void go_on_where_groups_are(struct bl_broker *broker) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  if (!bl_queues_front_lost(broker->queues)) return;
  while ((entry = bl_map_next(&broker->offsets.table.map, &cursor)) != NULL) {
    const struct bl_offset_row *row = entry->value;
    for (int32_t i = 0; i < row->queue_slots; i++) {
      struct bl_queue *queue;
      if (row->committed[i] <= 0) continue;
      if (bl_queues_open_queue(broker->queues, row->topic, i, &queue) != BL_OK) continue;
      bl_queue_go_on_at(queue, row->committed[i]);
    }
  }
}

/* So that no change of metadata can find that there are as many queues as there may be. */
static bl_err open_meta_queue(struct bl_broker *broker, struct bl_why *why) {
  struct bl_queue *queue;
  bl_err err = bl_queues_open_queue(broker->queues, BL_SLICE(BL_META_TOPIC), 0, &queue);
  if (err == BL_OK) return BL_OK;
  return bl_why_set(why, err, "the queue of the metadata cannot be opened: %s", bl_err_text(err));
}

static void free_parts(struct bl_broker *broker) {
  bl_runtime_free(broker->runtime);
  bl_halves_free(broker->halves);
  bl_pending_free(broker->pending);
  bl_dedup_free(broker->dedup);
  bl_expiry_free(broker->expiry);
  bl_meta_free(broker->meta);
  bl_keys_free(broker->keys);
  bl_queues_free(broker->queues);
  bl_topics_fini(&broker->topics);
  bl_groups_fini(&broker->groups);
  bl_offsets_fini(&broker->offsets);
  bl_request_modes_fini(&broker->request_modes);
  bl_locks_fini(&broker->locks);
  bl_sends_fini(&broker->sends);
  bl_buf_fini(&broker->meta_scratch);
  bl_buf_fini(&broker->meta_json);
  bl_arena_fini(&broker->arenas[0]);
  bl_arena_fini(&broker->arenas[1]);
  free(broker);
}

/* What remembers messages for as long as their topics say. */
static void make_windows(struct bl_broker *broker, const struct bl_broker_world *world) {
  const char *dir = world->settings->store_dir;
  struct bl_dedup_topics windows = {&broker->topics.deduped, bl_duplicate_window_ms, broker};
  broker->dedup = bl_dedup_new(dir, world->disk, world->pool, world->clock, &windows, world->seed);
  bl_dedup_set_limit(broker->dedup, world->settings->dedup_keys_max);
  struct bl_expiry_topics moves = {&broker->topics.moving, bl_mover_moves, broker};
  broker->expiry = bl_expiry_new(dir, world->disk, &moves, world->settings->ttl_waiting_max);
}

bl_err bl_broker_open(const struct bl_broker_world *world, struct bl_broker **out_broker,
                      struct bl_why *why) {
  struct bl_broker *broker = calloc(1, sizeof(*broker));
  BL_ASSERT(broker != NULL);
  broker->settings = world->settings;
  broker->clock = world->clock;
  broker->timers = world->timers;
  broker->disk = world->disk;
  broker->pool = world->pool;
  broker->remoting = world->remoting;
  broker->random_state = world->seed;
  broker->boot_ms = bl_clock_wall_ms(world->clock);
  /* Until bl_broker_set_address: a record has an address. */
  broker->store_host = (struct bl_host){.addr = {127, 0, 0, 1}, .addr_bytes = 4};
  const char *dir = world->settings->store_dir;
  broker->queues = bl_queues_new(dir, world->disk, world->pool);
  broker->keys = bl_keys_new(dir, world->disk, world->pool);
  broker->meta = bl_meta_new(dir, world->disk);
  broker->pending = bl_pending_new(dir, world->disk, world->pool);
  broker->halves = bl_halves_new(dir, world->disk);
  make_windows(broker, world);
  bl_topics_init(&broker->topics, world->clock);
  bl_groups_init(&broker->groups, world->clock);
  if (world->settings->lmq_enable) {
    bl_topics_serve_light(&broker->topics);
    bl_groups_serve_light(&broker->groups);
  }
  bl_offsets_init(&broker->offsets, world->clock);
  bl_request_modes_init(&broker->request_modes);
  bl_locks_init(&broker->locks, world->clock);
  bl_sends_init(&broker->sends);
  bl_replies_init(&broker->replies);
  bl_buf_init(&broker->meta_scratch, 1 << 20);
  bl_buf_init(&broker->meta_json, 1 << 20);
  bl_arena_init(&broker->arenas[0]);
  bl_arena_init(&broker->arenas[1]);
  register_tables(broker);
  bl_err err = set_delay_levels(broker, why);
  if (err == BL_OK) err = open_store(broker, world->flush_worker, why);
  if (err == BL_OK) {
    err = bl_meta_replay_done(broker->meta, bl_store_marks(broker->store).appended, why);
    if (err == BL_OK) resume_locks(broker);
    if (err == BL_OK) go_on_where_groups_are(broker);
    if (err == BL_OK) err = open_meta_queue(broker, why);
    if (err == BL_OK) err = bl_identity_load(broker, why);
    if (err != BL_OK) bl_store_close(broker->store);
  }
  if (err != BL_OK) {
    free_parts(broker);
    return err;
  }
  broker->runtime = bl_runtime_new(broker);
  bl_series_pool_init(&broker->series, broker);
  bl_filter_cache_init(&broker->filters);
  bl_members_init(broker);
  broker->part_finder = bl_part_finder_new(broker);
  bl_holds_init(broker);
  bl_duplicates_init(broker);
  bl_mover_init(broker);
  bl_system_topics_make(broker);
  write_json_soon(broker);
  broker->retention = bl_retention_new(broker);
  broker->delay = bl_delay_new(broker);
  broker->transactions = bl_transactions_new(broker, broker->halves);
  broker->offsets_timer.fire = on_offsets_timer;
  *out_broker = broker;
  return BL_OK;
}

void bl_broker_close(struct bl_broker *broker) {
  if (broker == NULL) return;
  broker->closing = true;
  bl_delay_stop(broker->delay);
  bl_transactions_stop(broker->transactions);
  bl_timer_cancel(broker->timers, &broker->offsets_timer);
  bl_broker_log_offsets(broker);
  bl_queues_stop_reading(broker->queues);
  bl_store_stop_reading(broker->store);
  bl_worker_finish(broker->pool);
  bl_delay_free(broker->delay);
  bl_transactions_free(broker->transactions);
  bl_retention_free(broker->retention);
  bl_replies_stop(broker);
  bl_holds_fini(broker);
  bl_duplicates_fini(broker);
  bl_mover_fini(broker);
  bl_members_fini(broker);
  bl_part_finder_free(broker->part_finder);
  bl_series_pool_fini(&broker->series);
  bl_filter_cache_fini(&broker->filters);
  bl_store_close(broker->store);
  free_parts(broker);
}

void bl_broker_set_address(struct bl_broker *broker, const struct bl_host *host) {
  broker->store_host = *host;
  bl_host_text(host, broker->address);
  uint8_t addr[4];
  memcpy(addr, host->addr, 4);
  bl_uniqkey_init(&broker->uniqkeys, addr, (uint16_t)bl_process_pid(),
                  bl_broker_random(broker, UINT32_MAX));
}

/* Producers that ask for the route find other brokers. */
static void tell_stopped(struct bl_broker *broker) {
  broker->store_stopped = true;
  bl_version_next(&broker->topics.table.version, bl_clock_wall_ms(broker->clock));
  if (broker->on_topics_changed != NULL) broker->on_topics_changed(broker->topics_changed_context);
}

bool bl_broker_turn(struct bl_broker *broker) {
  if (!bl_list_empty(&broker->offsets.changed) && broker->offsets_timer.place == 0) {
    bl_timer_set(broker->timers, &broker->offsets_timer,
                 bl_clock_mono_ms(broker->clock) + OFFSETS_INTERVAL_MS);
  }
  bl_runtime_turn(broker->runtime);
  bl_series_turn(&broker->series);
  if (!broker->store_stopped && bl_store_failed(broker->store, NULL)) tell_stopped(broker);
  bool more = bl_delay_turn(broker->delay);
  more = bl_transactions_turn(broker->transactions) || more;
  more = bl_store_end_turn(broker->store) || more;
  more = bl_mover_turn(broker) || more;
  more = bl_holds_turn(broker) || more;
  more = bl_retention_turn(broker->retention) || more;
  /* What this turn answered is written after we return; what the last one did is on its way
   * already. */
  broker->arena_now ^= 1;
  bl_arena_reset(bl_broker_arena(broker));
  return more;
}

void bl_broker_conn_closed(void *broker, struct bl_conn *conn) {
  bl_members_conn_closed(broker, conn);
  bl_holds_conn_closed(broker, bl_conn_id(conn));
}

bl_err bl_broker_open_queue(struct bl_broker *broker, struct bl_topic *topic, int32_t queue_id,
                            struct bl_queue **out_queue) {
  if (queue_id < topic->queue_slots && topic->queues[queue_id] != NULL) {
    *out_queue = topic->queues[queue_id];
    return BL_OK;
  }
  struct bl_queue *queue = NULL;
  bool light = bl_topic_is_light(&broker->topics, topic);
  bl_err err = light ? bl_light_open(broker, topic->name, out_queue)
                     : bl_queues_open_queue(broker->queues, topic->name, queue_id, &queue);
  if (err != BL_OK || light) return err;
  if (queue_id >= topic->queue_slots) {
    int32_t slots = topic->queue_slots < 4 ? 4 : topic->queue_slots * 2;
    if (slots <= queue_id) slots = queue_id + 1;
    topic->queues = realloc(topic->queues, (size_t)slots * sizeof(struct bl_queue *));
    BL_ASSERT(topic->queues != NULL);
    memset(topic->queues + topic->queue_slots, 0,
           (size_t)(slots - topic->queue_slots) * sizeof(struct bl_queue *));
    topic->queue_slots = slots;
  }
  topic->queues[queue_id] = queue;
  *out_queue = queue;
  return BL_OK;
}

struct bl_queue *bl_broker_queue(struct bl_broker *broker, struct bl_topic *topic,
                                 int32_t queue_id) {
  if (queue_id >= 0 && queue_id < topic->queue_slots && topic->queues[queue_id] != NULL) {
    return topic->queues[queue_id];
  }
  return bl_queues_find(broker->queues, topic->name, queue_id);
}

/* splitmix64: queue choices need spread, not secrecy. */
uint32_t bl_broker_random(struct bl_broker *broker, uint32_t below) {
  uint64_t z = broker->random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return (uint32_t)((z >> 32) * below >> 32);
}
