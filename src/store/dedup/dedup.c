#include "store/dedup/dedup.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash64.h"
#include "store/dedup/dedup_internal.h"
#include "wire/properties.h"

#define WINDOW_MS_MIN 1000
#define BL_DEDUP_CLOSE_ENTRIES 65536
#define LIMIT_SAMPLES 64
#define SWEEPS_PER_WINDOW 256
#define SWEEP_MS_MIN 250
#define SWEEP_MS_MAX 60000

/* The seed belongs to the store: who sends cannot choose keys that meet. */
uint64_t bl_dedup_hash(const struct bl_dedup *dedup, struct bl_slice topic, struct bl_slice key) {
  uint64_t state = bl_hash64_bytes(dedup->seed ^ BL_HASH64_B, topic);
  return bl_hash64_mix(bl_hash64_bytes(state, key) ^ BL_HASH64_B, BL_HASH64_A);
}

/* A wall clock that jumps does not end windows: only what passed since the start counts. */
int64_t bl_dedup__now_ms(const struct bl_dedup *dedup) {
  return dedup->wall_base_ms + (bl_clock_mono_ms(dedup->clock) - dedup->mono_base_ms);
}

/* 1, 1.25, 1.5 or 1.75 times a power of two: few classes, none a quarter too long. */
static int64_t class_window(int64_t window_ms) {
  int64_t power = WINDOW_MS_MIN;
  if (window_ms <= power) return power;
  while (power <= window_ms / 2) power *= 2;
  int64_t step = power / 4;
  return (window_ms + step - 1) / step * step;
}

struct bl_dedup_class *bl_dedup__class(struct bl_dedup *dedup, int64_t window_ms) {
  int64_t window = class_window(window_ms);
  for (struct bl_list *node = dedup->classes.next; node != &dedup->classes; node = node->next) {
    struct bl_dedup_class *of = BL_CONTAINER(node, struct bl_dedup_class, node);
    if (of->window_ms == window) return of;
  }
  struct bl_dedup_class *of = calloc(1, sizeof(*of));
  BL_ASSERT(of != NULL);
  of->window_ms = window;
  /* Its keys will all be of records that are shown from here on. */
  of->floor = dedup->last_log > dedup->log_min ? dedup->last_log : dedup->log_min;
  of->newest = -1;
  of->tail_last = -1;
  bl_list_init(&of->tail);
  bl_list_init(&of->parts);
  bl_list_add_last(&dedup->classes, &of->node);
  return of;
}

/* The oldest sample's keys count no more. */
static void drop_sample(struct bl_dedup *dedup, struct bl_dedup_class *of) {
  BL_ASSERT(of->sample_count > 0);
  int64_t next = of->sample_count > 1 ? of->samples[1].from : of->newest + 1;
  of->keys -= of->samples[0].count;
  dedup->keys -= of->samples[0].count;
  of->sample_count--;
  memmove(of->samples, of->samples + 1, (size_t)of->sample_count * sizeof(of->samples[0]));
  if (next > of->floor) of->floor = next;
}

void bl_dedup__expire(struct bl_dedup *dedup, struct bl_dedup_class *of, int64_t now_ms) {
  while (of->sample_count > 0 && of->samples[0].end_ms + of->window_ms < now_ms)
    drop_sample(dedup, of);
}

static struct bl_dedup_class *fullest(const struct bl_dedup *dedup) {
  struct bl_dedup_class *found = NULL;
  for (struct bl_list *node = dedup->classes.next; node != &dedup->classes; node = node->next) {
    struct bl_dedup_class *of = BL_CONTAINER(node, struct bl_dedup_class, node);
    if (found == NULL || of->keys > found->keys) found = of;
  }
  return found;
}

static void keep_limit(struct bl_dedup *dedup) {
  while (dedup->keys > dedup->keys_max) {
    struct bl_dedup_class *of = fullest(dedup);
    BL_ASSERT(of != NULL && of->sample_count > 0);
    dedup->forgotten += of->samples[0].count;
    drop_sample(dedup, of);
  }
}

/* The sample that a new key counts in. */
static struct bl_dedup_sample *sample_for(const struct bl_dedup *dedup, struct bl_dedup_class *of,
                                          int64_t offset, int64_t at_ms) {
  struct bl_dedup_sample *last = of->sample_count > 0 ? &of->samples[of->sample_count - 1] : NULL;
  if (last != NULL && offset <= of->newest)
    return last; /* shown late: time is that of the others */
  bool same = last != NULL &&
              at_ms < last->start_ms + of->window_ms / BL_DEDUP_SAMPLES_PER_WINDOW &&
              last->count < dedup->keys_max / LIMIT_SAMPLES;
  if (same || of->sample_count == BL_DEDUP_SAMPLES_MAX) return last;
  last = &of->samples[of->sample_count++];
  *last = (struct bl_dedup_sample){.from = offset, .start_ms = at_ms, .end_ms = at_ms};
  return last;
}

bool bl_dedup__count(struct bl_dedup *dedup, struct bl_dedup_class *of, uint64_t hash,
                     int64_t offset, int64_t at_ms) {
  /* What the slots cannot hold: a window of more than a tebibyte of log. */
  while (of->sample_count > 0 && offset - of->floor >= BL_DEDUP_SPAN_BYTES) {
    dedup->forgotten += of->samples[0].count;
    drop_sample(dedup, of);
  }
  if (of->sample_count == 0 && offset - of->floor >= BL_DEDUP_SPAN_BYTES) of->floor = offset;
  if (offset < of->floor || !bl_dedup__table_add(&of->table, hash, offset, of->floor)) return false;
  struct bl_dedup_sample *sample = sample_for(dedup, of, offset, at_ms);
  sample->count++;
  if (at_ms > sample->end_ms) sample->end_ms = at_ms;
  if (offset > of->newest) of->newest = offset;
  of->keys++;
  dedup->keys++;
  keep_limit(dedup);
  return true;
}

void bl_dedup_add(struct bl_dedup *dedup, uint64_t hash, int64_t log_offset, int64_t window_ms) {
  struct bl_dedup_class *of = bl_dedup__class(dedup, window_ms);
  int64_t now_ms = bl_dedup__now_ms(dedup);
  bl_dedup__expire(dedup, of, now_ms);
  (void)bl_dedup__count(dedup, of, hash, log_offset, now_ms);
}

/* When the entry came at the latest. */
static int64_t end_ms_of(const struct bl_dedup_class *of, int64_t offset) {
  int at = 0;
  int to = of->sample_count;
  while (to - at > 1) {
    int middle = (at + to) / 2;
    if (of->samples[middle].from <= offset) {
      at = middle;
    } else {
      to = middle;
    }
  }
  return of->samples[at].end_ms;
}

uint32_t bl_dedup_find(struct bl_dedup *dedup, uint64_t hash, int64_t window_ms,
                       int64_t out_offsets[BL_DEDUP_FIND_MAX]) {
  int64_t now_ms = bl_dedup__now_ms(dedup);
  uint32_t count = 0;
  for (struct bl_list *node = dedup->classes.next; node != &dedup->classes; node = node->next) {
    struct bl_dedup_class *of = BL_CONTAINER(node, struct bl_dedup_class, node);
    int64_t found[BL_DEDUP_FIND_MAX];
    bl_dedup__expire(dedup, of, now_ms);
    if (of->sample_count == 0) continue;
    uint32_t n = bl_dedup__table_find(&of->table, hash, of->floor, found, BL_DEDUP_FIND_MAX);
    for (uint32_t i = 0; i < n; i++) {
      if (end_ms_of(of, found[i]) + window_ms < now_ms) continue;
      uint32_t at = count;
      while (at > 0 && out_offsets[at - 1] > found[i]) at--;
      if (at == BL_DEDUP_FIND_MAX || (at > 0 && out_offsets[at - 1] == found[i])) continue;
      if (count < BL_DEDUP_FIND_MAX) count++;
      memmove(out_offsets + at + 1, out_offsets + at, (count - 1 - at) * sizeof(int64_t));
      out_offsets[at] = found[i];
    }
  }
  return count;
}

void bl_dedup__put_tail(struct bl_dedup_class *of, uint64_t hash, int64_t offset) {
  struct bl_dedup_chunk *chunk =
      bl_list_empty(&of->tail) ? NULL : BL_CONTAINER(of->tail.prev, struct bl_dedup_chunk, node);
  if (chunk == NULL || chunk->sealed || chunk->count == BL_DEDUP_CHUNK_ENTRIES) {
    chunk = malloc(sizeof(*chunk));
    BL_ASSERT(chunk != NULL);
    chunk->count = 0;
    chunk->sealed = false;
    bl_list_add_last(&of->tail, &chunk->node);
  }
  char *at = chunk->bytes + (size_t)chunk->count * BL_DEDUP_ENTRY_BYTES;
  bl_store_u64(at, hash);
  bl_store_u16(at + 8, (uint16_t)((uint64_t)offset >> 32));
  bl_store_u32(at + 10, (uint32_t)offset);
  chunk->count++;
  of->tail_count++;
  of->tail_last = offset;
}

/* The topic that the message is for: a delayed or half message waits in another one. */
static struct bl_slice topic_of(const struct bl_record *record) {
  static const char *const waiting[] = {"SCHEDULE_TOPIC_XXXX", "rmq_sys_wheel_timer",
                                        "RMQ_SYS_TRANS_HALF_TOPIC"};
  char letter = record->topic.len > 0 ? record->topic.ptr[0] : '\0';
  if (letter != 'S' && letter != 'r' && letter != 'R') return record->topic;
  for (size_t i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++) {
    if (!bl_slice_is(record->topic, waiting[i])) continue;
    struct bl_slice real = bl_properties_get(record->properties, BL_PROP_REAL_TOPIC);
    return real.ptr != NULL ? real : record->topic;
  }
  return record->topic;
}

/* It was added when it was appended: then its time is known, whatever the record says. */
static bool is_there(const struct bl_dedup_class *of, uint64_t hash, int64_t offset) {
  int64_t found[BL_DEDUP_FIND_MAX];
  uint32_t count = bl_dedup__table_find(&of->table, hash, of->floor, found, BL_DEDUP_FIND_MAX);
  while (count > 0 && found[count - 1] != offset) count--;
  return count > 0;
}

/* Shown again after a lost snapshot, a record is as old as it says. */
static void on_record(struct bl_follower *follower, const struct bl_record *record) {
  struct bl_dedup *dedup = (struct bl_dedup *)follower;
  if (record->log_offset <= dedup->last_log) return;
  dedup->last_log = record->log_offset;
  if (bl_list_empty(dedup->topics.active)) return;
  if ((record->sys_flag & BL_SYS_TRANSACTION_MASK) == BL_SYS_ROLLBACK) return;
  struct bl_slice topic = topic_of(record);
  int64_t window_ms = dedup->topics.window_ms(dedup->topics.context, topic);
  if (window_ms <= 0) return;
  struct bl_slice key = bl_properties_get(record->properties, BL_PROP_UNIQ_KEY);
  if (key.len == 0) return;
  int64_t now_ms = bl_dedup__now_ms(dedup);
  int64_t at_ms = record->store_ms < now_ms ? record->store_ms : now_ms;
  struct bl_dedup_class *of = bl_dedup__class(dedup, window_ms);
  uint64_t hash = bl_dedup_hash(dedup, topic, key);
  bl_dedup__expire(dedup, of, now_ms);
  if (at_ms + window_ms < now_ms && !is_there(of, hash, record->log_offset)) return;
  (void)bl_dedup__count(dedup, of, hash, record->log_offset, at_ms);
  if (record->log_offset >= of->floor) bl_dedup__put_tail(of, hash, record->log_offset);
}

static int64_t needs_from(struct bl_follower *follower) {
  return ((struct bl_dedup *)follower)->covered;
}

/* A key goes with its record. */
static void log_min_moved(struct bl_follower *follower, int64_t min_offset) {
  struct bl_dedup *dedup = (struct bl_dedup *)follower;
  if (min_offset <= dedup->log_min) return;
  dedup->log_min = min_offset;
  for (struct bl_list *node = dedup->classes.next; node != &dedup->classes; node = node->next) {
    struct bl_dedup_class *of = BL_CONTAINER(node, struct bl_dedup_class, node);
    while (of->sample_count > 1 && of->samples[1].from <= min_offset) drop_sample(dedup, of);
    if (of->sample_count == 1 && of->newest < min_offset) drop_sample(dedup, of);
    if (of->floor < min_offset) of->floor = min_offset;
  }
}

static void free_chunks(struct bl_dedup_class *of) {
  struct bl_list *node;
  while ((node = bl_list_take_first(&of->tail)) != NULL)
    free(BL_CONTAINER(node, struct bl_dedup_chunk, node));
  of->tail_count = 0;
}

static void free_parts(struct bl_list *parts) {
  struct bl_list *node;
  while ((node = bl_list_take_first(parts)) != NULL)
    free(BL_CONTAINER(node, struct bl_dedup_part, node));
}

static void free_class(struct bl_dedup *dedup, struct bl_dedup_class *of) {
  dedup->keys -= of->keys;
  bl_list_remove(&of->node);
  bl_dedup__table_clear(&of->table);
  free_chunks(of);
  free_parts(&of->parts);
  free(of);
}

void bl_dedup__clear(struct bl_dedup *dedup) {
  bl_dedup__end_dump(dedup);
  while (!bl_list_empty(&dedup->classes))
    free_class(dedup, BL_CONTAINER(dedup->classes.next, struct bl_dedup_class, node));
  free_parts(&dedup->dead);
  dedup->last_log = -1;
  dedup->covered = 0;
}

static void discard(struct bl_follower *follower) {
  struct bl_dedup *dedup = (struct bl_dedup *)follower;
  bl_dedup__clear(dedup);
  bl_dedup__remove_snapshot(dedup);
}

static int64_t sweep_pause_ms(const struct bl_dedup *dedup) {
  int64_t pause_ms = bl_list_empty(&dedup->classes) ? 0 : SWEEP_MS_MAX;
  for (struct bl_list *node = dedup->classes.next; node != &dedup->classes; node = node->next) {
    int64_t ms = BL_CONTAINER(node, struct bl_dedup_class, node)->window_ms / SWEEPS_PER_WINDOW;
    if (ms < pause_ms) pause_ms = ms > SWEEP_MS_MIN ? ms : SWEEP_MS_MIN;
  }
  return pause_ms;
}

int64_t bl_dedup_sweep(struct bl_dedup *dedup) {
  if (bl_list_empty(&dedup->classes)) return 0;
  int64_t now_ms = bl_dedup__now_ms(dedup);
  struct bl_dedup_class *of = BL_CONTAINER(dedup->classes.next, struct bl_dedup_class, node);
  bl_dedup__expire(dedup, of, now_ms);
  if (bl_dedup__table_sweep(&of->table, of->floor, &of->sweep_at)) return sweep_pause_ms(dedup);
  /* Its round is over: the next class's turn. */
  bl_list_remove(&of->node);
  bl_list_add_last(&dedup->classes, &of->node);
  bool empty = of->keys == 0 && of->tail_count == 0 && bl_list_empty(&of->parts);
  /* Not while a snapshot refers to it. */
  if (empty && !dedup->dump.running) free_class(dedup, of);
  return sweep_pause_ms(dedup);
}

static const struct bl_follower_ops follower_ops = {
    .name = "dedup",
    .load = bl_dedup__load,
    .discard = discard,
    .on_record = on_record,
    .snapshot_step = bl_dedup__snapshot_step,
    .snapshot_done = bl_dedup__snapshot_done,
    .needs_from = needs_from,
    .log_min_moved = log_min_moved,
};

struct bl_dedup *bl_dedup_new(const char *dir, struct bl_disk *disk, struct bl_worker *pool,
                              const struct bl_clock *clock, const struct bl_dedup_topics *topics,
                              uint64_t seed) {
  struct bl_dedup *dedup = calloc(1, sizeof(*dedup));
  BL_ASSERT(dedup != NULL);
  size_t dir_bytes = strlen(dir) + 1;
  dedup->dir = malloc(dir_bytes);
  BL_ASSERT(dedup->dir != NULL);
  memcpy(dedup->dir, dir, dir_bytes);
  dedup->follower.ops = &follower_ops;
  dedup->disk = disk;
  dedup->pool = pool;
  dedup->clock = clock;
  dedup->topics = *topics;
  dedup->seed = seed;
  dedup->wall_base_ms = bl_clock_wall_ms(clock);
  dedup->mono_base_ms = bl_clock_mono_ms(clock);
  dedup->last_log = -1;
  dedup->keys_max = BL_DEDUP_KEYS_MAX_DEFAULT;
  dedup->close_entries = BL_DEDUP_CLOSE_ENTRIES;
  bl_list_init(&dedup->classes);
  bl_list_init(&dedup->dead);
  return dedup;
}

void bl_dedup_free(struct bl_dedup *dedup) {
  if (dedup == NULL) return;
  if (dedup->removing) bl_worker_finish(dedup->pool);
  BL_ASSERT(!dedup->removing);
  bl_dedup__clear(dedup);
  free(dedup->dir);
  free(dedup);
}

struct bl_follower *bl_dedup_follower(struct bl_dedup *dedup) {
  return &dedup->follower;
}

void bl_dedup__set_close_entries(struct bl_dedup *dedup, int64_t entries) {
  dedup->close_entries = entries;
}

void bl_dedup_set_limit(struct bl_dedup *dedup, int64_t keys) {
  dedup->keys_max = keys;
  keep_limit(dedup);
}

void bl_dedup_stats(const struct bl_dedup *dedup, struct bl_dedup_stats *out_stats) {
  *out_stats = (struct bl_dedup_stats){
      .keys = dedup->keys, .keys_max = dedup->keys_max, .forgotten = dedup->forgotten};
  for (struct bl_list *node = dedup->classes.next; node != &dedup->classes; node = node->next) {
    const struct bl_dedup_class *of = BL_CONTAINER(node, struct bl_dedup_class, node);
    out_stats->memory_bytes += of->table.bytes + of->tail_count * BL_DEDUP_ENTRY_BYTES;
    for (const struct bl_list *part = of->parts.next; part != &of->parts; part = part->next)
      out_stats->parts++;
  }
}

void bl_dedup__path(const struct bl_dedup *dedup, const char *name, char out_path[512]) {
  int len = snprintf(out_path, 512, "%s/bolide%s%s", dedup->dir, name[0] != '\0' ? "/" : "", name);
  BL_ASSERT(len > 0 && len < 512);
}

void bl_dedup__part_path(const struct bl_dedup *dedup, int64_t sequence, char out_path[512]) {
  int len =
      snprintf(out_path, 512, "%s/bolide/dedup/%020lld.part", dedup->dir, (long long)sequence);
  BL_ASSERT(len > 0 && len < 512);
}
