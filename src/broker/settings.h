/* The settings of a broker, by RocketMQ's names (BrokerConfig, MessageStoreConfig) and ours. The
 * one option table is in settings.c; it also prints the reference page and the answer to
 * GET_BROKER_CONFIG. */
#ifndef BOLIDE_BROKER_SETTINGS_H
#define BOLIDE_BROKER_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/option.h"

struct bl_broker_settings {
  /* who it is */
  char *cluster_name;
  char *broker_name; /* empty: fixed at the first start and kept in the store */
  int64_t broker_id;
  char *broker_ip1; /* empty: by the listening address */
  char *broker_ip2;
  char *region_id;
  char *namesrv_addr; /* name servers to register with, separated by ; */
  int32_t listen_port;
  char *bind_address;
  char *advertise; /* [CIDR=]HOST:PORT, separated by , */
  bool insecure;   /* listens beyond loopback without authentication */
  /* what it does */
  int32_t broker_permission;
  int32_t default_topic_queues;
  bool auto_create_topic;
  bool auto_create_group;
  bool cluster_topic_enable;
  bool broker_topic_enable;
  bool trace_topic_enable;
  char *trace_topic_name;
  bool trace_on;
  bool lite_pull_enable;
  int64_t lock_lease_ms;
  bool long_polling_enable;
  bool notify_ids_changed;
  bool lmq_enable;
  bool multi_dispatch_enable;
  bool lmq_quota_enable;
  int32_t lmq_queues_max;
  bool store_reply_enable;
  bool property_filter;      /* SQL92 */
  bool filter_support_retry; /* in retry topics, too */
  bool server_side_reset;
  bool server_load_balancer;
  int32_t group_members_max;
  int32_t holds_per_conn_max;
  int64_t short_polling_ms;
  int64_t wait_in_send_queue_ms;
  int64_t register_period_ms;
  int64_t register_timeout_ms;
  bool force_register;
  int64_t channel_expired_ms;
  int32_t max_message_bytes;
  int32_t max_transfer_bytes; /* of one pull */
  int32_t max_transfer_count;
  int32_t max_query_count;
  int64_t dedup_keys_max;
  int64_t ttl_waiting_max;
  int32_t holds_max; /* parked pulls in all */
  /* the store */
  char *store_dir;
  int32_t flush_mode;     /* enum bl_flush_mode: SYNC_FLUSH | ASYNC_FLUSH */
  int32_t log_write_mode; /* enum bl_write_mode, or 2: auto */
  int64_t segment_bytes;
  int64_t ring_bytes;
  int64_t flush_interval_ms;
  int64_t cold_bytes; /* memory for cold reads */
  int64_t snapshot_interval_ms;
  bool append_crc;
  /* when messages go */
  int64_t file_reserved_hours;
  char *delete_when;       /* hours, separated by ; */
  int64_t retention_bytes; /* of the whole log; 0: without limit */
  int64_t clean_interval_ms;
  int64_t delete_interval_ms;
  int32_t delete_batch_max;
  bool clean_forcibly;
  int32_t disk_max_percent;
  int32_t disk_clean_percent;
  int32_t disk_warning_percent;
  int64_t disk_enough_bytes;
  int64_t clock_confirm_ms;
  /* delayed messages */
  char *delay_levels; /* messageDelayLevel */
  bool transaction_reject;
  int64_t transaction_timeout_ms;
  int64_t transaction_interval_ms;
  int32_t transaction_check_max;
  bool timer_enable;
  int64_t timer_max_delay_sec;
  int64_t timer_memory_bytes;
  int64_t timer_clock_confirm_ms;
  bool recall_enable;
  int32_t broker_role; /* ASYNC_MASTER */
  int64_t spin_us;     /* adaptive spinning of the loop */
  int32_t log_level;   /* enum bl_log_level */
};

extern const struct bl_options bl_broker_options;

#endif
