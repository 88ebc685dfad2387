#include "store/halves/halves.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "store/halves/halves_internal.h"
#include "wire/properties.h"

#define IMMUNITY_S_MAX 1000000000

static struct bl_halves *of(struct bl_follower *follower) {
  return (struct bl_halves *)follower;
}

struct bl_half_name *bl_halves__name(struct bl_halves *halves, struct bl_slice text) {
  if (text.len == 0) text = BL_SLICE("");
  struct bl_half_name *name = bl_map_get(&halves->names, text);
  if (name == NULL && halves->names.count >= BL_HALVES_NAMES_MAX) {
    text = BL_SLICE("");
    name = bl_map_get(&halves->names, text);
  }
  if (name != NULL) return name;
  name = calloc(1, sizeof(*name));
  char *copy = malloc(text.len + 1);
  BL_ASSERT(name != NULL && copy != NULL);
  memcpy(copy, text.ptr, text.len);
  name->text = bl_slice_of(copy, text.len);
  name->index = (uint32_t)halves->names.count;
  bl_map_put(&halves->names, text, name);
  if (name->index == halves->name_cap) {
    halves->name_cap = halves->name_cap > 0 ? halves->name_cap * 2 : 16;
    halves->by_index = realloc(halves->by_index, halves->name_cap * sizeof(struct bl_half_name *));
    BL_ASSERT(halves->by_index != NULL);
  }
  halves->by_index[name->index] = name;
  return name;
}

static void free_names(struct bl_halves *halves) {
  for (size_t i = 0; i < halves->names.count; i++) {
    free((void *)halves->by_index[i]->text.ptr);
    free(halves->by_index[i]);
  }
  free(halves->by_index);
  bl_map_fini(&halves->names);
  halves->by_index = NULL;
  halves->name_cap = 0;
}

void bl_halves__forget(struct bl_halves *halves) {
  bl_half_table__fini(&halves->table);
  free_names(halves);
  bl_map_init(&halves->names);
  halves->seen_to = 0;
  halves->covered = 0;
  halves->next_op = 0;
  halves->next_half = 0;
}

static void end_half(struct bl_halves *halves, struct bl_half *half, enum bl_half_state state,
                     int64_t end_log_offset) {
  if (half->state != BL_HALF_OPEN) return;
  bl_half_table__end(&halves->table, half, state, end_log_offset);
  halves->by_index[half->topic]->open--;
  halves->committed += state == BL_HALF_COMMITTED;
  halves->rolled_back += state == BL_HALF_ROLLED_BACK;
}

/* A half that was stored again under another queue offset: what is said of the first counts for it.
 */
static struct bl_half *follow(struct bl_halves *halves, struct bl_half *half) {
  while (half != NULL && half->state == BL_HALF_MOVED) {
    half = bl_half_table__by_log(&halves->table, half->op_or_end);
  }
  return half;
}

static void on_half(struct bl_halves *halves, const struct bl_record *record) {
  if (record->queue_offset < halves->next_half) return; /* no Java broker and we neither wrote it */
  struct bl_half half = {.log_offset = record->log_offset,
                         .queue_offset = record->queue_offset,
                         .born_ms = record->born_ms,
                         .op_or_end = halves->next_op,
                         .size_bytes = record->size_bytes,
                         .immunity_s = -1,
                         .state = BL_HALF_OPEN};
  struct bl_slice rest = record->properties;
  struct bl_slice name;
  struct bl_slice value;
  struct bl_slice topic = BL_SLICE("");
  struct bl_slice group = BL_SLICE("");
  int64_t number;
  int64_t earlier = -1;
  while (bl_properties_next(&rest, &name, &value)) {
    if (bl_slice_eq(name, BL_PROP_REAL_TOPIC)) {
      topic = value;
    } else if (bl_slice_eq(name, BL_PROP_PGROUP)) {
      group = value;
    } else if (bl_slice_eq(name, BL_PROP_CHECK_IMMUNITY_S)) {
      bool good = bl_slice_i64(value, &number) && number >= 0;
      if (good) half.immunity_s = number < IMMUNITY_S_MAX ? (int32_t)number : IMMUNITY_S_MAX;
    } else if (bl_slice_eq(name, BL_PROP_TRAN_CHECK_TIMES)) {
      bool good = bl_slice_i64(value, &number) && number >= 0 && number <= UINT16_MAX;
      if (good) half.checks = (uint16_t)number;
    } else if (bl_slice_eq(name, BL_PROP_TRAN_PREPARED_QUEUE_OFFSET)) {
      if (!bl_slice_i64(value, &earlier)) earlier = -1;
    }
  }
  struct bl_half_name *topic_name = bl_halves__name(halves, topic);
  topic_name->is_topic = true;
  topic_name->open++;
  half.topic = topic_name->index;
  half.group = bl_halves__name(halves, group)->index;
  halves->next_half = half.queue_offset + 1;
  struct bl_half *before = earlier < 0 ? NULL : bl_half_table__by_queue(&halves->table, earlier);
  before = follow(halves, before);
  if (before != NULL) end_half(halves, before, BL_HALF_MOVED, half.log_offset);
  bool began = bl_half_table__add(&halves->table, &half);
  if (began && !halves->dump.running) bl_half_table__trim(&halves->table);
}

/* "12,13,15" or "12,13,15,". What is no number is passed over, as RocketMQ does. */
static void on_op(struct bl_halves *halves, const struct bl_record *record) {
  struct bl_slice rest = record->body;
  if (record->queue_offset >= halves->next_op) halves->next_op = record->queue_offset + 1;
  while (rest.len > 0) {
    int64_t offset;
    if (!bl_slice_i64(bl_slice_cut(&rest, ','), &offset)) continue;
    struct bl_half *half = follow(halves, bl_half_table__by_queue(&halves->table, offset));
    if (half == NULL) continue;
    half->in_op = 1;
    end_half(halves, half, BL_HALF_ROLLED_BACK, record->log_offset);
  }
}

static void on_record(struct bl_follower *follower, const struct bl_record *record) {
  struct bl_halves *halves = of(follower);
  if (record->log_offset < halves->seen_to) return;
  halves->seen_to = record->log_offset + record->size_bytes;
  if ((record->sys_flag & BL_SYS_TRANSACTION_MASK) == BL_SYS_COMMIT) {
    struct bl_half *half = bl_half_table__by_log(&halves->table, record->prepared_offset);
    if (half != NULL) end_half(halves, half, BL_HALF_COMMITTED, record->log_offset);
    return;
  }
  if (record->queue_id != BL_HALF_QUEUE_ID || record->topic.ptr[0] != 'R') return;
  if (bl_slice_is(record->topic, BL_HALF_TOPIC)) {
    on_half(halves, record);
  } else if (bl_slice_is(record->topic, BL_HALF_OP_TOPIC)) {
    on_op(halves, record);
  }
}

static void discard(struct bl_follower *follower) {
  bl_halves__forget(of(follower));
}

static int64_t needs_from(struct bl_follower *follower) {
  struct bl_halves *halves = of(follower);
  int64_t reached;
  const struct bl_half *half = bl_half_table__next_open(&halves->table, -1, UINT32_MAX, &reached);
  return half != NULL && half->log_offset < halves->covered ? half->log_offset : halves->covered;
}

/* An open half is kept by needs_from; when its file is lost all the same, so is the half. */
static void log_min_moved(struct bl_follower *follower, int64_t min_offset) {
  struct bl_halves *halves = of(follower);
  struct bl_half *half;
  int64_t reached;
  while ((half = bl_half_table__next_open(&halves->table, -1, UINT32_MAX, &reached)) != NULL &&
         half->log_offset < min_offset) {
    bl_log(BL_LOG_ERROR, "store", "halves.lost",
           "log_offset=%lld cause=\"its part of the log is gone\"", (long long)half->log_offset);
    end_half(halves, half, BL_HALF_ROLLED_BACK, min_offset);
  }
}

static const struct bl_follower_ops OPS = {
    .name = "halves",
    .load = bl_halves__load,
    .discard = discard,
    .on_record = on_record,
    .snapshot_step = bl_halves__snapshot_step,
    .snapshot_done = bl_halves__snapshot_done,
    .needs_from = needs_from,
    .log_min_moved = log_min_moved,
};

struct bl_halves *bl_halves_new(const char *dir, struct bl_disk *disk) {
  struct bl_halves *halves = calloc(1, sizeof(*halves));
  BL_ASSERT(halves != NULL);
  size_t dir_bytes = strlen(dir) + 1;
  halves->dir = malloc(dir_bytes);
  BL_ASSERT(halves->dir != NULL);
  memcpy(halves->dir, dir, dir_bytes);
  halves->disk = disk;
  halves->follower.ops = &OPS;
  bl_map_init(&halves->names);
  return halves;
}

void bl_halves_free(struct bl_halves *halves) {
  if (halves == NULL) return;
  bl_half_table__fini(&halves->table);
  free_names(halves);
  free(halves->dir);
  free(halves);
}

struct bl_follower *bl_halves_follower(struct bl_halves *halves) {
  return &halves->follower;
}

struct bl_half *bl_halves_find(struct bl_halves *halves, int64_t log_offset) {
  return follow(halves, bl_half_table__by_log(&halves->table, log_offset));
}

struct bl_half *bl_halves_next_open(struct bl_halves *halves, int64_t behind_log_offset,
                                    uint32_t most, int64_t *out_reached) {
  return bl_half_table__next_open(&halves->table, behind_log_offset, most, out_reached);
}

struct bl_half *bl_halves_next_unnamed(struct bl_halves *halves, int64_t behind_log_offset) {
  struct bl_half *half = bl_half_table__after(&halves->table, behind_log_offset);
  while (half != NULL && (half->state != BL_HALF_COMMITTED || half->in_op)) {
    half = bl_half_table__after(&halves->table, half->log_offset);
  }
  return half;
}

int64_t bl_halves_seen_to(const struct bl_halves *halves) {
  return halves->seen_to;
}

void bl_halves_done_to(struct bl_halves *halves, int64_t *out_half_offset, int64_t *out_op_offset) {
  int64_t reached;
  const struct bl_half *half = bl_half_table__next_open(&halves->table, -1, UINT32_MAX, &reached);
  *out_half_offset = half != NULL ? half->queue_offset : halves->next_half;
  *out_op_offset = half != NULL ? half->op_or_end : halves->next_op;
}

void bl_halves_passed(struct bl_halves *halves, int64_t queue_offset) {
  struct bl_half *half;
  int64_t at = -1;
  while ((half = bl_half_table__next_open(&halves->table, at, UINT32_MAX, &at)) != NULL &&
         half->queue_offset < queue_offset) {
    end_half(halves, half, BL_HALF_ROLLED_BACK, half->log_offset);
  }
}

void bl_halves_stats(const struct bl_halves *halves, struct bl_halves_stats *out_stats) {
  const struct bl_half_table *table = &halves->table;
  *out_stats = (struct bl_halves_stats){
      .open = table->open,
      .remembered = table->entries - table->open,
      .committed = halves->committed,
      .rolled_back = halves->rolled_back,
      .memory_bytes = (int64_t)(table->count * BL_HALVES_CHUNK * sizeof(struct bl_half)),
  };
}

struct bl_slice bl_halves_name(const struct bl_halves *halves, uint32_t index) {
  BL_ASSERT(index < halves->names.count);
  return halves->by_index[index]->text;
}

const struct bl_half_name *bl_halves_next_topic(const struct bl_halves *halves, size_t *cursor) {
  while (*cursor < halves->names.count) {
    const struct bl_half_name *name = halves->by_index[(*cursor)++];
    if (name->is_topic) return name;
  }
  return NULL;
}
