/* What a name server is: which broker serves which topic at which address, who of them is alive,
 * and a small table of named values. No wire frames in here; bodies that are JSON are. Thread:
 * core. Source of the behaviour: apache/rocketmq namesrv RouteInfoManager, KVConfigManager,
 * NamesrvConfig. */
#ifndef BOLIDE_NAMESRV_NAMESRV_H
#define BOLIDE_NAMESRV_NAMESRV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/option.h"
#include "base/slice.h"
#include "base/timer.h"
#include "os/clock.h"
#include "os/disk.h"
#include "os/worker.h"

struct bl_namesrv;

/* NamesrvConfig's keys that mean something here. Filled and freed by bl_options_init and _fini with
 * bl_namesrv_options, which is the table of their names, limits and meanings. */
struct bl_namesrv_settings {
  int32_t listen_port;     /* the owner's to use, and to set to the real one */
  char *kv_config_path;    /* empty: values are kept in memory only */
  char *config_black_list; /* more keys that 318 may not change, separated by ; */
  bool order_message_enable;
  bool return_order_topic_config_to_broker;
  bool support_acting_master;
  bool enable_all_topic_list;
  bool enable_topic_list;
  bool delete_topic_with_broker_registration;
  bool notify_min_broker_id_changed;
  bool need_wait_for_service;
  int32_t wait_seconds_for_service;
  int64_t scan_not_active_broker_interval_ms;
};
extern const struct bl_options bl_namesrv_options;

/* Said to the brokers of a set when another id became its smallest (code 905). */
struct bl_namesrv_min_change {
  int64_t min_broker_id;
  struct bl_slice min_broker_addr;
  struct bl_slice offline_broker_addr; /* absent: nobody left */
  struct bl_slice ha_broker_addr;      /* absent: not known */
};

/* What the name server asks of the world. All may be NULL. Texts are BORROWED for the call. */
struct bl_namesrv_actions {
  void *context;
  /* The broker behind this connection was silent for too long. */
  void (*close_conn)(void *context, uint64_t conn_id);
  void (*min_broker_changed)(void *context, struct bl_slice to_addr,
                             const struct bl_namesrv_min_change *change);
};

struct bl_namesrv_deps {
  const struct bl_clock *clock;
  struct bl_timers *timers;
  struct bl_disk *disk;
  struct bl_worker *worker; /* writes the table of values */
  struct bl_namesrv_actions actions;
};

/* RETURNS OWNED. BORROWS what deps points to, and the settings, which bl_namesrv_update_config
 * changes. */
struct bl_namesrv *bl_namesrv_new(const struct bl_namesrv_deps *deps,
                                  struct bl_namesrv_settings *settings);
/* Reads kv_config_path; a missing file is an empty table, a broken one an error with a sentence.
 * Blocks: for start-up. */
BL_MUST_CHECK bl_err bl_namesrv_load(struct bl_namesrv *ns, struct bl_why *why);
/* The worker must have no job of it left (bl_worker_finish). Accepts NULL. */
void bl_namesrv_free(struct bl_namesrv *ns);

const struct bl_namesrv_settings *bl_namesrv_settings(const struct bl_namesrv *ns);
/* Sets what a properties text names, all or nothing; names that are not known are passed over, as
 * in RocketMQ. Not kept over a restart. BL_ERR_NO_PERMISSION: a key that may not be set from
 * outside; BL_ERR_PARAMETER, BL_ERR_FORMAT. */
BL_MUST_CHECK bl_err bl_namesrv_update_config(struct bl_namesrv *ns, struct bl_slice text,
                                              struct bl_why *why);
/* Appends all settings as properties text. */
void bl_namesrv_put_config(const struct bl_namesrv *ns, struct bl_buf *out);
/* needWaitForService: false during the first waitSecondsForService after new. */
bool bl_namesrv_ready(const struct bl_namesrv *ns);

struct bl_namesrv_stats {
  int64_t topics;
  int64_t brokers; /* broker names */
  int64_t live;    /* registered addresses */
  int64_t kv_bytes;
  int64_t route_cache_bytes;
  int64_t registrations; /* accepted */
  int64_t refused;
  int64_t expired;
};
void bl_namesrv_stats(const struct bl_namesrv *ns, struct bl_namesrv_stats *out_stats);

#endif
