#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/crc32.h"
#include "base/log.h"
#include "store/meta/meta_internal.h"
#include "wire/properties.h"

#define RECORD_VERSION "1"

static struct bl_log_limit skipped_limit = {.per_second = 10};

static void skip(struct bl_meta *meta, const struct bl_record *record, const char *what) {
  meta->stats.skipped_records++;
  bl_log_limited(&skipped_limit, BL_LOG_WARN, "store", "meta.record.skipped",
                 "log_offset=%" PRId64 " reason=\"%s\"", record->log_offset, what);
}

static void apply(struct bl_meta *meta, struct bl_meta_entry *entry, struct bl_slice name,
                  bool is_delete, const struct bl_record *record) {
  const struct bl_json *json = NULL;
  struct bl_arena arena;
  bl_arena_init(&arena);
  if (!is_delete && bl_json_parse(record->body, BL_JSON_DIALECT, &arena, &json, NULL) != BL_OK) {
    skip(meta, record, "its body is not JSON");
  } else {
    entry->table.apply(entry->table.context, name, json, record->log_offset);
    meta->stats.applied_records++;
  }
  bl_arena_fini(&arena);
}

static void on_record(struct bl_follower *follower, const struct bl_record *record) {
  struct bl_meta *meta = (struct bl_meta *)follower;
  if (!meta->replaying || !bl_slice_is(record->topic, BL_META_TOPIC)) return;
  struct bl_slice table = bl_properties_get(record->properties, BL_PROP_TAGS);
  struct bl_slice version = bl_properties_get(record->properties, BL_SLICE("BOLIDE_V"));
  struct bl_slice operation = bl_properties_get(record->properties, BL_SLICE("BOLIDE_OP"));
  struct bl_slice name = bl_properties_get(record->properties, BL_SLICE("BOLIDE_NAME"));
  struct bl_meta_entry *entry = bl_meta__find(meta, table);
  if (entry != NULL && record->log_offset < entry->apply_from) return;
  if (version.ptr == NULL || name.ptr == NULL) {
    skip(meta, record, "it has no BOLIDE_V or no BOLIDE_NAME");
  } else if (!bl_slice_is(version, RECORD_VERSION)) {
    if (meta->version_why.text[0] == '\0') {
      bl_why_set(&meta->version_why, BL_ERR_VERSION,
                 "metadata record at log offset %" PRId64
                 " has version %.*s, this program knows version " RECORD_VERSION
                 "; start the newer program that wrote it",
                 record->log_offset, (int)(version.len < 20 ? version.len : 20), version.ptr);
    }
  } else if (entry == NULL) {
    skip(meta, record, "this program has no such table");
  } else {
    bool is_delete = bl_slice_is(operation, "delete");
    if (is_delete || bl_slice_is(operation, "put")) {
      apply(meta, entry, name, is_delete, record);
    } else {
      skip(meta, record, "it is neither put nor delete");
    }
  }
}

/* A table's .bak stands in for a damaged file with the records from where it ends: those stay as
 * long as it is there. */
static int64_t needs_from(struct bl_follower *follower) {
  const struct bl_meta *meta = (const struct bl_meta *)follower;
  int64_t needed = meta->covered;
  for (int i = 0; i < meta->count; i++) {
    const struct bl_meta_generations *known = &meta->entries[i].known;
    for (int k = 0; k < known->count; k++) {
      if (known->items[k].covered < needed) needed = known->items[k].covered;
    }
  }
  return needed;
}

static void log_min_moved(struct bl_follower *follower, int64_t min_offset) {
  (void)follower;
  (void)min_offset;
}

static const struct bl_follower_ops follower_ops = {
    .name = "meta",
    .load = bl_meta__load,
    .discard = bl_meta__discard,
    .on_record = on_record,
    .snapshot_step = bl_meta__snapshot_step,
    .snapshot_done = bl_meta__snapshot_done,
    .needs_from = needs_from,
    .log_min_moved = log_min_moved,
};

struct bl_meta *bl_meta_new(const char *dir, struct bl_disk *disk) {
  struct bl_meta *meta = calloc(1, sizeof(*meta));
  BL_ASSERT(meta != NULL);
  size_t dir_bytes = strlen(dir) + 1;
  meta->dir = malloc(dir_bytes);
  BL_ASSERT(meta->dir != NULL);
  memcpy(meta->dir, dir, dir_bytes);
  meta->follower.ops = &follower_ops;
  meta->disk = disk;
  meta->replaying = true;
  return meta;
}

void bl_meta_free(struct bl_meta *meta) {
  if (meta == NULL) return;
  bl_meta__end_step(meta);
  free(meta->dir);
  free(meta);
}

void bl_meta_register(struct bl_meta *meta, const struct bl_meta_table *table) {
  BL_ASSERT(meta->count < BL_META_TABLES_MAX);
  BL_ASSERT(bl_meta__find(meta, bl_slice_text(table->name)) == NULL);
  meta->entries[meta->count++] = (struct bl_meta_entry){.table = *table};
}

struct bl_follower *bl_meta_follower(struct bl_meta *meta) {
  return &meta->follower;
}

void bl_meta_stats(const struct bl_meta *meta, struct bl_meta_stats *out_stats) {
  *out_stats = meta->stats;
}

void bl_meta__path(const struct bl_meta *meta, const char *folder, const char *name,
                   char out_path[512]) {
  int len =
      snprintf(out_path, 512, "%s/%s%s%s", meta->dir, folder, name[0] != '\0' ? "/" : "", name);
  BL_ASSERT(len > 0 && len < 512);
}

struct bl_meta_entry *bl_meta__find(struct bl_meta *meta, struct bl_slice name) {
  for (int i = 0; i < meta->count; i++) {
    if (bl_slice_is(name, meta->entries[i].table.name)) return &meta->entries[i];
  }
  return NULL;
}

struct bl_meta_generation bl_meta__generation_of(struct bl_slice bytes, int64_t covered) {
  return (struct bl_meta_generation){
      .covered = covered,
      .size_bytes = bytes.len,
      .crc = bl_crc32(0, bytes.ptr, bytes.len),
  };
}

bool bl_meta__same(const struct bl_meta_generation *a, const struct bl_meta_generation *b) {
  return a->size_bytes == b->size_bytes && a->crc == b->crc;
}

const struct bl_meta_generation *bl_meta__known(const struct bl_meta_generations *known,
                                                struct bl_slice bytes) {
  struct bl_meta_generation wanted = bl_meta__generation_of(bytes, 0);
  for (int i = known->count - 1; i >= 0; i--) {
    if (bl_meta__same(&known->items[i], &wanted)) return &known->items[i];
  }
  return NULL;
}

void bl_meta__add(struct bl_meta_generations *known, struct bl_meta_generation generation) {
  int kept = 0;
  for (int i = 0; i < known->count; i++) {
    const struct bl_meta_generation *item = &known->items[i];
    if (!bl_meta__same(item, &generation)) {
      known->items[kept++] = *item;
      continue;
    }
    if (item->covered > generation.covered) generation.covered = item->covered;
    generation.intended &= item->intended;
  }
  BL_ASSERT(kept < BL_META_GENERATIONS_MAX);
  known->items[kept] = generation;
  known->count = kept + 1;
}

struct bl_meta_generations bl_meta__generations(const struct bl_meta_entry *entry,
                                                enum bl_meta_phase phase) {
  struct bl_meta_generations named = entry->known;
  if (phase == BL_META_NOW || (phase == BL_META_INTENT && entry->unchanged)) return named;
  if (phase == BL_META_FINAL && entry->sure && !entry->unchanged && named.count > 1) {
    named.items[0] = named.items[named.count - 1]; /* which is .bak by then */
    named.count = 1;
  }
  struct bl_meta_generation next = entry->next;
  next.intended = phase == BL_META_INTENT;
  bl_meta__add(&named, next);
  return named;
}

bl_err bl_meta_replay_done(struct bl_meta *meta, int64_t log_end, struct bl_why *why) {
  BL_ASSERT(meta->replaying && !meta->snapshot_runs);
  meta->replaying = false;
  if (meta->version_why.text[0] != '\0') {
    return bl_why_set(why, BL_ERR_VERSION, "%s", meta->version_why.text);
  }
  bool write = false;
  for (int i = 0; i < meta->count; i++) {
    struct bl_meta_entry *entry = &meta->entries[i];
    entry->apply_from = 0;
    if (!entry->foreign) continue;
    if (entry->known.count == BL_META_GENERATIONS_MAX) bl_meta__forget_absent(meta, entry);
    entry->sure = true;
    entry->adopted.covered = log_end;
    bl_meta__add(&entry->known, entry->adopted);
    entry->foreign = false;
    write = true;
  }
  if (!write) return BL_OK;
  char path[512];
  bl_meta__path(meta, "bolide", "meta.covered", path);
  struct bl_buf bytes;
  bl_buf_init(&bytes, 0);
  bl_meta__put_covered(meta, BL_META_NOW, &bytes);
  bl_err err =
      bl_disk_replace_file(meta->disk, path, bl_buf_slice(&bytes), !meta->covered_damaged, why);
  bl_buf_fini(&bytes);
  return err;
}

void bl_meta_record(struct bl_buf *scratch, struct bl_slice table, struct bl_slice name,
                    bool is_delete, struct bl_slice json, struct bl_record *out_record) {
  BL_ASSERT(table.len > 0 && name.len > 0);
  bl_buf_clear(scratch);
  /* First: of several properties of a name the last counts, whatever this one says. */
  bl_properties_put(scratch, BL_SLICE("BOLIDE_NAME"), name);
  bl_properties_put(scratch, BL_PROP_TAGS, table);
  bl_properties_put(scratch, BL_SLICE("BOLIDE_V"), BL_SLICE(RECORD_VERSION));
  bl_properties_put(scratch, BL_SLICE("BOLIDE_OP"),
                    is_delete ? BL_SLICE("delete") : BL_SLICE("put"));
  size_t properties_bytes = scratch->len;
  if (!is_delete) bl_buf_put_slice(scratch, json);
  out_record->topic = BL_SLICE(BL_META_TOPIC);
  out_record->properties = bl_slice_of(scratch->data, properties_bytes);
  out_record->body = bl_slice_of(scratch->data + properties_bytes, scratch->len - properties_bytes);
}
