#include "broker/members/members.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "broker/assign/ring.h"
#include "broker/broker.h"
#include "broker/members/notice.h"
#include "broker/members/views.h"
#include "net/net.h"
#include "remoting/remoting.h"

#define SWEEP_MS 10000
/* A heartbeat holds the core no longer than that; the clock is looked at now and then. */
#define BEAT_NS_PER_TURN 500000
#define BEAT_GROUPS_PER_LOOK 8

const char *bl_consume_type_text(enum bl_consume_type type) {
  static const char *const texts[] = {"CONSUME_ACTIVELY", "CONSUME_PASSIVELY", "CONSUME_POP"};
  return texts[type];
}
const char *bl_message_model_text(enum bl_message_model model) {
  return model == BL_BROADCASTING ? "BROADCASTING" : "CLUSTERING";
}
const char *bl_consume_from_text(enum bl_consume_from from) {
  static const char *const texts[] = {
      "CONSUME_FROM_LAST_OFFSET",  "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
      "CONSUME_FROM_MIN_OFFSET",   "CONSUME_FROM_MAX_OFFSET",
      "CONSUME_FROM_FIRST_OFFSET", "CONSUME_FROM_TIMESTAMP"};
  return texts[from];
}

static int64_t now_ms(const struct bl_broker *broker) {
  return bl_clock_mono_ms(broker->clock);
}

/* What was made of the members as they were. */
static void forget_ring(struct bl_member_group *group) {
  bl_ring_free(group->ring);
  group->ring = NULL;
  bl_buf_fini(&group->ids_answer);
  group->changes = ++group->broker->members.changes;
}

static void free_group(struct bl_member_group *group) {
  forget_ring(group);
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&group->subscriptions, &cursor)) != NULL)
    bl_subscription_free(entry->value);
  bl_map_fini(&group->subscriptions);
  bl_timer_cancel(group->broker->timers, &group->notice_timer);
  bl_table_disown(group->name);
  free(group);
}

static struct bl_map *map_of(struct bl_broker *broker, bool is_consumer) {
  return is_consumer ? &broker->members.consumers : &broker->members.producers;
}

static struct bl_member_group *open_group(struct bl_broker *broker, struct bl_slice name,
                                          bool is_consumer) {
  struct bl_member_group *group = bl_map_get(map_of(broker, is_consumer), name);
  if (group != NULL) return group;
  group = calloc(1, sizeof(*group));
  BL_ASSERT(group != NULL);
  group->name = bl_table_own(name);
  group->is_consumer = is_consumer;
  group->broker = broker;
  group->last_notice_ms = INT64_MIN / 2;
  bl_list_init(&group->members);
  bl_list_init(&group->views);
  bl_map_init(&group->subscriptions);
  bl_map_put(map_of(broker, is_consumer), group->name, group);
  return group;
}

/* The newest connection of a client id counts (ProducerManager.clientChannelTable). */
static void note_producer(struct bl_broker *broker, struct bl_client *client, bool is_new) {
  if (!is_new && bl_map_get(&broker->members.producers_by_id, client->id) != NULL) return;
  bl_map_put(&broker->members.producers_by_id, client->id, client);
}

static void forget_producer(struct bl_broker *broker, const struct bl_client *client) {
  if (bl_map_get(&broker->members.producers_by_id, client->id) != client) return;
  bl_map_remove(&broker->members.producers_by_id, client->id);
}

static void drop_member(struct bl_member *member) {
  struct bl_member_group *group = member->group;
  bl_views_leave(member);
  forget_ring(group);
  /* The one behind it is told next; at the list's head nobody is left. */
  if (group->notice_next == &member->in_group) group->notice_next = member->in_group.next;
  bl_list_remove(&member->in_group);
  bl_list_remove(&member->in_client);
  group->member_count--;
  member->client->membership_count--;
  free(member);
}

static void leave(struct bl_member *member) {
  struct bl_member_group *group = member->group;
  struct bl_broker *broker = group->broker;
  drop_member(member);
  if (group->member_count == 0) {
    bl_map_remove(map_of(broker, group->is_consumer), group->name);
    free_group(group);
  } else if (group->is_consumer) {
    bl_notice_members_changed(broker, group);
  }
}

/* Along the shorter of the two lists. */
static struct bl_member *find_membership(const struct bl_client *client,
                                         const struct bl_member_group *group) {
  if (group->member_count < client->membership_count) {
    for (struct bl_list *node = group->members.next; node != &group->members; node = node->next) {
      struct bl_member *member = BL_CONTAINER(node, struct bl_member, in_group);
      if (member->client == client) return member;
    }
    return NULL;
  }
  for (struct bl_list *node = client->memberships.next; node != &client->memberships;
       node = node->next) {
    struct bl_member *member = BL_CONTAINER(node, struct bl_member, in_client);
    if (member->group == group) return member;
  }
  return NULL;
}

/* The place of a connection before this one, which may be dead without our knowing: a client that
 * is listed twice would be given queues twice. */
static void replace_older(const struct bl_client *client, struct bl_member_group *group) {
  for (struct bl_list *node = client->same_id.next; node != &client->same_id; node = node->next) {
    struct bl_client *older = BL_CONTAINER(node, struct bl_client, same_id);
    struct bl_member *member = find_membership(older, group);
    if (member == NULL) continue;
    drop_member(member);
    return;
  }
}

/* FILLS out_member. RETURNS whether it is new in the group. */
static bool join(struct bl_client *client, struct bl_member_group *group,
                 struct bl_member **out_member) {
  *out_member = find_membership(client, group);
  if (*out_member != NULL) return false;
  replace_older(client, group);
  struct bl_member *member = calloc(1, sizeof(*member));
  BL_ASSERT(member != NULL);
  member->client = client;
  member->group = group;
  bl_list_add_last(&group->members, &member->in_group);
  bl_list_add_last(&client->memberships, &member->in_client);
  group->member_count++;
  client->membership_count++;
  forget_ring(group);
  *out_member = member;
  return true;
}

/* They name it by its id. */
static void forget_rings(const struct bl_client *client) {
  for (struct bl_list *node = client->memberships.next; node != &client->memberships;
       node = node->next) {
    forget_ring(BL_CONTAINER(node, struct bl_member, in_client)->group);
  }
}

/* The client has its id from now on. */
static void note_id(struct bl_members *members, struct bl_client *client) {
  struct bl_client *other = bl_map_put(&members->clients_by_id, client->id, client);
  bl_list_init(&client->same_id);
  if (other != NULL) bl_list_add_last(&other->same_id, &client->same_id);
}

static void forget_id(struct bl_members *members, struct bl_client *client) {
  if (bl_map_get(&members->clients_by_id, client->id) == client) {
    if (bl_list_empty(&client->same_id)) {
      bl_map_remove(&members->clients_by_id, client->id);
    } else {
      bl_map_put(&members->clients_by_id, client->id,
                 BL_CONTAINER(client->same_id.next, struct bl_client, same_id));
    }
  }
  bl_list_remove(&client->same_id);
}

static struct bl_client *open_client(struct bl_broker *broker, struct bl_conn *conn,
                                     const struct bl_heartbeat *heartbeat) {
  struct bl_client *client = bl_conn_user(conn);
  if (client == NULL) {
    client = calloc(1, sizeof(*client));
    BL_ASSERT(client != NULL);
    client->conn_id = bl_conn_id(conn);
    bl_list_init(&client->memberships);
    bl_list_init(&client->same_id);
    snprintf(client->address, sizeof(client->address), "%s", bl_conn_peer_text(conn));
    bl_conn_set_user(conn, client);
    broker->members.client_count++;
  }
  if (!bl_slice_eq(client->id, heartbeat->client_id)) {
    forget_producer(broker, client);
    forget_rings(client);
    forget_id(&broker->members, client);
    bl_table_disown(client->id);
    client->id = bl_table_own(heartbeat->client_id);
    note_id(&broker->members, client);
  }
  client->language = heartbeat->language;
  client->version = heartbeat->version;
  client->seen_ms = now_ms(broker);
  if (broker->members.sweep.place == 0) {
    bl_timer_set(broker->timers, &broker->members.sweep, client->seen_ms + SWEEP_MS);
  }
  return client;
}

/* Newer versions win; topics that the heartbeat does not name are dropped. RETURNS whether the set
 * of topics changed: a new filter of a known topic is no news for the other members
 * (ConsumerGroupInfo#updateSubscription). */
static bool update_subscriptions(struct bl_member_group *group,
                                 const struct bl_heartbeat_consumer *consumer) {
  bool changed = false;
  group->round++;
  group->has_subscriptions = true;
  for (uint32_t i = 0; i < consumer->subscription_count; i++) {
    const struct bl_heartbeat_subscription *in = &consumer->subscriptions[i];
    struct bl_subscription *old = bl_map_get(&group->subscriptions, in->topic);
    if (old != NULL) old->round = group->round;
    if (old != NULL && old->version >= in->version) continue;
    struct bl_subscription *fresh;
    if (bl_subscription_new(in->topic, in->expression, in->expression_type, in->version, &fresh) !=
        BL_OK) {
      continue;
    }
    changed = changed || old == NULL;
    fresh->round = group->round;
    bl_map_put(&group->subscriptions, fresh->topic, fresh);
    bl_subscription_free(old);
  }
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&group->subscriptions, &cursor)) != NULL) {
    struct bl_subscription *subscription = entry->value;
    if (subscription->round == group->round) continue;
    bl_map_remove(&group->subscriptions, subscription->topic);
    bl_subscription_free(subscription);
    changed = true;
  }
  return changed;
}

/* The group has a place for the client, or the client is in it already. BL_ERR_FULL. */
static bl_err may_join(struct bl_broker *broker, const struct bl_client *client,
                       struct bl_slice name, bool is_consumer, struct bl_why *why) {
  const struct bl_map *map = is_consumer ? &broker->members.consumers : &broker->members.producers;
  const struct bl_member_group *group = bl_map_get(map, name);
  const int32_t members_max = broker->settings->group_members_max;
  bool client_full = client->membership_count >= BL_CLIENT_GROUPS_MAX;
  bool group_full = group != NULL && group->member_count >= (uint32_t)members_max;
  bool groups_full = group == NULL && map->count >= BL_MEMBER_GROUPS_MAX;
  if (!client_full && !group_full && !groups_full) return BL_OK;
  if (group != NULL && find_membership(client, group) != NULL) return BL_OK;
  broker->members.refused++;
  if (client_full) {
    return bl_why_set(why, BL_ERR_FULL,
                      "the client is in %d groups already, the most that one may be in",
                      BL_CLIENT_GROUPS_MAX);
  }
  if (groups_full) {
    return bl_why_set(why, BL_ERR_FULL, "%d groups have members already, the most that may",
                      BL_MEMBER_GROUPS_MAX);
  }
  return bl_why_set(why, BL_ERR_FULL,
                    "the group %.*s has %d members already, the most that one may have "
                    "(maxGroupMembers)",
                    BL_FMT(name), members_max);
}

static bool subscribes_in_order(const struct bl_broker *broker,
                                const struct bl_heartbeat_consumer *consumer) {
  for (uint32_t i = 0; i < consumer->subscription_count; i++) {
    const struct bl_topic *topic =
        bl_topics_find(&broker->topics, consumer->subscriptions[i].topic);
    if (topic != NULL && topic->order) return true;
  }
  return false;
}

/* RETURNS whether its subscriptions are wanted: another member's, or none, are known for the group.
 */
static bool register_consumer(struct bl_broker *broker, struct bl_client *client,
                              const struct bl_heartbeat *heartbeat,
                              const struct bl_heartbeat_consumer *consumer) {
  struct bl_group *config = bl_broker_group(broker, consumer->group);
  if (config == NULL) return false;
  if (config->retry_queues > 0) {
    bl_broker_retry_topic(broker, consumer->group, config->retry_queues,
                          subscribes_in_order(broker, consumer), consumer->unit_mode);
  }
  struct bl_member_group *group = open_group(broker, consumer->group, true);
  bool is_fresh = group->member_count == 0;
  bool wanted = !is_fresh && group->fingerprint != heartbeat->fingerprint;
  struct bl_member *member;
  bool changed = join(client, group, &member);
  group->type = consumer->type;
  group->model = consumer->model;
  group->from = consumer->from;
  group->fingerprint = heartbeat->fingerprint;
  if (!heartbeat->without_sub) {
    changed = update_subscriptions(group, consumer) || changed;
    bl_views_take(member, consumer);
  }
  if (changed) bl_notice_members_changed(broker, group);
  return wanted || !group->has_subscriptions;
}

/* The group at that place of the heartbeat: consumers first. */
static bl_err beat_group(struct bl_broker *broker, struct bl_client *client,
                         const struct bl_heartbeat *heartbeat, uint32_t place, bool *changed,
                         struct bl_why *why) {
  if (place < heartbeat->consumer_count) {
    const struct bl_heartbeat_consumer *consumer = &heartbeat->consumers[place];
    bl_err err = may_join(broker, client, consumer->group, true, why);
    if (err != BL_OK) return err;
    if (register_consumer(broker, client, heartbeat, consumer)) *changed = true;
    return BL_OK;
  }
  struct bl_slice name = heartbeat->producers[place - heartbeat->consumer_count];
  struct bl_member *member;
  bl_err err = may_join(broker, client, name, false, why);
  if (err != BL_OK) return err;
  bool is_new = join(client, open_group(broker, name, false), &member);
  note_producer(broker, client, is_new);
  return BL_OK;
}

bl_err bl_members_heartbeat(struct bl_broker *broker, struct bl_conn *conn,
                            const struct bl_heartbeat *heartbeat, uint32_t *place,
                            bool *out_changed, struct bl_why *why) {
  struct bl_client *client = open_client(broker, conn, heartbeat);
  uint32_t count = heartbeat->consumer_count + heartbeat->producer_count;
  int64_t until_ns = bl_clock_mono_ns(broker->clock) + BEAT_NS_PER_TURN;
  /* The old form always gets true; the new one when we do not have what its fingerprint stands for.
   */
  if (*place == 0) *out_changed = heartbeat->fingerprint == 0;
  while (*place < count) {
    bl_err err = beat_group(broker, client, heartbeat, *place, out_changed, why);
    if (err != BL_OK) return err;
    (*place)++;
    if (*place % BEAT_GROUPS_PER_LOOK == 0 && bl_clock_mono_ns(broker->clock) >= until_ns) break;
  }
  return *place < count ? BL_ERR_SHORT : BL_OK;
}

void bl_members_unregister(struct bl_broker *broker, struct bl_conn *conn,
                           struct bl_slice producer_group, struct bl_slice consumer_group) {
  struct bl_client *client = bl_conn_user(conn);
  if (client == NULL) return;
  for (int i = 0; i < 2; i++) {
    struct bl_slice name = i == 0 ? producer_group : consumer_group;
    struct bl_member_group *group = bl_map_get(map_of(broker, i == 1), name);
    struct bl_member *member = group != NULL ? find_membership(client, group) : NULL;
    if (member != NULL) leave(member);
    if (member != NULL && i == 0) forget_producer(broker, client); /* as RocketMQ: of any group */
  }
}

static void free_client(struct bl_broker *broker, struct bl_client *client) {
  while (!bl_list_empty(&client->memberships)) {
    leave(BL_CONTAINER(client->memberships.next, struct bl_member, in_client));
  }
  forget_producer(broker, client);
  forget_id(&broker->members, client);
  broker->members.client_count--;
  bl_table_disown(client->id);
  free(client);
}

void bl_members_conn_closed(struct bl_broker *broker, struct bl_conn *conn) {
  struct bl_client *client = bl_conn_user(conn);
  if (client == NULL) return;
  bl_conn_set_user(conn, NULL);
  free_client(broker, client);
}

/* Clients that stopped their heartbeats while their connection stays open. */
static void on_sweep(struct bl_timer *timer, int64_t now) {
  struct bl_members *members = BL_CONTAINER(timer, struct bl_members, sweep);
  struct bl_broker *broker = BL_CONTAINER(members, struct bl_broker, members);
  struct bl_net *net = bl_remoting_net(broker->remoting);
  size_t cursor = 0;
  struct bl_conn *conn;
  while ((conn = bl_net_next(net, &cursor)) != NULL) {
    struct bl_role *role = bl_conn_context(conn);
    struct bl_client *client = role->server == broker ? bl_conn_user(conn) : NULL;
    if (client != NULL && now - client->seen_ms > broker->settings->channel_expired_ms)
      bl_conn_close(conn);
  }
  if (members->client_count > 0) bl_timer_set(broker->timers, timer, now + SWEEP_MS);
}

void bl_members_init(struct bl_broker *broker) {
  bl_map_init(&broker->members.consumers);
  bl_map_init(&broker->members.producers);
  bl_map_init(&broker->members.producers_by_id);
  bl_map_init(&broker->members.clients_by_id);
  broker->members.client_count = 0;
  broker->members.sweep = (struct bl_timer){.fire = on_sweep};
  bl_list_init(&broker->members.disagreeing);
  broker->members.disagree_limit.per_second = 1;
  broker->members.agree_limit.per_second = 1;
}

void bl_members_fini(struct bl_broker *broker) {
  /* The connections are closed by now, and with them every membership ended. */
  BL_ASSERT(broker->members.client_count == 0);
  bl_timer_cancel(broker->timers, &broker->members.sweep);
  bl_log_limit_end(&broker->members.disagree_limit);
  bl_log_limit_end(&broker->members.agree_limit);
  bl_map_fini(&broker->members.consumers);
  bl_map_fini(&broker->members.producers);
  bl_map_fini(&broker->members.producers_by_id);
  bl_map_fini(&broker->members.clients_by_id);
}

struct bl_member_group *bl_members_consumers(const struct bl_broker *broker,
                                             struct bl_slice group) {
  return bl_map_get(&broker->members.consumers, group);
}

struct bl_member_group *bl_members_producers(const struct bl_broker *broker,
                                             struct bl_slice group) {
  return bl_map_get(&broker->members.producers, group);
}

struct bl_client *bl_members_find(const struct bl_member_group *group, struct bl_slice client_id) {
  if (group == NULL) return NULL;
  for (struct bl_list *node = group->members.next; node != &group->members; node = node->next) {
    struct bl_member *member = BL_CONTAINER(node, struct bl_member, in_group);
    if (bl_slice_eq(member->client->id, client_id)) return member->client;
  }
  return NULL;
}

struct bl_ring *bl_members_ring(struct bl_member_group *group) {
  if (group->ring != NULL) return group->ring;
  struct bl_slice *ids = calloc(group->member_count + 1, sizeof(*ids));
  BL_ASSERT(ids != NULL);
  uint32_t count = 0;
  for (struct bl_list *node = group->members.next; node != &group->members; node = node->next) {
    ids[count++] = BL_CONTAINER(node, struct bl_member, in_group)->client->id;
  }
  group->ring = bl_ring_new(ids, count);
  return group->ring;
}

struct bl_client *bl_members_producer(const struct bl_broker *broker, struct bl_slice client_id) {
  return bl_map_get(&broker->members.producers_by_id, client_id);
}

const struct bl_subscription *bl_member_group_subscription(const struct bl_member_group *group,
                                                           struct bl_slice topic) {
  return bl_map_get(&group->subscriptions, topic);
}
