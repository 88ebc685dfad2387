/* What a broker is: topics, groups, offsets, members, the store, and what may be done with them; no
 * wire format in it. Everything belongs to the core thread. */
#ifndef BOLIDE_BROKER_BROKER_H
#define BOLIDE_BROKER_BROKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/timer.h"
#include "broker/assign/modes.h"
#include "broker/dedup/duplicate.h"
#include "broker/filter/cache.h"
#include "broker/group/groups.h"
#include "broker/lock/locks.h"
#include "broker/members/members.h"
#include "broker/offset/offsets.h"
#include "broker/pull/holds.h"
#include "broker/reply/reply.h"
#include "broker/runtime/series.h"
#include "broker/send/send.h"
#include "broker/settings.h"
#include "broker/stats.h"
#include "broker/topic/topics.h"
#include "broker/ttl/mover.h"
#include "os/clock.h"
#include "os/disk.h"
#include "os/worker.h"
#include "store/dedup/dedup.h"
#include "store/expiry/expiry.h"
#include "store/halves/halves.h"
#include "store/keys/keys.h"
#include "store/meta/meta.h"
#include "store/queues/queues.h"
#include "store/store.h"
#include "store/timers/pending.h"
#include "wire/host.h"
#include "wire/msgid.h"

struct bl_part_finder;
struct bl_remoting;
struct bl_retention;
struct bl_runtime;
struct bl_delay;
struct bl_transactions;

#define BL_BROKER_FOLLOWERS 7
#define BL_ADDRESS_BYTES_MAX 288

struct bl_broker {
  struct bl_broker_settings *settings;
  const struct bl_clock *clock;
  struct bl_timers *timers;
  struct bl_disk *disk;
  struct bl_worker *pool;
  struct bl_remoting *remoting;
  struct bl_store *store;
  struct bl_queues *queues;
  struct bl_keys *keys;
  struct bl_meta *meta;
  struct bl_dedup *dedup;
  struct bl_expiry *expiry;
  struct bl_pending *pending;
  struct bl_halves *halves;
  struct bl_follower
      *followers[BL_BROKER_FOLLOWERS]; /* of the log, in the order in which they see records */
  struct bl_topics topics;
  struct bl_groups groups;
  struct bl_offsets offsets;
  struct bl_members members;
  struct bl_request_modes request_modes;
  struct bl_part_finder *part_finder; /* where the queues of topics are */
  struct bl_filter_cache filters;
  struct bl_holds holds;
  struct bl_locks locks;
  struct bl_sends sends;
  struct bl_duplicates duplicates;
  struct bl_mover mover;
  struct bl_replies replies;
  struct bl_broker_stats stats;
  struct bl_series_pool series;
  struct bl_runtime *runtime; /* rates and runtime info */
  struct bl_retention *retention;
  struct bl_delay *delay;
  struct bl_transactions *transactions;
  struct bl_uniqkey uniqkeys;
  struct bl_host store_host;          /* brokerIP1:port, in every record and message id */
  char address[BL_ADDRESS_BYTES_MAX]; /* what is registered: the same as text, or what is advertised
                                       */
  int64_t boot_ms;
  uint64_t random_state; /* of queue choices; seeded by the owner */
  struct bl_timer offsets_timer;
  bool closing;
  bool store_stopped;        /* after an I/O error of the log, and name servers were told */
  struct bl_arena arenas[2]; /* answers of this turn, and of the last one until it is written */
  int arena_now;
  struct bl_buf meta_scratch;
  struct bl_buf meta_json;
  /* Called when the topic table changed: registration follows. May be NULL. */
  void (*on_topics_changed)(void *context);
  void *topics_changed_context;
  /* The route of a topic (TopicRouteData JSON) from a name server in this process, or the absent
   * slice; BORROWED until the next call. NULL: there is none. */
  struct bl_slice (*find_route)(void *context, struct bl_slice topic);
  void *find_route_context;
};

struct bl_broker_world {
  struct bl_broker_settings *settings; /* BORROWED for the broker's life */
  const struct bl_clock *clock;
  struct bl_timers *timers;
  struct bl_disk *disk;
  struct bl_worker *flush_worker;
  struct bl_worker *pool;
  struct bl_remoting *remoting;
  uint64_t seed;
};

/* Opens the store and loads everything. RETURNS OWNED. Errors with a sentence: as bl_store_open.
 * The store host's port is set later, by bl_broker_set_address, when the listener has one. */
BL_MUST_CHECK bl_err bl_broker_open(const struct bl_broker_world *world,
                                    struct bl_broker **out_broker, struct bl_why *why);
/* Writes what is pending and closes the store. Blocks. Accepts NULL. */
void bl_broker_close(struct bl_broker *broker);
void bl_broker_set_address(struct bl_broker *broker, const struct bl_host *host);

/* Memory for answers: lives until the connections were written at the end of the turn. */
static inline struct bl_arena *bl_broker_arena(struct bl_broker *broker) {
  return &broker->arenas[broker->arena_now];
}
/* Part of every turn, after the requests: ends the store's turn. true: more to do. */
bool bl_broker_turn(struct bl_broker *broker);
/* A connection is gone. */
void bl_broker_conn_closed(void *broker, struct bl_conn *conn);

/* The topic's queue: NULL when it has no messages yet. *queue_id is checked by the caller. */
struct bl_queue *bl_broker_queue(struct bl_broker *broker, struct bl_topic *topic,
                                 int32_t queue_id);
/* The same, made when missing. */
BL_MUST_CHECK bl_err bl_broker_open_queue(struct bl_broker *broker, struct bl_topic *topic,
                                          int32_t queue_id, struct bl_queue **out_queue);
uint32_t bl_broker_random(struct bl_broker *broker, uint32_t below);

/* Changes of metadata: applied at once and put into the log; *out_end is the log offset to wait for
 * (bl_store_wait) before the change is said to be done; 0 when nothing changed. */
BL_MUST_CHECK bl_err bl_broker_put_topic(struct bl_broker *broker,
                                         const struct bl_topic_change *change,
                                         struct bl_topic **out_topic, int64_t *out_end);
/* The topic, its offsets; its queues stay retired. BL_ERR_NO_TOPIC. */
BL_MUST_CHECK bl_err bl_broker_delete_topic(struct bl_broker *broker, struct bl_slice name,
                                            int64_t *out_end);
BL_MUST_CHECK bl_err bl_broker_put_group(struct bl_broker *broker, const struct bl_group *like,
                                         struct bl_group **out_group, int64_t *out_end);
BL_MUST_CHECK bl_err bl_broker_delete_group(struct bl_broker *broker, struct bl_slice name,
                                            bool clean_offsets, int64_t *out_end);
/* BL_ERR_FULL: BL_REQUEST_MODES_MAX. */
BL_MUST_CHECK bl_err bl_broker_put_request_mode(struct bl_broker *broker,
                                                const struct bl_request_mode *mode,
                                                int64_t *out_end);
/* The group, made with defaults when autoCreateSubscriptionGroup (or a system group) allows; NULL
 * otherwise. */
struct bl_group *bl_broker_group(struct bl_broker *broker, struct bl_slice name);
/* A topic that a send names: found, or made from `default_topic` as TopicConfigManager does.
 * BL_ERR_NO_TOPIC: it may not be made; else as bl_store_append. */
BL_MUST_CHECK bl_err bl_broker_topic_for_send(struct bl_broker *broker, struct bl_slice name,
                                              struct bl_slice default_topic, int32_t default_queues,
                                              int32_t sys_flag, struct bl_topic **out_topic);
/* %RETRY%group with that many queues, made when missing; NULL when it cannot be made now. */
struct bl_topic *bl_broker_retry_topic(struct bl_broker *broker, struct bl_slice group,
                                       int32_t queues, bool order, bool unit_mode);
/* %DLQ%group with one queue, made when missing. BL_ERR_PARAMETER: too long; else as
 * bl_store_append. */
BL_MUST_CHECK bl_err bl_broker_dead_letter_topic(struct bl_broker *broker, struct bl_slice group,
                                                 struct bl_topic **out_topic);
/* Puts into the log what this client's request changed of the group's queue locks. They hold from
 * when they were taken; when the log has no room they only last until the next start. */
void bl_broker_log_locks(struct bl_broker *broker, struct bl_slice group, struct bl_slice client_id,
                         bool given);
/* Puts changed offsets into the log now. */
void bl_broker_log_offsets(struct bl_broker *broker);

#endif
