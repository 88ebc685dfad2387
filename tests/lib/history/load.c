#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge_internal.h"

/* The file's numbers, looked at before memory is taken for them. */
static const char *measure(struct bl_hist_judge *judge) {
  uint64_t most_message = 0;
  for (uint64_t i = 0; i < judge->record_count; i++) {
    const struct bl_hist_record *r = &judge->records[i];
    if (r->kind < BL_HIST_SEND || r->kind > BL_HIST_GROUP) return "a record of an unknown kind";
    if (r->group >= BL_HIST_GROUPS_MAX) return "a group's number is too large";
    if (r->queue >= BL_HIST_QUEUES_MAX) return "a queue's number is too large";
    if (r->kind == BL_HIST_SEND && r->key >= BL_HIST_KEYS_MAX) return "a key is too large";
    if (r->kind == BL_HIST_GROUP && r->key > BL_HIST_QUEUES_MAX - r->queue)
      return "a group has too many queues";
    uint32_t queues = r->kind == BL_HIST_GROUP ? r->queue + r->key : r->queue + 1;
    if (queues > judge->queue_count) judge->queue_count = queues;
    if (r->kind == BL_HIST_SEND && r->key >= judge->key_count) judge->key_count = r->key + 1;
    if ((r->kind == BL_HIST_SEND || r->kind == BL_HIST_DELIVER) && r->message > most_message)
      most_message = r->message;
  }
  if (most_message > 16 * judge->record_count + 1000) return "message numbers have large gaps";
  judge->message_count = most_message + 1;
  return NULL;
}

static bool has_place(const struct bl_hist_record *r) {
  return r->kind == BL_HIST_DELIVER || (r->kind == BL_HIST_SEND && r->result == BL_HIST_ACKED);
}

static const char *make_places(struct bl_hist_judge *judge) {
  uint64_t all = 0;
  judge->places = bl_hist__new(judge->queue_count, sizeof(*judge->places));
  for (uint32_t q = 0; q < judge->queue_count; q++)
    judge->places[q] = (struct bl_hist_places){.first = INT64_MAX, .last = -1};
  for (uint64_t i = 0; i < judge->record_count; i++) {
    const struct bl_hist_record *r = &judge->records[i];
    if (!has_place(r)) continue;
    struct bl_hist_places *places = &judge->places[r->queue];
    if (r->offset < 0) return "a negative offset";
    if (r->offset < places->first) places->first = r->offset;
    if (r->offset > places->last) places->last = r->offset;
  }
  for (uint32_t q = 0; q < judge->queue_count; q++) {
    struct bl_hist_places *places = &judge->places[q];
    if (places->last < places->first) continue;
    uint64_t count = (uint64_t)(places->last - places->first) + 1;
    all += count;
    if (count > 1ull << 40 || all > 16 * judge->record_count + 1000000)
      return "offsets of a queue have large gaps";
    places->messages = bl_hist__new(count, sizeof(*places->messages));
  }
  return NULL;
}

static const char *take_sends(struct bl_hist_judge *judge) {
  struct bl_hist_report *report = judge->report;
  for (uint64_t i = 0; i < judge->record_count; i++) {
    const struct bl_hist_record *r = &judge->records[i];
    if (r->kind != BL_HIST_SEND) continue;
    struct bl_hist_message *message = &judge->messages[r->message];
    if (message->sent) return "a message was sent twice";
    *message = (struct bl_hist_message){.begin_us = r->begin_us,
                                        .end_us = r->end_us,
                                        .due_us = r->due_us,
                                        .offset = r->offset,
                                        .queue = r->queue,
                                        .result = r->result,
                                        .sent = true};
    report->sent++;
    report->acked += r->result == BL_HIST_ACKED;
    report->unknown += r->result == BL_HIST_UNKNOWN;
    report->refused += r->result == BL_HIST_REFUSED;
    if (r->result == BL_HIST_ACKED) bl_hist__place(judge, r->message, r->queue, r->offset);
  }
  return NULL;
}

/* Messages of one key stand in the file as they were sent: each waited for the one before. */
static void check_keys(struct bl_hist_judge *judge) {
  const struct bl_hist_record **last =
      bl_hist__new(judge->key_count, sizeof(struct bl_hist_record *));
  for (uint64_t i = 0; i < judge->record_count; i++) {
    const struct bl_hist_record *r = &judge->records[i];
    if (r->kind != BL_HIST_SEND || r->key == 0 || r->result != BL_HIST_ACKED) continue;
    const struct bl_hist_record *before = last[r->key];
    last[r->key] = r;
    if (before == NULL || before->queue != r->queue || r->begin_us < before->end_us) continue;
    if (r->offset > before->offset) continue;
    bl_hist__found(
        judge, BL_HIST_KEY_ORDER,
        "key %u: message %llu was sent after the answer to %llu, which is at %lld of queue "
        "%u, and stands at %lld",
        r->key, (unsigned long long)r->message, (unsigned long long)before->message,
        (long long)before->offset, r->queue, (long long)r->offset);
  }
  free(last);
}

static void add_commit(struct bl_hist_lane *lane, uint32_t number) {
  if (lane->commit_count == lane->commit_cap) {
    lane->commit_cap = lane->commit_cap == 0 ? 16 : 2 * lane->commit_cap;
    lane->commits = realloc(lane->commits, lane->commit_cap * sizeof(*lane->commits));
    if (lane->commits == NULL) abort();
  }
  lane->commits[lane->commit_count++] = number;
}

static const char *take_groups(struct bl_hist_judge *judge) {
  for (uint64_t i = 0; i < judge->record_count; i++) {
    const struct bl_hist_record *r = &judge->records[i];
    struct bl_hist_group *group = &judge->groups[r->group];
    if (r->kind == BL_HIST_SEND) continue;
    if (group->lanes == NULL) {
      group->lanes = bl_hist__new(judge->queue_count, sizeof(*group->lanes));
      group->epochs = bl_hist__new(judge->message_count, sizeof(*group->epochs));
      group->time_us = INT64_MIN;
      for (uint32_t q = 0; q < judge->queue_count; q++) {
        group->lanes[q].highest = -1;
        group->lanes[q].unowned_us = -1;
        group->lanes[q].shared_us = -1;
      }
    }
    if (r->kind == BL_HIST_COMMIT) {
      add_commit(&group->lanes[r->queue], (uint32_t)i);
      judge->report->groups[r->group].committed++;
    }
    if (r->kind != BL_HIST_GROUP) continue;
    if (group->promise != NULL) return "a group is promised something twice";
    group->promise = r;
    judge->report->groups[r->group].told = true;
    for (uint32_t q = r->queue; q < r->queue + r->key; q++) {
      group->lanes[q].watched = true;
      group->lanes[q].unowned_us = r->begin_us;
    }
  }
  return NULL;
}

const char *bl_hist__load(struct bl_hist_judge *judge) {
  if (judge->record_count > UINT32_MAX) return "more records than can be numbered";
  const char *bad = measure(judge);
  if (bad == NULL) bad = make_places(judge);
  if (bad != NULL) return bad;
  judge->messages = bl_hist__new(judge->message_count, sizeof(*judge->messages));
  bad = take_sends(judge);
  if (bad == NULL) bad = take_groups(judge);
  if (bad == NULL) check_keys(judge);
  return bad;
}
