#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "store/queues/queues_internal.h"

static void free_queue(struct bl_queue *queue) {
  free(queue->tail);
  free(queue->chunks);
  free(queue);
}

static void forget_queues(struct bl_queues *queues) {
  for (size_t i = 0; i < queues->count; i++) free_queue(queues->all[i]);
  size_t cursor = 0;
  for (const struct bl_map_entry *entry; (entry = bl_map_next(&queues->topics, &cursor)) != NULL;) {
    struct bl_queue_topic *topic = entry->value;
    free(topic->queues);
    free(topic);
  }
  bl_map_fini(&queues->topics);
  bl_map_init(&queues->topics);
  queues->count = 0;
  queues->log_min = 0;
  queues->covered = 0;
  queues->tail_bytes = 0;
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
  /* Each queue drops what is below when it is next looked at, by a reader or by a snapshot. */
  if (min_offset > queues->log_min) queues->log_min = min_offset;
}

/* Positions go on, so that no chunk that a snapshot on the disk might still name is overwritten. */
static void discard(struct bl_follower *follower) {
  struct bl_queues *queues = (struct bl_queues *)follower;
  forget_queues(queues);
  for (size_t i = 0; i < queues->segment_count; i++) queues->segments[i].live = 0;
  bl_queues__remove_snapshot(queues);
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
};

struct bl_queues *bl_queues_new(const char *dir, struct bl_disk *disk, struct bl_worker *pool) {
  struct bl_queues *queues = calloc(1, sizeof(*queues));
  BL_ASSERT(queues != NULL);
  size_t dir_bytes = strlen(dir) + 1;
  queues->dir = malloc(dir_bytes);
  queues->scratch = malloc(BL_INDEX_CHUNK_BYTES_MAX);
  BL_ASSERT(queues->dir != NULL && queues->scratch != NULL);
  memcpy(queues->dir, dir, dir_bytes);
  queues->follower.ops = &follower_ops;
  queues->disk = disk;
  queues->pool = pool;
  queues->segment_bytes = BL_INDEX_SEGMENT_BYTES;
  queues->dump_step_bytes = BL_QUEUES_DUMP_STEP_BYTES;
  queues->prepare.file = -1;
  for (int i = 0; i < BL_INDEX_CACHE_CHUNKS; i++) queues->cache[i].position = -1;
  bl_map_init(&queues->topics);
  return queues;
}

void bl_queues_free(struct bl_queues *queues) {
  if (queues == NULL) return;
  if (queues->jobs > 0) bl_worker_finish(queues->pool);
  BL_ASSERT(queues->jobs == 0);
  bl_queues__clear(queues);
  bl_map_fini(&queues->topics);
  for (int i = 0; i < BL_INDEX_CACHE_CHUNKS; i++) free(queues->cache[i].units);
  free(queues->all);
  free(queues->segments);
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

/* Place of the id in the topic's queues, or where it belongs. Ids are dense nearly always, so the
 * queue is mostly at its own number. */
static uint32_t place_of(const struct bl_queue_topic *topic, int32_t queue_id) {
  if (queue_id >= 0 && (uint32_t)queue_id < topic->count &&
      topic->queues[queue_id]->id == queue_id) {
    return (uint32_t)queue_id;
  }
  uint32_t low = 0;
  uint32_t high = topic->count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (topic->queues[middle]->id < queue_id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

struct bl_queue *bl_queues_find(const struct bl_queues *queues, struct bl_slice topic_name,
                                int32_t queue_id) {
  struct bl_queue_topic *topic = bl_map_get(&queues->topics, topic_name);
  if (topic == NULL) return NULL;
  uint32_t place = place_of(topic, queue_id);
  return place < topic->count && topic->queues[place]->id == queue_id ? topic->queues[place] : NULL;
}

static struct bl_queue_topic *make_topic(struct bl_queues *queues, struct bl_slice name) {
  struct bl_queue_topic *topic = calloc(1, sizeof(*topic) + name.len);
  BL_ASSERT(topic != NULL);
  memcpy(topic->bytes, name.ptr, name.len);
  topic->name = bl_slice_of(topic->bytes, name.len);
  bl_map_put(&queues->topics, topic->name, topic);
  return topic;
}

static void add_to_topic(struct bl_queue_topic *topic, struct bl_queue *queue) {
  if (topic->count == topic->cap) {
    topic->cap = topic->cap > 0 ? topic->cap * 2 : 1;
    topic->queues = realloc(topic->queues, topic->cap * sizeof(struct bl_queue *));
    BL_ASSERT(topic->queues != NULL);
  }
  uint32_t place = place_of(topic, queue->id);
  memmove(topic->queues + place + 1, topic->queues + place,
          (topic->count - place) * sizeof(struct bl_queue *));
  topic->queues[place] = queue;
  topic->count++;
}

static void add_to_all(struct bl_queues *queues, struct bl_queue *queue) {
  if (queues->count == queues->cap) {
    queues->cap = queues->cap > 0 ? queues->cap * 2 : 16;
    queues->all = realloc(queues->all, queues->cap * sizeof(struct bl_queue *));
    BL_ASSERT(queues->all != NULL);
  }
  queues->all[queues->count++] = queue;
}

bl_err bl_queues_open_queue(struct bl_queues *queues, struct bl_slice topic_name, int32_t queue_id,
                            struct bl_queue **out_queue) {
  struct bl_queue_topic *topic = bl_map_get(&queues->topics, topic_name);
  if (topic != NULL) {
    uint32_t place = place_of(topic, queue_id);
    if (place < topic->count && topic->queues[place]->id == queue_id) {
      *out_queue = topic->queues[place];
      return BL_OK;
    }
  }
  if (queues->count >= BL_QUEUES_MAX) return BL_ERR_FULL;
  if (topic_name.len == 0 || topic_name.len > BL_QUEUE_TOPIC_BYTES_MAX || queue_id < 0) {
    return BL_ERR_PARAMETER;
  }
  if (topic == NULL) topic = make_topic(queues, topic_name);
  struct bl_queue *queue = calloc(1, sizeof(*queue));
  BL_ASSERT(queue != NULL);
  queue->queues = queues;
  queue->topic = topic;
  queue->id = queue_id;
  queue->last_log = -1;
  add_to_topic(topic, queue);
  add_to_all(queues, queue);
  *out_queue = queue;
  return BL_OK;
}

struct bl_slice bl_queue_topic(const struct bl_queue *queue) {
  return queue->topic->name;
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
int64_t bl_queue_assigned_offset(const struct bl_queue *queue) {
  return queue->assigned;
}

void bl_queues_retire_topic(struct bl_queues *queues, struct bl_slice topic_name,
                            int64_t log_offset) {
  struct bl_queue_topic *topic = bl_map_get(&queues->topics, topic_name);
  if (topic == NULL || topic->retired >= log_offset) return;
  topic->retired = log_offset;
  for (uint32_t i = 0; i < topic->count; i++) topic->queues[i]->changed = true;
}

struct bl_queue *bl_queues_next(const struct bl_queues *queues, size_t *cursor) {
  return *cursor < queues->count ? queues->all[(*cursor)++] : NULL;
}

void bl_queues_stats(const struct bl_queues *queues, struct bl_queues_stats *out_stats) {
  int64_t cached = 0;
  for (int i = 0; i < BL_INDEX_CACHE_CHUNKS; i++) cached += queues->cache[i].units != NULL;
  *out_stats = (struct bl_queues_stats){
      .queue_count = (int64_t)queues->count,
      .entry_count = queues->entry_count,
      .chunk_count = queues->chunk_count,
      .memory_bytes = (int64_t)(sizeof(*queues) +
                                queues->count * (sizeof(struct bl_queue) + 2 * sizeof(void *)) +
                                (size_t)queues->chunk_count * sizeof(struct bl_chunk_ref)) +
                      queues->tail_bytes +
                      cached * (int64_t)(BL_QUEUE_CHUNK_UNITS * sizeof(struct bl_queue_unit)),
      .index_bytes = (int64_t)queues->segment_count * queues->segment_bytes,
  };
  if (queues->segment_count > 0) {
    const struct bl_index_segment *last = &queues->segments[queues->segment_count - 1];
    int64_t unused = (last->number + 1) * queues->segment_bytes - queues->index_end;
    out_stats->index_bytes -= unused;
  }
}
