#include "broker/members/notice.h"

#include "broker/broker.h"
#include "remoting/remoting.h"
#include "wire/headers.h"

#define NOTIFY_CONSUMER_IDS_CHANGED 40
/* About 200 us. */
#define MEMBERS_PER_TURN 128

static bool is_wanted(struct bl_broker *broker, const struct bl_member_group *group) {
  const struct bl_group *config = bl_groups_find(&broker->groups, group->name);
  /* Broadcasting members share nothing out among them. */
  if (group->model == BL_BROADCASTING) return false;
  return broker->settings->notify_ids_changed && (config == NULL || config->notify_ids_changed);
}

static void on_notice_timer(struct bl_timer *timer, int64_t now_ms);

/* Goes on with the round; in a later turn, when there are many members. A round that somebody
 * joined or left meanwhile is followed by another. */
static void tell_some(struct bl_broker *broker, struct bl_member_group *group, int64_t now_ms) {
  struct bl_consumer_group_header header = {.group = group->name};
  struct bl_outgoing outgoing = {
      .code = NOTIFY_CONSUMER_IDS_CHANGED, .table = &bl_consumer_group_table, .header = &header};
  for (int i = 0; i < MEMBERS_PER_TURN && group->notice_next != &group->members; i++) {
    struct bl_member *member = BL_CONTAINER(group->notice_next, struct bl_member, in_group);
    group->notice_next = group->notice_next->next;
    /* A connection that is closing gets none. */
    if (bl_remoting_send(broker->remoting, member->client->conn_id, &outgoing) == BL_OK)
      broker->members.notices++;
  }
  group->notice_timer.fire = on_notice_timer;
  if (group->notice_next != &group->members) {
    bl_timer_set(broker->timers, &group->notice_timer, now_ms);
    return;
  }
  group->notice_next = NULL;
  if (group->notice_again) {
    group->notice_again = false;
    bl_timer_set(broker->timers, &group->notice_timer,
                 group->last_notice_ms + BL_NOTICE_INTERVAL_MS);
  }
}

static void start_round(struct bl_broker *broker, struct bl_member_group *group, int64_t now_ms) {
  group->last_notice_ms = now_ms;
  group->notice_next = group->members.next;
  tell_some(broker, group, now_ms);
}

static void on_notice_timer(struct bl_timer *timer, int64_t now_ms) {
  struct bl_member_group *group = BL_CONTAINER(timer, struct bl_member_group, notice_timer);
  if (group->notice_next != NULL) {
    tell_some(group->broker, group, now_ms);
  } else if (is_wanted(group->broker, group)) {
    start_round(group->broker, group, now_ms);
  }
}

void bl_notice_members_changed(struct bl_broker *broker, struct bl_member_group *group) {
  if (!is_wanted(broker, group)) return;
  if (group->notice_next != NULL) {
    group->notice_again = true;
    return;
  }
  if (group->notice_timer.place != 0) return;
  int64_t now_ms = bl_clock_mono_ms(broker->clock);
  int64_t due_ms = group->last_notice_ms + BL_NOTICE_INTERVAL_MS;
  if (due_ms <= now_ms) {
    start_round(broker, group, now_ms);
    return;
  }
  group->notice_timer.fire = on_notice_timer;
  bl_timer_set(broker->timers, &group->notice_timer, due_ms);
}
