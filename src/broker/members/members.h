/* Who is here: clients by connection, the consumer and producer groups they are in, what the
 * consumers subscribed to. Membership notices (code 40) are coalesced: the first at once, then at
 * most one per group per 500 ms. Thread: core. Source: apache/rocketmq ConsumerManager,
 * ProducerManager, ClientManageProcessor. */
#ifndef BOLIDE_BROKER_MEMBERS_MEMBERS_H
#define BOLIDE_BROKER_MEMBERS_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/timer.h"
#include "broker/members/subscription.h"

#define BL_CLIENT_ID_BYTES_MAX 1024
/* Groups that one client is in at most, consumers and producers together. */
#define BL_CLIENT_GROUPS_MAX 10000
/* Groups with members at most, consumers and producers each. */
#define BL_MEMBER_GROUPS_MAX 1000000
/* Topics that one member subscribes to in a group at most. */
#define BL_CLIENT_SUBSCRIPTIONS_MAX 10000
#define BL_NOTICE_INTERVAL_MS 500

struct bl_broker;
struct bl_conn;
struct bl_ring;
struct bl_view;

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
  struct bl_list in_view;
  struct bl_client *client;
  struct bl_view *view; /* what it wants (views.h); NULL: it did not say yet */
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
  struct bl_list views; /* struct bl_view: what its members want */
  uint32_t view_count;
  struct bl_list in_disagreeing; /* while they want several things */
  struct bl_ring *ring;     /* HELD: its members in order; NULL: not asked for since one came */
  struct bl_buf ids_answer; /* to who asks for them (38), as it is sent; empty: likewise */
  /* Another number after each change of its members or their ids; no group of that name had it
   * before. */
  uint64_t changes;
  struct bl_timer notice_timer;
  int64_t last_notice_ms;
  bool notice_again;           /* somebody came or went while they are told */
  struct bl_list *notice_next; /* member that is told next; NULL: nobody is being told */
  struct bl_broker *broker;
};

/* A client on one connection. */
struct bl_client {
  uint64_t conn_id;
  struct bl_slice id;     /* HELD */
  struct bl_list same_id; /* a ring of the clients with this id, each on its connection */
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
  struct bl_map producers_by_id; /* client id -> struct bl_client that is in a producer group */
  struct bl_map clients_by_id;   /* client id -> one of its struct bl_client */
  uint32_t client_count;
  struct bl_timer sweep;
  struct bl_list disagreeing; /* struct bl_member_group */
  uint32_t disagreeing_count;
  uint64_t changes;
  int64_t refused; /* heartbeats over a limit */
  int64_t notices; /* sent to members */
  struct bl_log_limit disagree_limit;
  struct bl_log_limit agree_limit;
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

/* Registers and refreshes, some groups a turn. *place is 0 at first, and the owner's to keep.
 * *out_changed: whether the client shall send its subscriptions (IS_SUB_CHANGE). A client that
 * comes back on another connection takes its places from the one before. BL_ERR_SHORT: call again
 * next turn; BL_ERR_FULL: over a limit that `why` names; what was before in the heartbeat is
 * registered.
 */
BL_MUST_CHECK bl_err bl_members_heartbeat(struct bl_broker *broker, struct bl_conn *conn,
                                          const struct bl_heartbeat *heartbeat, uint32_t *place,
                                          bool *out_changed, struct bl_why *why);
/* The client leaves these groups; an absent name leaves none. */
void bl_members_unregister(struct bl_broker *broker, struct bl_conn *conn,
                           struct bl_slice producer_group, struct bl_slice consumer_group);
void bl_members_conn_closed(struct bl_broker *broker, struct bl_conn *conn);

/* NULL when nobody is in it. */
struct bl_member_group *bl_members_consumers(const struct bl_broker *broker, struct bl_slice group);
struct bl_member_group *bl_members_producers(const struct bl_broker *broker, struct bl_slice group);
/* The member with that client id, or NULL. */
struct bl_client *bl_members_find(const struct bl_member_group *group, struct bl_slice client_id);
/* The members in RocketMQ's order. BORROWS until one comes or goes. */
struct bl_ring *bl_members_ring(struct bl_member_group *group);
/* The client of that id that was last heard of as a producer, or NULL. */
struct bl_client *bl_members_producer(const struct bl_broker *broker, struct bl_slice client_id);
/* NULL: the group does not subscribe to it. */
const struct bl_subscription *bl_member_group_subscription(const struct bl_member_group *group,
                                                           struct bl_slice topic);

#endif
