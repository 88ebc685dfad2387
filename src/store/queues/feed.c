#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "store/entry.h"
#include "store/queues/queues_internal.h"
#include "wire/properties.h"

static struct bl_log_limit refused_limit = {.per_second = 1};

/* With room for what it may span. */
static bool is_offset(int64_t queue_offset) {
  return queue_offset >= 0 && queue_offset <= INT64_MAX - UINT32_MAX;
}

bool bl_queues__unit_of(const struct bl_record *record, struct bl_queue_entry *out_entry,
                        struct bl_entry *out_derived) {
  if (!is_offset(record->queue_offset)) return false;
  *out_derived = bl_entry_of(record);
  if (!out_derived->any) return false;
  *out_entry = (struct bl_queue_entry){
      .queue_offset = record->queue_offset,
      .log_offset = record->log_offset,
      .size_bytes = record->size_bytes,
      .count = out_derived->count,
      .tags_code = out_derived->tags_code,
  };
  return true;
}

/* The offset is not the next one. RETURNS with the tail such that the record's unit can be pushed.
 */
static void skip_or_restart(struct bl_queues *queues, struct bl_queue *queue, int64_t offset) {
  bl_queue__drop_below_floor(queue, false);
  if (offset < queue->next) {
    /* Created again by a broker that begins at 0; what was before is of another life. */
    bl_queue__drop_all(queue);
    queue->assigned = offset;
    queue->min = offset;
  } else if (queue->tail_count > 0) {
    int64_t gap = offset - queue->next;
    int64_t span = queue->next - queue->tail_base;
    if (gap <= BL_QUEUE_HOLE_SPAN_MAX && gap + span <= BL_QUEUE_HOLE_SPAN_MAX) {
      struct bl_queue_unit hole = {
          .log_offset = queue->tail[queue->tail_count - 1].log_offset,
          .end = (uint32_t)(gap + span),
      };
      bl_queue__push(queues, queue, hole);
      return;
    }
    /* Neither on the disk nor in one tail: the newer part counts. */
    if (!bl_queue__spill_above(queue, 0)) bl_queue__drop_all(queue);
  }
  if (queue->min == queue->next) queue->min = offset;
  queue->tail_base = offset;
}

/* A topic was deleted. The table of topics says so too, but only for records that it did not know
 * yet: an index that is made anew would show what was deleted long ago. */
static void look_for_deletion(struct bl_queues *queues, const struct bl_record *record) {
  if (!bl_slice_is(record->topic, "rmq_sys_bolide_meta")) return;
  struct bl_slice table = bl_properties_get(record->properties, BL_PROP_TAGS);
  struct bl_slice op = bl_properties_get(record->properties, BL_SLICE("BOLIDE_OP"));
  struct bl_slice name = bl_properties_get(record->properties, BL_SLICE("BOLIDE_NAME"));
  if (!bl_slice_is(table, "topic") || !bl_slice_is(op, "delete") || name.ptr == NULL) return;
  bl_queues_retire_topic(queues, name, record->log_offset);
}

/* The queue of a record that was appended in this run, without a look-up by name. */
static struct bl_queue *take_expected(struct bl_queues *queues, int64_t log_offset) {
  while (queues->expected_from != queues->expected_to) {
    const struct bl_queue_expected *next =
        &queues->expected[queues->expected_from % BL_QUEUES_EXPECTED_MAX];
    if (next->log_offset > log_offset) break;
    queues->expected_from++;
    if (next->log_offset == log_offset) return next->queue;
  }
  return NULL;
}

int64_t bl_queue_assign_at(struct bl_queue *queue, uint32_t count, int64_t log_offset) {
  struct bl_queues *queues = bl_queue__queues(queue);
  if (queues->expected == NULL) {
    queues->expected = malloc(BL_QUEUES_EXPECTED_MAX * sizeof(*queues->expected));
    BL_ASSERT(queues->expected != NULL);
  }
  if (queues->expected_from == queues->expected_to) { /* the same few lines again and again */
    queues->expected_from = 0;
    queues->expected_to = 0;
  }
  if (queues->expected_to - queues->expected_from < BL_QUEUES_EXPECTED_MAX) {
    queues->expected[queues->expected_to++ % BL_QUEUES_EXPECTED_MAX] =
        (struct bl_queue_expected){log_offset, queue};
  }
  __builtin_prefetch(queue->tail + queue->tail_count, 1);
  return bl_queue_assign(queue, count);
}

static struct bl_queue *queue_of(struct bl_queues *queues, const struct bl_record *record) {
  struct bl_queue *queue = take_expected(queues, record->log_offset);
  if (queue != NULL) return queue;
  bl_err err = bl_queues_open_queue(queues, record->topic, record->queue_id, &queue);
  return err == BL_OK ? queue : NULL;
}

static void refuse(struct bl_queues *queues, const struct bl_record *record) {
  queues->refused++;
  bl_log_limited(&refused_limit, BL_LOG_ERROR, "store", "queues.record.refused",
                 "log_offset=%" PRId64 " queue_id=%" PRId32 " queue_offset=%" PRId64
                 " queues=%" PRIu32,
                 record->log_offset, record->queue_id, record->queue_offset, queues->count);
}

static void add_entry(struct bl_queues *queues, struct bl_queue *queue,
                      const struct bl_queue_entry *entry, const struct bl_record *record) {
  if (entry->log_offset <= queue->last_log) return;
  if (entry->queue_offset != queue->next) skip_or_restart(queues, queue, entry->queue_offset);
  queue->next = entry->queue_offset + entry->count;
  if (queue->assigned < queue->next) queue->assigned = queue->next;
  queue->last_log = entry->log_offset;
  struct bl_queue_unit unit = {
      .log_offset = entry->log_offset,
      .tags_code = entry->tags_code,
      .size_bytes = entry->size_bytes,
      .end = (uint32_t)(queue->next - queue->tail_base),
  };
  bl_queue__push(queues, queue, unit);
  if (queues->on_entry != NULL) queues->on_entry(queues->on_entry_context, queue, entry, record);
}

/* A light queue that the record names twice has it once: it is there already. An offset that the
 * queue is beyond is of another record that this one is a copy of (or 0: the queue begins anew). */
static void add_light(struct bl_queues *queues, const struct bl_record *record,
                      struct bl_queue_entry entry, struct bl_entry *derived) {
  struct bl_light_place place;
  entry.count = 1;
  while (bl_light_next(derived, &place)) {
    struct bl_queue *queue;
    entry.queue_offset = place.queue_offset;
    if (!is_offset(place.queue_offset) ||
        bl_queues_open_queue(queues, place.queue, BL_LIGHT_QUEUE_ID, &queue) != BL_OK) {
      refuse(queues, record);
    } else if (place.queue_offset >= queue->next || place.queue_offset == 0) {
      add_entry(queues, queue, &entry, record);
    }
  }
}

void bl_queues__on_record(struct bl_follower *follower, const struct bl_record *record) {
  struct bl_queues *queues = (struct bl_queues *)follower;
  struct bl_queue_entry entry;
  struct bl_entry derived;
  bool any = bl_queues__unit_of(record, &entry, &derived);
  if (record->topic.len == 19) look_for_deletion(queues, record);
  struct bl_queue *queue = any ? queue_of(queues, record) : NULL;
  if (queue == NULL && !any && is_offset(record->queue_offset)) return;
  if (queue == NULL) {
    refuse(queues, record);
  } else {
    add_entry(queues, queue, &entry, record);
  }
  if (any && derived.light_names.len > 0) add_light(queues, record, entry, &derived);
}
