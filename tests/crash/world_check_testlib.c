/* What is there, compared with the ledger. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "world_testlib.h"

#define KEYS_LOOKED_UP 6

/* A deletion of its topic came later. */
static bool is_deleted(const struct world *world, const struct world_message *message) {
  for (int i = 0; i < world->change_count; i++) {
    const struct world_change *change = &world->changes[i];
    if (!change->is_group && change->name == message->topic && change->queues == 0 &&
        change->at >= message->end)
      return true;
  }
  return false;
}

static const struct world_change *last_change(const struct world *world, bool is_group, int name) {
  for (int i = world->change_count - 1; i >= 0; i--) {
    const struct world_change *change = &world->changes[i];
    if (change->is_group == is_group && change->name == name) return change;
  }
  return NULL;
}

static void check_tables(struct world *world) {
  char name[24];
  for (int i = 0; i < WORLD_TOPICS; i++) {
    world_topic_name(i, name);
    const struct world_change *change = last_change(world, false, i);
    const struct bl_topic *topic = bl_topics_find(&world->broker->topics, bl_slice_text(name));
    int wanted = change != NULL ? change->queues : 0;
    int found = topic != NULL ? topic->write_queues : 0;
    if (wanted != found) world_complain(world, "%s has %d queues, not %d", name, found, wanted);
  }
  for (int i = 0; i < WORLD_GROUPS; i++) {
    snprintf(name, sizeof(name), "Group%d", i);
    const struct world_change *change = last_change(world, true, i);
    const struct bl_group *group = bl_groups_find(&world->broker->groups, bl_slice_text(name));
    int wanted = change != NULL ? change->queues : 0;
    int found = group != NULL ? group->retry_queues : 0;
    if (wanted != found)
      world_complain(world, "%s has %d retry queues, not %d", name, found, wanted);
  }
}

static bool is_commit(const struct world_commit *commit, int topic, int group, int queue) {
  return commit->topic == topic && commit->group == group && commit->queue == queue;
}

/* The last one that the log has, or any that came later. */
static void check_offset(struct world *world, int topic, int group, int queue, int sure) {
  char topic_name[24];
  char name[24];
  world_topic_name(topic, topic_name);
  snprintf(name, sizeof(name), "Group%d", group);
  int64_t found = bl_offsets_committed(&world->broker->offsets, bl_slice_text(topic_name),
                                       bl_slice_text(name), queue);
  int64_t known = BL_OFFSET_NONE;
  bool good = false;
  for (int i = 0; i < world->commit_count; i++) {
    const struct world_commit *commit = &world->commits[i];
    if (!is_commit(commit, topic, group, queue)) continue;
    if (i < sure) known = commit->offset;
    if (i >= sure && commit->offset == found) good = true;
  }
  if (!good && found != known)
    world_complain(world, "offset of %s in %s queue %d is %lld, not %lld", name, topic_name, queue,
                   (long long)found, (long long)known);
}

static void check_offsets(struct world *world) {
  int sure = world->logged_count > 0 ? world->logged[world->logged_count - 1].commits : 0;
  for (int i = 0; i < WORLD_TOPICS * WORLD_GROUPS * WORLD_QUEUES; i++)
    check_offset(world, i / (WORLD_GROUPS * WORLD_QUEUES), i / WORLD_QUEUES % WORLD_GROUPS,
                 i % WORLD_QUEUES, sure);
}

static void check_record(struct world *world, const struct world_message *message,
                         const struct bl_queue_entry *entry) {
  char name[24];
  world_topic_name(message->topic, name);
  char *bytes = malloc(entry->size_bytes + 1);
  char *body = malloc(message->body_bytes + 1);
  BL_ASSERT(bytes != NULL && body != NULL);
  struct bl_record record;
  bl_err err =
      bl_store_read_blocking(world->broker->store, entry->log_offset, entry->size_bytes, bytes);
  if (err == BL_OK)
    err = bl_record_decode(bl_slice_of(bytes, entry->size_bytes), BL_RECORD_CHECKED, &record);
  if (err != BL_OK) {
    world_complain(world, "%s queue %d offset %lld: %s", name, message->queue,
                   (long long)message->queue_offset, bl_err_name(err));
  } else {
    world_body(message, body);
    bool same = record.body.len == message->body_bytes &&
                memcmp(record.body.ptr, body, message->body_bytes) == 0;
    if (!same || record.log_offset != message->log_offset ||
        record.queue_offset != message->queue_offset || record.queue_id != message->queue ||
        !bl_slice_is(record.topic, name))
      world_complain(world, "%s queue %d offset %lld: another record is there", name,
                     message->queue, (long long)message->queue_offset);
  }
  free(bytes);
  free(body);
}

/* FILLS the ledger's messages of the queue that were not deleted with the topic; *out_next: the
 * next offset. */
static int wanted_of(const struct world *world, int topic, int queue,
                     const struct world_message **out, int64_t *out_next) {
  int count = 0;
  *out_next = 0;
  for (int i = 0; i < world->message_count; i++) {
    const struct world_message *message = &world->messages[i];
    if (message->topic != topic || message->queue != queue) continue;
    *out_next = message->queue_offset + 1;
    if (!is_deleted(world, message)) out[count++] = message;
  }
  return count;
}

static void compare_entry(struct world *world, const char *name, int queue, int64_t at,
                          const struct bl_queue_entry *entry, const struct world_message *message) {
  if (message == NULL) {
    world_complain(world,
                   "%s queue %d has offset %lld (log offset %lld), which nobody sent or "
                   "which was deleted",
                   name, queue, (long long)entry->queue_offset, (long long)entry->log_offset);
  } else if (entry->queue_offset != message->queue_offset ||
             entry->log_offset != message->log_offset || entry->count != 1) {
    world_complain(world, "%s queue %d: place %lld has offset %lld at %lld, not %lld at %lld", name,
                   queue, (long long)at, (long long)entry->queue_offset,
                   (long long)entry->log_offset, (long long)message->queue_offset,
                   (long long)message->log_offset);
  } else {
    check_record(world, message, entry);
  }
}

static void on_warm(struct bl_queue_warm *warm) {
  warm->internal = NULL;
  warm->queue = NULL; /* says that it ended */
}

/* As a consumer's pull does it: what is not in memory, or damaged, is seen to by the pool. */
static bl_err read_entries(struct world *world, struct bl_queue *queue, int64_t offset,
                           struct bl_queue_entry *entries, uint32_t max, uint32_t *out_count) {
  bl_err err = BL_ERR_COLD;
  for (int i = 0; i < 40 && err == BL_ERR_COLD; i++) {
    err = bl_queue_read(queue, offset, entries, max, out_count);
    if (err != BL_ERR_COLD) break;
    struct bl_queue_warm warm;
    bl_queue_warm(queue, &warm, offset, on_warm);
    for (int turn = 0; turn < 1000 && warm.queue != NULL; turn++) world_settle(world);
  }
  return err;
}

/* Reads the whole queue. `wanted` are `count` messages, of which the first may be gone. */
static void compare_queue(struct world *world, struct bl_queue *found, int topic, int queue,
                          const struct world_message **wanted, int count) {
  char name[24];
  world_topic_name(topic, name);
  int64_t min = bl_store_marks(world->broker->store).min_offset;
  int64_t offset = found != NULL ? bl_queue_min_offset(found) : 0;
  int at = 0;
  for (uint32_t got = 1; found != NULL && got > 0;) {
    struct bl_queue_entry entries[64];
    bl_err err = read_entries(world, found, offset, entries, 64, &got);
    if (err != BL_OK) {
      world_complain(world, "%s queue %d cannot be read: %s", name, queue, bl_err_name(err));
      return;
    }
    for (uint32_t i = 0; i < got; i++) {
      offset = entries[i].queue_offset + entries[i].count;
      if (entries[i].log_offset < min) continue;
      while (at < count && wanted[at]->queue_offset < entries[i].queue_offset &&
             (wanted[at]->queue_offset < world->gone[topic][queue] || wanted[at]->log_offset < min))
        at++;
      compare_entry(world, name, queue, at, &entries[i], at < count ? wanted[at] : NULL);
      at++;
    }
  }
  while (at < count &&
         (wanted[at]->queue_offset < world->gone[topic][queue] || wanted[at]->log_offset < min))
    at++;
  if (at < count)
    world_complain(world, "%s queue %d ends before offset %lld (%d of %d messages are there)", name,
                   queue, (long long)wanted[at]->queue_offset, at, count);
}

static void check_queue(struct world *world, int topic, int queue) {
  const struct world_message **wanted =
      malloc((size_t)(world->message_count + 1) * sizeof(struct world_message *));
  BL_ASSERT(wanted != NULL);
  char name[24];
  world_topic_name(topic, name);
  int64_t next = 0;
  int count = wanted_of(world, topic, queue, wanted, &next);
  struct bl_queue *found = bl_queues_find(world->broker->queues, bl_slice_text(name), queue);
  int64_t assigned = found != NULL ? bl_queue_assigned_offset(found) : 0;
  if (assigned != next)
    world_complain(world, "%s queue %d goes on at %lld, not %lld", name, queue, (long long)assigned,
                   (long long)next);
  compare_queue(world, found, topic, queue, wanted, count);
  free(wanted);
}

static void on_found(struct bl_keys_search *search) {
  (void)search;
}

static void check_key(struct world *world, const struct world_message *message) {
  char name[24];
  char key[24];
  world_topic_name(message->topic, name);
  snprintf(key, sizeof(key), "k%016llx", (unsigned long long)message->id);
  struct bl_keys_search *search = calloc(1, sizeof(*search));
  BL_ASSERT(search != NULL);
  bl_keys_find(world->broker->keys, search, bl_slice_text(name), bl_slice_text(key), INT64_MAX, 32,
               on_found);
  bl_worker_finish(world->pool);
  bool there = false;
  for (uint32_t i = 0; i < search->count; i++) {
    if (search->offsets[i] == message->log_offset) there = true;
  }
  if (search->err != BL_OK || !there)
    world_complain(world, "key %s of %s at %lld is not found: %s", key, name,
                   (long long)message->log_offset, bl_err_name(search->err));
  free(search);
}

static void check_keys(struct world *world) {
  int64_t min = bl_store_marks(world->broker->store).min_offset;
  for (int i = 0; i < KEYS_LOOKED_UP && world->message_count > 0; i++) {
    const struct world_message *message =
        &world->messages[world_random(world) % (uint64_t)world->message_count];
    if (message->log_offset >= min) check_key(world, message);
  }
}

void world_check(struct world *world) {
  check_tables(world);
  check_offsets(world);
  for (int i = 0; i < WORLD_TOPICS * WORLD_QUEUES; i++) {
    if (world_has_topic(world, i / WORLD_QUEUES))
      check_queue(world, i / WORLD_QUEUES, i % WORLD_QUEUES);
  }
  check_keys(world);
}

/* Nothing that was acknowledged or synced may be beyond the end. */
static void check_end(struct world *world) {
  bool sync = world->settings.flush_mode == BL_FLUSH_SYNC;
  if (world->end < world->flushed)
    world_complain(world, "the log ends at %lld, but it was synced up to %lld",
                   (long long)world->end, (long long)world->flushed);
  for (int i = 0; i < world->message_count && sync; i++) {
    const struct world_message *message = &world->messages[i];
    if (message->acked && message->end > world->end)
      world_complain(world, "topic %d queue %d offset %lld was acknowledged and is lost",
                     message->topic, message->queue, (long long)message->queue_offset);
  }
  for (int i = 0; i < world->change_count && sync; i++) {
    if (world->changes[i].acked && world->changes[i].end > world->end)
      world_complain(world, "an acknowledged change of %s %d is lost",
                     world->changes[i].is_group ? "group" : "topic", world->changes[i].name);
  }
}

static void cut_ledger(struct world *world) {
  int kept = 0;
  while (kept < world->message_count && world->messages[kept].end <= world->end) kept++;
  world->message_count = kept;
  kept = 0;
  while (kept < world->change_count && world->changes[kept].end <= world->end) kept++;
  world->change_count = kept;
  while (world->logged_count > 0 && world->logged[world->logged_count - 1].at > world->end)
    world->logged_count--;
}

void world_check_crash(struct world *world) {
  struct bl_store_marks marks = bl_store_marks(world->broker->store);
  check_end(world);
  if (marks.min_offset > world->min_offset)
    world_complain(world, "the log begins at %lld, but nothing below %lld was deleted",
                   (long long)marks.min_offset, (long long)world->min_offset);
  cut_ledger(world);
  world_check(world);
  world_take_offsets(world);
}
