#include "base/assert.h"
#include "base/crc32.h"
#include "store/meta/meta_internal.h"

#define INTENT_AT 0 /* its place among the snapshot's files */
#define BAK_BEHIND_BYTES_MAX (1 << 20)

static struct bl_snapshot_file *add_file(struct bl_meta *meta, struct bl_snapshot *snapshot,
                                         const char *folder, const char *name, bool keep_previous) {
  char path[512];
  bl_meta__path(meta, folder, name, path);
  return bl_snapshot_add(snapshot, path, keep_previous);
}

static void begin_table(struct bl_meta *meta, struct bl_snapshot *snapshot) {
  struct bl_meta_entry *entry = &meta->entries[meta->step_table];
  add_file(meta, snapshot, "config", entry->table.file_name, !entry->damaged);
  meta->step_progress = NULL;
  meta->step_crc = 0;
  meta->step_crc_len = 0;
  entry->unchanged = false;
  if (entry
          ->foreign) { /* the store ends before its replay was declared done: a start that failed */
    entry->adopted.covered = snapshot->covered_offset;
    bl_meta__add(&entry->known, entry->adopted);
    entry->sure = true;
    entry->foreign = false;
  }
  if (entry->known.count == BL_META_GENERATIONS_MAX) bl_meta__forget_absent(meta, entry);
}

static void begin(struct bl_meta *meta, struct bl_snapshot *snapshot) {
  BL_ASSERT(snapshot->file_count == INTENT_AT);
  add_file(meta, snapshot, "bolide", "meta.covered", !meta->covered_damaged);
  meta->step_table = 0;
  meta->steps_done = false;
  meta->snapshot_runs = true;
  snapshot->started = true;
  if (meta->count > 0) begin_table(meta, snapshot);
}

static struct bl_buf *last_bytes(struct bl_snapshot *snapshot) {
  return &snapshot->files[snapshot->file_count - 1].bytes;
}

static void end_table(struct bl_meta *meta, struct bl_snapshot *snapshot) {
  struct bl_meta_entry *entry = &meta->entries[meta->step_table];
  struct bl_buf *out = last_bytes(snapshot);
  entry->next = (struct bl_meta_generation){
      .covered = snapshot->covered_offset,
      .size_bytes = out->len,
      .crc = meta->step_crc,
  };
  const struct bl_meta_generations *known = &entry->known;
  /* An old .bak would hold the log: the same again, and .bak is what the file was, too. */
  bool renew =
      known->count > 1 && entry->next.covered - known->items[0].covered > BAK_BEHIND_BYTES_MAX;
  entry->unchanged = entry->sure && !entry->damaged && known->count > 0 && !out->failed && !renew &&
                     bl_meta__same(&known->items[known->count - 1], &entry->next);
  if (!entry->unchanged) return;
  bl_buf_fini(out);
  snapshot->file_count--;
}

static void finish(struct bl_meta *meta, struct bl_snapshot *snapshot) {
  struct bl_buf *intent = &snapshot->files[INTENT_AT].bytes;
  if (snapshot->file_count == INTENT_AT + 1) { /* no file changes: the offsets alone */
    bl_meta__put_covered(meta, BL_META_FINAL, intent);
  } else {
    bl_meta__put_covered(meta, BL_META_INTENT, intent);
    struct bl_snapshot_file *last = add_file(meta, snapshot, "bolide", "meta.covered", true);
    bl_meta__put_covered(meta, BL_META_FINAL, &last->bytes);
  }
  meta->steps_done = true;
}

bool bl_meta__snapshot_step(struct bl_follower *follower, struct bl_snapshot *snapshot) {
  struct bl_meta *meta = (struct bl_meta *)follower;
  if (!snapshot->started) begin(meta, snapshot);
  if (meta->step_table < meta->count) {
    const struct bl_meta_table *table = &meta->entries[meta->step_table].table;
    struct bl_buf *out = last_bytes(snapshot);
    bool more = table->write_step(table->context, out, &meta->step_progress);
    if (!out->failed) {
      meta->step_crc =
          bl_crc32(meta->step_crc, out->data + meta->step_crc_len, out->len - meta->step_crc_len);
      meta->step_crc_len = out->len;
    }
    if (more) return true;
    meta->step_progress = NULL;
    end_table(meta, snapshot);
    meta->step_table++;
    if (meta->step_table < meta->count) {
      begin_table(meta, snapshot);
      return true;
    }
  }
  finish(meta, snapshot);
  return false;
}

void bl_meta__end_step(struct bl_meta *meta) {
  if (meta->step_progress == NULL) return;
  const struct bl_meta_table *table = &meta->entries[meta->step_table].table;
  struct bl_buf unused;
  bl_buf_init(&unused, 1); /* keeps nothing */
  while (table->write_step(table->context, &unused, &meta->step_progress)) {}
  meta->step_progress = NULL;
  bl_buf_fini(&unused);
}

void bl_meta__snapshot_done(struct bl_follower *follower, const struct bl_snapshot *snapshot,
                            bl_err err) {
  struct bl_meta *meta = (struct bl_meta *)follower;
  bl_meta__end_step(meta);
  meta->snapshot_runs = false;
  bool written = meta->steps_done;
  meta->steps_done = false;
  if (!written) return; /* given up before a file could be written */
  for (int i = 0; i < meta->count; i++) {
    struct bl_meta_entry *entry = &meta->entries[i];
    if (err == BL_OK) {
      entry->known = bl_meta__generations(entry, BL_META_FINAL);
      entry->sure = true;
      entry->damaged = false;
    } else if (!entry->unchanged) {
      entry->known = bl_meta__generations(entry, BL_META_INTENT);
      entry->sure = false;
    }
    entry->unchanged = false;
  }
  if (err != BL_OK) return;
  meta->covered_damaged = false;
  meta->covered = snapshot->covered_offset;
}
