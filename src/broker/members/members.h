/* Who is here: clients by connection, the consumer and producer groups they are in, what the
 * consumers subscribed to. Membership notices (code 40) are coalesced: the first at once, then at
 * most one per group per 500 ms. Thread: core. Source: apache/rocketmq ConsumerManager,
 * ProducerManager, ClientManageProcessor. */
#ifndef BOLIDE_BROKER_MEMBERS_MEMBERS_H
#define BOLIDE_BROKER_MEMBERS_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/timer.h"
#include "broker/members/subscription.h"

#define BL_CLIENT_ID_BYTES_MAX 1024
/* Groups that one client is in at most, consumers and producers together. */
#define BL_CLIENT_GROUPS_MAX 10000
#define BL_NOTICE_INTERVAL_MS 500

struct bl_broker;
struct bl_conn;

enum bl_consume_type { BL_CONSUME_ACTIVELY, BL_CONSUME_PASSIVELY, BL_CONSUME_POP };
enum bl_message_model { BL_BROADCASTING, BL_CLUSTERING };
enum bl_consume_from {
  BL_FROM_LAST_OFFSET,
  BL_FROM_LAST_OFFSET_AND_MIN,
  BL_FROM_MIN_OFFSET,
  BL_FROM_MAX_OFFSET,
  BL_FROM_FIRST_OFFSET,
  BL_FROM_TIMESTAMP,
};
const char *bl_consume_type_text(enum bl_consume_type type);
const char *bl_message_model_text(enum bl_message_model model);
const char *bl_consume_from_text(enum bl_consume_from from);

/* A client in a group. */
struct bl_member {
  struct bl_list in_group;
  struct bl_list in_client;
  struct bl_client *client;
  struct bl_member_group *group;
};

/* A consumer or producer group with members. */
struct bl_member_group {
  struct bl_slice name; /* HELD */
  bool is_consumer;
  struct bl_list members;
  uint32_t member_count;
  /* consumers */
  enum bl_consume_type type;
  enum bl_message_model model;
  enum bl_consume_from from;
  struct bl_map subscriptions; /* topic -> struct bl_subscription */
  uint32_t round;              /* of the last update of the subscriptions */
  bool has_subscriptions;      /* a heartbeat brought them since the group came to be */
  int32_t
      fingerprint; /* of the last heartbeat for the group, of whichever member; 0: the old form */
  struct bl_timer notice_timer;
  int64_t last_notice_ms;
  struct bl_broker *broker;
};

/* A client on one connection. */
struct bl_client {
  uint64_t conn_id;
  struct bl_slice id; /* HELD */
  char address[72];
  int32_t language;
  int32_t version;
  int64_t seen_ms; /* monotonic */
  struct bl_list memberships;
  uint32_t membership_count;
};

struct bl_members {
  struct bl_map consumers; /* group -> struct bl_member_group */
  struct bl_map producers;
  uint32_t client_count;
  struct bl_timer sweep;
};

void bl_members_init(struct bl_broker *broker);
void bl_members_fini(struct bl_broker *broker);

/* A heartbeat, decoded. */
struct bl_heartbeat_subscription {
  struct bl_slice topic;
  struct bl_slice expression;
  struct bl_slice expression_type;
  int64_t version;
};
struct bl_heartbeat_consumer {
  struct bl_slice group;
  enum bl_consume_type type;
  enum bl_message_model model;
  enum bl_consume_from from;
  bool unit_mode;
  struct bl_heartbeat_subscription *subscriptions;
  uint32_t subscription_count;
};
struct bl_heartbeat {
  struct bl_slice client_id;
  int32_t language;
  int32_t version;
  int32_t fingerprint;
  bool without_sub;
  struct bl_heartbeat_consumer *consumers;
  uint32_t consumer_count;
  struct bl_slice *producers;
  uint32_t producer_count;
};

/* Registers and refreshes. *out_changed: whether the client shall send its subscriptions
 * (IS_SUB_CHANGE). A client that comes back on another connection takes its places from the one
 * before. BL_ERR_FULL: it is in BL_CLIENT_GROUPS_MAX groups already; what was before in the
 * heartbeat is registered. */
BL_MUST_CHECK bl_err bl_members_heartbeat(struct bl_broker *broker, struct bl_conn *conn,
                                          const struct bl_heartbeat *heartbeat, bool *out_changed);
/* The client leaves these groups; an absent name leaves none. */
void bl_members_unregister(struct bl_broker *broker, struct bl_conn *conn,
                           struct bl_slice producer_group, struct bl_slice consumer_group);
void bl_members_conn_closed(struct bl_broker *broker, struct bl_conn *conn);

/* NULL when nobody is in it. */
struct bl_member_group *bl_members_consumers(const struct bl_broker *broker, struct bl_slice group);
struct bl_member_group *bl_members_producers(const struct bl_broker *broker, struct bl_slice group);
/* The member with that client id, or NULL. */
struct bl_client *bl_members_find(const struct bl_member_group *group, struct bl_slice client_id);
/* NULL: the group does not subscribe to it. */
const struct bl_subscription *bl_member_group_subscription(const struct bl_member_group *group,
                                                           struct bl_slice topic);

#endif
