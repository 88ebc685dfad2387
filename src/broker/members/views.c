#include "broker/members/views.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "broker/broker.h"

/* Of each view in a description. */
#define MEMBERS_SHOWN 8
#define VIEWS_SHOWN 8

/* FNV-1a, with a byte that is in no text between the parts. */
static uint64_t add_text(uint64_t hash, struct bl_slice text) {
  for (size_t i = 0; i < text.len; i++) hash = (hash ^ (uint8_t)text.ptr[i]) * 0x100000001b3ULL;
  return (hash ^ 0xff) * 0x100000001b3ULL;
}

/* Of the model and the subscriptions in whatever order; versions are no part of it. */
static uint64_t hash_of(const struct bl_heartbeat_consumer *consumer) {
  uint64_t sum = consumer->model == BL_BROADCASTING ? 1 : 2;
  for (uint32_t i = 0; i < consumer->subscription_count; i++) {
    const struct bl_heartbeat_subscription *s = &consumer->subscriptions[i];
    uint64_t hash = add_text(0xcbf29ce484222325ULL, s->topic);
    hash = add_text(hash, s->expression.len > 0 ? s->expression : BL_SLICE("*"));
    hash = add_text(hash, s->expression_type.len > 0 ? s->expression_type : BL_SLICE("TAG"));
    sum += hash ^ (hash >> 29);
  }
  return sum;
}

static void write_text(struct bl_view *view, const struct bl_heartbeat_consumer *consumer) {
  size_t len = (size_t)snprintf(view->text, sizeof(view->text), "%s",
                                bl_message_model_text(consumer->model));
  for (uint32_t i = 0; i < consumer->subscription_count && len < sizeof(view->text); i++) {
    const struct bl_heartbeat_subscription *s = &consumer->subscriptions[i];
    int topic = (int)(s->topic.len < 128 ? s->topic.len : 128);
    int expression = (int)(s->expression.len < 128 ? s->expression.len : 128);
    if (bl_topic_is_retry(s->topic)) continue;
    len += (size_t)snprintf(view->text + len, sizeof(view->text) - len, " %.*s=%.*s", topic,
                            s->topic.ptr, expression, s->expression.ptr);
  }
}

static struct bl_view *find(const struct bl_member_group *group, uint64_t hash) {
  for (struct bl_list *node = group->views.next; node != &group->views; node = node->next) {
    struct bl_view *view = BL_CONTAINER(node, struct bl_view, in_group);
    if (view->hash == hash) return view;
  }
  return NULL;
}

/* The group came to disagree, or to agree. */
static void note_count(struct bl_member_group *group, uint32_t before) {
  struct bl_members *members = &group->broker->members;
  if (before <= 1 && group->view_count > 1) {
    bl_list_add_last(&members->disagreeing, &group->in_disagreeing);
    members->disagreeing_count++;
  } else if (before > 1 && group->view_count <= 1) {
    bl_list_remove(&group->in_disagreeing);
    members->disagreeing_count--;
    bl_log_limited(&members->agree_limit, BL_LOG_INFO, "members", "members.agree",
                   "group=%.*s: all members want the same again", BL_FMT(group->name));
  }
}

static void tell(const struct bl_member *member) {
  const struct bl_member_group *group = member->group;
  struct bl_buf others;
  if (group->view_count <= 1) return;
  bl_buf_init(&others, 1536);
  bl_views_describe(group, &others);
  bl_log_limited(
      &group->broker->members.disagree_limit, BL_LOG_WARN, "members", "members.disagree",
      "group=%.*s client=%.*s peer=%s: its members do not want the same, so each is given "
      "what the latest heartbeat said; %.*s",
      BL_FMT(group->name), BL_FMT(member->client->id), member->client->address,
      BL_FMT(bl_buf_slice(&others)));
  bl_buf_fini(&others);
}

static void leave(struct bl_member *member) {
  struct bl_view *view = member->view;
  if (view == NULL) return;
  member->view = NULL;
  bl_list_remove(&member->in_view);
  if (--view->member_count > 0) return;
  bl_list_remove(&view->in_group);
  free(view);
  member->group->view_count--;
}

void bl_views_leave(struct bl_member *member) {
  uint32_t before = member->group->view_count;
  leave(member);
  note_count(member->group, before);
}

void bl_views_take(struct bl_member *member, const struct bl_heartbeat_consumer *consumer) {
  struct bl_member_group *group = member->group;
  uint64_t hash = hash_of(consumer);
  if (member->view != NULL && member->view->hash == hash) return;
  uint32_t before = group->view_count;
  leave(member);
  struct bl_view *view = find(group, hash);
  bool fresh = view == NULL;
  if (fresh && group->view_count >= BL_VIEWS_MAX) {
    note_count(group, before);
    return;
  }
  if (fresh) {
    view = calloc(1, sizeof(*view));
    BL_ASSERT(view != NULL);
    view->hash = hash;
    bl_list_init(&view->members);
    write_text(view, consumer);
    bl_list_add_last(&group->views, &view->in_group);
    group->view_count++;
  }
  member->view = view;
  view->member_count++;
  bl_list_add_last(&view->members, &member->in_view);
  note_count(group, before);
  if (fresh) tell(member);
}

static void describe(const struct bl_view *view, struct bl_buf *out) {
  int shown = 0;
  bl_buf_printf(out, "%u member%s %s: ", view->member_count, view->member_count == 1 ? "" : "s",
                view->text);
  for (struct bl_list *node = view->members.next; node != &view->members; node = node->next) {
    const struct bl_member *member = BL_CONTAINER(node, struct bl_member, in_view);
    if (shown == MEMBERS_SHOWN) {
      bl_buf_put_text(out, ", ...");
      return;
    }
    struct bl_slice id = member->client->id;
    bl_buf_printf(out, "%s%.*s (%s)", shown++ > 0 ? ", " : "", (int)(id.len < 128 ? id.len : 128),
                  id.ptr, member->client->address);
  }
}

void bl_views_describe(const struct bl_member_group *group, struct bl_buf *out) {
  int shown = 0;
  for (struct bl_list *node = group->views.next; node != &group->views; node = node->next) {
    if (shown == VIEWS_SHOWN) {
      bl_buf_put_text(out, "; ...");
      return;
    }
    if (shown++ > 0) bl_buf_put_text(out, "; ");
    describe(BL_CONTAINER(node, struct bl_view, in_group), out);
  }
}
