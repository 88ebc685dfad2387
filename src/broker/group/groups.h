/* The subscription group table: what a consumer group may do. Thread: core.
 * JSON: apache/rocketmq SubscriptionGroupConfig, SubscriptionGroupManager; reference
 * protocol.md 2.7, 4.9. */
#ifndef BOLIDE_BROKER_GROUP_GROUPS_H
#define BOLIDE_BROKER_GROUP_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "broker/table.h"
#include "os/clock.h"

#define BL_GROUP_BYTES_MAX 255

struct bl_group {
  struct bl_slice name; /* HELD; NUL behind */
  bool consume_enable;
  bool consume_from_min_enable;
  bool consume_broadcast_enable;
  bool consume_orderly;
  bool notify_ids_changed;
  int32_t retry_queues;
  int32_t retry_max_times;
  int64_t broker_id;
  int64_t slow_broker_id; /* whichBrokerWhenConsumeSlowly */
  int32_t sys_flag;
  int32_t consume_timeout_minutes;
  struct bl_slice retry_policy;  /* HELD JSON object, or absent: the default */
  struct bl_slice subscriptions; /* HELD JSON array, or absent */
  struct bl_slice attributes;    /* HELD JSON object, or absent */
};

struct bl_light_group;

struct bl_groups {
  struct bl_table table;
  struct bl_light_group *light; /* NULL: light queues are not served */
  const struct bl_clock *clock;
  int64_t limit;
};

void bl_groups_init(struct bl_groups *groups, const struct bl_clock *clock);
void bl_groups_fini(struct bl_groups *groups);

/* Groups named like light queues (%LMQ%...) are there from now on with RocketMQ's defaults, and not
 * in the table. Source: apache/rocketmq LmqSubscriptionGroupManager. */
void bl_groups_serve_light(struct bl_groups *groups);

/* NULL when there is none. BORROWS; what stands for a light group only until the next look for one.
 */
struct bl_group *bl_groups_find(const struct bl_groups *groups, struct bl_slice name);
/* RocketMQ's defaults for a group of that name; the text BORROWS. */
void bl_group_default(struct bl_group *out_group, struct bl_slice name);
/* Makes or changes it from `like`, whose texts are copied. BL_ERR_FULL. A light group stays what it
 * is. */
BL_MUST_CHECK bl_err bl_groups_put(struct bl_groups *groups, const struct bl_group *like,
                                   struct bl_group **out_group);
bool bl_groups_remove(struct bl_groups *groups, struct bl_slice name);

/* Validators.validateGroup in its words: BL_ERR_PARAMETER. */
BL_MUST_CHECK bl_err bl_group_name_check(struct bl_slice name, struct bl_why *why);
/* Groups of RocketMQ's own tools and services: always there. */
bool bl_group_is_system(struct bl_slice name);

void bl_group_write(struct bl_json_writer *w, const struct bl_group *group);
/* FILLS `like` with texts in the arena. BL_ERR_FORMAT. */
BL_MUST_CHECK bl_err bl_group_read(const struct bl_json *json, struct bl_slice name,
                                   struct bl_arena *arena, struct bl_group *out_like);

/* Doors (bl_meta_table). context: struct bl_groups. */
void bl_groups_apply(void *context, struct bl_slice name, const struct bl_json *json,
                     int64_t log_offset);
bl_err bl_groups_replace(void *context, const struct bl_json *root, struct bl_why *why);
bool bl_groups_write_step(void *context, struct bl_buf *out, void **progress);

#endif
