#include "broker/members/notice.h"

#include "broker/broker.h"
#include "remoting/remoting.h"
#include "wire/headers.h"

#define NOTIFY_CONSUMER_IDS_CHANGED 40

static bool is_wanted(struct bl_broker *broker, const struct bl_member_group *group) {
  const struct bl_group *config = bl_groups_find(&broker->groups, group->name);
  /* Broadcasting members share nothing out among them. */
  if (group->model == BL_BROADCASTING) return false;
  return broker->settings->notify_ids_changed && (config == NULL || config->notify_ids_changed);
}

static void tell_all(struct bl_broker *broker, const struct bl_member_group *group) {
  struct bl_consumer_group_header header = {.group = group->name};
  struct bl_outgoing outgoing = {
      .code = NOTIFY_CONSUMER_IDS_CHANGED, .table = &bl_consumer_group_table, .header = &header};
  for (struct bl_list *node = group->members.next; node != &group->members; node = node->next) {
    struct bl_member *member = BL_CONTAINER(node, struct bl_member, in_group);
    /* A connection that is closing gets none. */
    bl_remoting_send(broker->remoting, member->client->conn_id, &outgoing);
  }
}

static void on_notice_timer(struct bl_timer *timer, int64_t now_ms) {
  struct bl_member_group *group = BL_CONTAINER(timer, struct bl_member_group, notice_timer);
  group->last_notice_ms = now_ms;
  if (is_wanted(group->broker, group)) tell_all(group->broker, group);
}

void bl_notice_members_changed(struct bl_broker *broker, struct bl_member_group *group) {
  if (!is_wanted(broker, group) || group->notice_timer.place != 0) return;
  int64_t now_ms = bl_clock_mono_ms(broker->clock);
  int64_t due_ms = group->last_notice_ms + BL_NOTICE_INTERVAL_MS;
  if (due_ms <= now_ms) {
    group->last_notice_ms = now_ms;
    tell_all(broker, group);
    return;
  }
  group->notice_timer.fire = on_notice_timer;
  bl_timer_set(broker->timers, &group->notice_timer, due_ms);
}
