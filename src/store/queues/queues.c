#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "store/queues/queues_internal.h"

static void forget_queues(struct bl_queues *queues) {
  bl_queues__forget_repairs(queues);
  for (uint32_t i = 0; i < queues->count; i++) {
    free(bl_queues__at(queues, i)->tail);
    free(bl_queues__at(queues, i)->refs);
  }
  for (uint32_t i = 0; i < queues->count; i += BL_QUEUE_SLAB_QUEUES)
    free(queues->slabs[i / BL_QUEUE_SLAB_QUEUES]);
  bl_queue_names__fini(&queues->names);
  queues->count = 0;
  queues->light_count = 0;
  queues->expected_from = 0;
  queues->expected_to = 0;
  queues->changed.count = 0;
  queues->dumping.count = 0;
  queues->part_count = 0;
  queues->large_idle = 0;
  queues->log_min = 0;
  queues->swept_min = 0;
  queues->covered = 0;
  queues->tail_bytes = 0;
  queues->ref_bytes = 0;
  queues->name_bytes = 0;
  queues->chunk_count = 0;
  queues->entry_count = 0;
}

void bl_queues__clear(struct bl_queues *queues) {
  forget_queues(queues);
  bl_index__close_all(queues);
  queues->index_end = 0;
}

static int64_t needs_from(struct bl_follower *follower) {
  return ((struct bl_queues *)follower)->covered;
}

static void log_min_moved(struct bl_follower *follower, int64_t min_offset) {
  struct bl_queues *queues = (struct bl_queues *)follower;
  if (min_offset > queues->covered) queues->front_lost = true;
  /* Each queue drops what is below when it is next looked at, by a reader or by a snapshot. */
  if (min_offset > queues->log_min) queues->log_min = min_offset;
}

/* Positions go on, so that no chunk that a snapshot on the disk might still name is overwritten. */
static void discard(struct bl_follower *follower) {
  struct bl_queues *queues = (struct bl_queues *)follower;
  bl_queues__remove_snapshot(queues);
  forget_queues(queues);
  for (size_t i = 0; i < queues->segment_count; i++) queues->segments[i].last_log = -1;
}

static const struct bl_follower_ops follower_ops = {
    .name = "queues",
    .load = bl_queues__load,
    .discard = discard,
    .on_record = bl_queues__on_record,
    .snapshot_step = bl_queues__snapshot_step,
    .snapshot_done = bl_queues__snapshot_done,
    .needs_from = needs_from,
    .log_min_moved = log_min_moved,
    .unsettled = bl_queues__unsettled,
    .wants_again = bl_queues__wants_again,
    .on_again = bl_queues__on_again,
    .again_done = bl_queues__again_done,
};

struct bl_queues *bl_queues_new(const char *dir, struct bl_disk *disk, struct bl_worker *pool) {
  struct bl_queues *queues = calloc(1, sizeof(*queues));
  BL_ASSERT(queues != NULL);
  size_t dir_bytes = strlen(dir) + 1;
  queues->dir = malloc(dir_bytes);
  queues->scratch = malloc(BL_INDEX_CHUNK_BYTES_MAX);
  queues->pending.bytes = malloc(BL_INDEX_PENDING_BYTES);
  BL_ASSERT(queues->dir != NULL && queues->scratch != NULL && queues->pending.bytes != NULL);
  memcpy(queues->dir, dir, dir_bytes);
  queues->follower.ops = &follower_ops;
  queues->disk = disk;
  queues->pool = pool;
  queues->segment_bytes = BL_INDEX_SEGMENT_BYTES;
  queues->dump_step_bytes = BL_QUEUES_DUMP_STEP_BYTES;
  queues->refs_max = BL_QUEUE_REFS_MAX;
  queues->small_part_bytes = BL_QUEUES_SMALL_PART_BYTES;
  queues->tail_bytes_soft = BL_QUEUE_TAIL_BYTES_SOFT;
  queues->prepare.file = -1;
  for (int i = 0; i < BL_INDEX_CACHE_CHUNKS; i++) queues->cache[i].position = -1;
  return queues;
}

void bl_queues_free(struct bl_queues *queues) {
  if (queues == NULL) return;
  if (queues->jobs > 0) bl_worker_finish(queues->pool);
  BL_ASSERT(queues->jobs == 0);
  bl_queues__clear(queues);
  for (int i = 0; i < BL_INDEX_CACHE_CHUNKS; i++) free(queues->cache[i].units);
  free(queues->changed.items);
  free(queues->dumping.items);
  free(queues->expected);
  free(queues->slabs);
  free(queues->parts_of);
  free(queues->segments);
  free(queues->pending.bytes);
  free(queues->scratch);
  free(queues->dir);
  free(queues);
}

struct bl_follower *bl_queues_follower(struct bl_queues *queues) {
  return &queues->follower;
}

void bl_queues__set_segment_bytes(struct bl_queues *queues, int64_t bytes) {
  BL_ASSERT(bytes >= BL_INDEX_CHUNK_BYTES_MAX && queues->index_end == 0);
  queues->segment_bytes = bytes;
}

void bl_queues__path(const struct bl_queues *queues, const char *name, char out_path[512]) {
  int len = snprintf(out_path, 512, "%s/bolide%s%s", queues->dir, name[0] != '\0' ? "/" : "", name);
  BL_ASSERT(len > 0 && len < 512);
}

void bl_queues_on_entry(struct bl_queues *queues,
                        void (*on_entry)(void *context, struct bl_queue *queue,
                                         const struct bl_queue_entry *entry,
                                         const struct bl_record *record),
                        void *context) {
  queues->on_entry = on_entry;
  queues->on_entry_context = context;
}

void bl_queues__add_number(struct bl_queue_numbers *numbers, uint32_t number) {
  if (numbers->count == numbers->cap) {
    numbers->cap = numbers->cap > 0 ? numbers->cap * 2 : 64;
    numbers->items = realloc(numbers->items, numbers->cap * sizeof(uint32_t));
    BL_ASSERT(numbers->items != NULL);
  }
  numbers->items[numbers->count++] = number;
}

void bl_queues__add_changed(struct bl_queues *queues, struct bl_queue *queue) {
  queue->changed = true;
  bl_queues__add_number(&queues->changed, queue->number);
}

/* Place of the id in the topic's queues, or where it belongs. Ids are dense nearly always, so the
 * queue is mostly at its own number. */
static uint32_t place_of(const struct bl_queue_topic *topic, int32_t queue_id) {
  if (queue_id >= 0 && (uint32_t)queue_id < topic->count && topic->list[queue_id]->id == queue_id) {
    return (uint32_t)queue_id;
  }
  uint32_t low = 0;
  uint32_t high = topic->count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (topic->list[middle]->id < queue_id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

static struct bl_queue *find_in(const struct bl_queue_topic *topic, int32_t queue_id) {
  if (topic == NULL) return NULL;
  uint32_t place = place_of(topic, queue_id);
  return place < topic->count && topic->list[place]->id == queue_id ? topic->list[place] : NULL;
}

struct bl_queue *bl_queues_find(const struct bl_queues *queues, struct bl_slice topic_name,
                                int32_t queue_id) {
  return find_in(bl_queue_names__find(&queues->names, topic_name), queue_id);
}

static void add_to_topic(struct bl_queue_topic *topic, struct bl_queue *queue) {
  if (topic->count == topic->cap) {
    struct bl_queue **old = topic->list == &topic->one ? NULL : topic->list;
    topic->cap *= 2;
    topic->list = realloc(old, topic->cap * sizeof(struct bl_queue *));
    BL_ASSERT(topic->list != NULL);
    if (old == NULL) topic->list[0] = topic->one;
    bl_queue__queues(queue)->name_bytes += (int64_t)(topic->cap / 2 * sizeof(struct bl_queue *));
  }
  uint32_t place = place_of(topic, queue->id);
  memmove(topic->list + place + 1, topic->list + place,
          (topic->count - place) * sizeof(struct bl_queue *));
  topic->list[place] = queue;
  topic->count++;
}

/* Room for one more, in a slab that no queue ever leaves. */
static struct bl_queue *take_room(struct bl_queues *queues) {
  if (queues->count == queues->cap) {
    queues->cap = queues->cap > 0 ? queues->cap * 2 : BL_QUEUE_SLAB_QUEUES;
    queues->slabs =
        realloc(queues->slabs, queues->cap / BL_QUEUE_SLAB_QUEUES * sizeof(struct bl_queue_slab *));
    queues->parts_of = realloc(queues->parts_of, queues->cap * sizeof(uint64_t));
    BL_ASSERT(queues->slabs != NULL && queues->parts_of != NULL);
  }
  if (queues->count % BL_QUEUE_SLAB_QUEUES == 0) {
    struct bl_queue_slab *slab = aligned_alloc(BL_QUEUE_SLAB_BYTES, sizeof(*slab));
    BL_ASSERT(slab != NULL);
    slab->queues = queues;
    queues->slabs[queues->count / BL_QUEUE_SLAB_QUEUES] = slab;
  }
  queues->parts_of[queues->count] = 0;
  return bl_queues__at(queues, queues->count);
}

bl_err bl_queues_open_queue(struct bl_queues *queues, struct bl_slice topic_name, int32_t queue_id,
                            struct bl_queue **out_queue) {
  struct bl_queue_topic *topic = bl_queue_names__find(&queues->names, topic_name);
  struct bl_queue *queue = find_in(topic, queue_id);
  *out_queue = queue;
  if (queue != NULL) return BL_OK;
  if (queues->count >= BL_QUEUES_MAX) return BL_ERR_FULL;
  if (topic_name.len == 0 || topic_name.len > BL_QUEUE_TOPIC_BYTES_MAX || queue_id < 0) {
    return BL_ERR_PARAMETER;
  }
  if (topic == NULL) topic = bl_queue_names__add(queues, topic_name);
  queue = take_room(queues);
  *queue = (struct bl_queue){
      .topic = topic,
      .id = queue_id,
      .number = queues->count++,
      .last_log = -1,
      .retired = topic->retired,
  };
  add_to_topic(topic, queue);
  if (bl_slice_starts(topic_name, BL_LIGHT_PREFIX)) queues->light_count++;
  *out_queue = queue;
  return BL_OK;
}

uint32_t bl_queues_light_count(const struct bl_queues *queues) {
  return queues->light_count;
}

struct bl_slice bl_queue_topic(const struct bl_queue *queue) {
  return bl_queue__topic_name(queue->topic);
}
int32_t bl_queue_id(const struct bl_queue *queue) {
  return queue->id;
}
void *bl_queue_user(const struct bl_queue *queue) {
  return queue->user;
}
void bl_queue_set_user(struct bl_queue *queue, void *user) {
  queue->user = user;
}

int64_t bl_queue_assign(struct bl_queue *queue, uint32_t count) {
  BL_ASSERT(count > 0 && queue->assigned <= INT64_MAX - count);
  int64_t offset = queue->assigned;
  queue->assigned += count;
  return offset;
}

int64_t bl_queue_min_offset(const struct bl_queue *queue) {
  /* What retention dropped is worked out when somebody asks, so asking may change the queue. */
  bl_queue__drop_below_floor((struct bl_queue *)queue, false);
  return queue->min;
}

int64_t bl_queue_max_offset(const struct bl_queue *queue) {
  return queue->next;
}
bool bl_queues_front_lost(const struct bl_queues *queues) {
  return queues->front_lost;
}

void bl_queue_go_on_at(struct bl_queue *queue, int64_t offset) {
  if (offset <= queue->next || offset > INT64_MAX / 2) return;
  if (queue->tail_count == 0 && queue->ref_count == 0) {
    queue->min = offset;
    queue->next = offset;
    queue->tail_base = offset;
    bl_queue__mark_changed(bl_queue__queues(queue), queue);
  }
  if (queue->assigned < offset) queue->assigned = offset;
}

int64_t bl_queue_assigned_offset(const struct bl_queue *queue) {
  return queue->assigned;
}

void bl_queues_retire_queue(struct bl_queue *queue, int64_t log_offset) {
  if (queue->retired >= log_offset) return;
  queue->retired = log_offset;
  bl_queue__mark_changed(bl_queue__queues(queue), queue);
}

void bl_queues_retire_topic(struct bl_queues *queues, struct bl_slice topic_name,
                            int64_t log_offset) {
  struct bl_queue_topic *topic = bl_queue_names__find(&queues->names, topic_name);
  if (topic == NULL || topic->retired >= log_offset) return;
  topic->retired = log_offset;
  for (uint32_t i = 0; i < topic->count; i++) bl_queues_retire_queue(topic->list[i], log_offset);
}

struct bl_queue *bl_queues_next(const struct bl_queues *queues, size_t *cursor) {
  return *cursor < queues->count ? bl_queues__at(queues, (uint32_t)(*cursor)++) : NULL;
}

void bl_queues_stats(const struct bl_queues *queues, struct bl_queues_stats *out_stats) {
  int64_t cached = 0;
  for (int i = 0; i < BL_INDEX_CACHE_CHUNKS; i++) cached += queues->cache[i].units != NULL;
  size_t of_queues = queues->count * (sizeof(struct bl_queue) + sizeof(uint64_t)) +
                     (queues->changed.cap + queues->dumping.cap) * sizeof(uint32_t);
  *out_stats = (struct bl_queues_stats){
      .queue_count = (int64_t)queues->count,
      .light_count = (int64_t)queues->light_count,
      .entry_count = queues->entry_count,
      .chunk_count = queues->chunk_count,
      .memory_bytes = (int64_t)(sizeof(*queues) + of_queues + BL_INDEX_PENDING_BYTES) +
                      queues->tail_bytes + queues->ref_bytes + queues->name_bytes +
                      cached * (int64_t)(BL_QUEUE_CHUNK_UNITS * sizeof(struct bl_queue_unit)),
      .index_bytes = (int64_t)queues->segment_count * queues->segment_bytes,
  };
  if (queues->segment_count > 0) {
    const struct bl_index_segment *last = &queues->segments[queues->segment_count - 1];
    int64_t unused = (last->number + 1) * queues->segment_bytes - queues->index_end;
    out_stats->index_bytes -= unused;
  }
}
