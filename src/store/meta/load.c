#include <inttypes.h>

#include "base/assert.h"
#include "base/log.h"
#include "store/meta/meta_internal.h"

/* Reads one file and offers it to the table. BL_ERR_FORMAT: damaged or refused. */
static bl_err offer_file(struct bl_meta *meta, struct bl_meta_entry *entry, const char *path,
                         struct bl_why *why) {
  struct bl_arena arena;
  bl_arena_init(&arena);
  struct bl_slice bytes;
  bl_err err = bl_disk_read_file(meta->disk, path, BL_META_FILE_BYTES_MAX, &arena, &bytes);
  const struct bl_json *root = NULL;
  if (err == BL_OK) err = bl_json_parse(bytes, BL_JSON_DIALECT, &arena, &root, why);
  if (err == BL_OK && root->kind != BL_JSON_OBJECT) {
    err = bl_why_set(why, BL_ERR_FORMAT, "it is not a JSON object");
  }
  if (err == BL_OK) err = entry->table.replace(entry->table.context, root, why);
  if (err == BL_OK) {
    const struct bl_meta_generation *own = bl_meta__known(&entry->known, bytes);
    entry->foreign = own == NULL;
    if (own != NULL) {
      struct bl_meta_generation found = *own;
      found.intended = false;
      entry->apply_from = found.covered;
      bl_meta__add(&entry->known, found);
    } else {
      entry->apply_from = INT64_MAX;
      entry->adopted = bl_meta__generation_of(bytes, 0);
    }
  }
  bl_arena_fini(&arena);
  return err;
}

static bool is_damage(bl_err err) {
  return err == BL_ERR_FORMAT || err == BL_ERR_NOT_FOUND || err == BL_ERR_FULL;
}

static void say_recovered(struct bl_meta *meta, struct bl_meta_entry *entry, bl_err err,
                          const struct bl_why *why, const char *with) {
  bool written = false;
  for (int i = 0; i < entry->known.count; i++) written |= !entry->known.items[i].intended;
  if (err == BL_ERR_NOT_FOUND && !written) return; /* there never was one */
  meta->stats.recovered_tables++;
  bl_log(BL_LOG_WARN, "store", "meta.file.damaged",
         "file=config/%s reason=\"%s\" going_on_with=\"%s\"", entry->table.file_name,
         err == BL_ERR_FORMAT ? why->text : bl_err_text(err), with);
}

/* Damage that leaves good JSON looks the same: so it is said. */
static void count_foreign(struct bl_meta *meta, const struct bl_meta_entry *entry,
                          const char *suffix) {
  if (!entry->foreign) return;
  meta->stats.foreign_tables++;
  if (entry->known.count == 0) return; /* the first start in this directory */
  bl_log(
      BL_LOG_WARN, "store", "meta.file.foreign",
      "file=config/%s%s reason=\"it is not as this program wrote it: somebody else did, and what "
      "it says counts\"",
      entry->table.file_name, suffix);
}

/* A table that this program has and the one that wrote the files had not: the log has no record of
 * it before what those files cover. */
static bool is_new(const struct bl_meta *meta, const struct bl_meta_entry *entry) {
  int known = 0;
  for (int i = 0; i < meta->count; i++) known += meta->entries[i].known.count;
  return entry->known.count == 0 && known > 0;
}

static bl_err load_table(struct bl_meta *meta, struct bl_meta_entry *entry, struct bl_why *why) {
  char path[512];
  char bak_path[520];
  bl_meta__path(meta, "config", entry->table.file_name, path);
  struct bl_slice text = bl_slice_text(path);
  memcpy(bak_path, text.ptr, text.len);
  memcpy(bak_path + text.len, ".bak", 5);
  struct bl_why first_why = {""};
  struct bl_why bak_why = {""};
  entry->sure = true;
  bl_err err = offer_file(meta, entry, path, &first_why);
  if (err == BL_OK) {
    count_foreign(meta, entry, "");
    return BL_OK;
  }
  if (!is_damage(err)) return bl_why_set(why, err, "cannot read %s: %s", path, bl_err_text(err));
  entry->damaged = true;
  bl_err bak_err = offer_file(meta, entry, bak_path, &bak_why);
  if (bak_err == BL_OK) {
    say_recovered(meta, entry, err, &first_why, "its .bak");
    count_foreign(meta, entry, ".bak");
    return BL_OK;
  }
  if (!is_damage(bak_err)) {
    return bl_why_set(why, bak_err, "cannot read %s: %s", bak_path, bl_err_text(bak_err));
  }
  say_recovered(meta, entry, err, &first_why, "what the log has");
  entry->apply_from = 0;
  if (err == BL_ERR_NOT_FOUND && bak_err == BL_ERR_NOT_FOUND && is_new(meta, entry)) {
    entry->apply_from = INT64_MAX; /* until it is known from where the others are read */
    entry->is_new = true;
  }
  return entry->table.replace(entry->table.context, NULL, why);
}

/* Where the records begin that some table still lacks. */
static int64_t lowest_needed(const struct bl_meta *meta) {
  int64_t lowest = INT64_MAX;
  int64_t known = 0;
  for (int i = 0; i < meta->count; i++) {
    const struct bl_meta_entry *entry = &meta->entries[i];
    if (entry->apply_from < lowest) lowest = entry->apply_from;
    for (int k = 0; k < entry->known.count; k++) {
      if (entry->known.items[k].covered > known) known = entry->known.items[k].covered;
    }
  }
  return lowest == INT64_MAX ? known
                             : lowest; /* all files are another program's: any offset will do */
}

bl_err bl_meta__load(struct bl_follower *follower, int64_t *out_covered_offset,
                     struct bl_why *why) {
  struct bl_meta *meta = (struct bl_meta *)follower;
  char path[512];
  static const char *const folders[] = {"config", "bolide"};
  for (int i = 0; i < 2; i++) {
    bl_meta__path(meta, folders[i], "", path);
    bl_err err = meta->disk->ops->make_dir(meta->disk, path, why);
    if (err != BL_OK) return err;
  }
  bl_err err = bl_meta__read_covered(meta, why);
  if (err == BL_ERR_VERSION) return err;
  for (int i = 0; i < meta->count; i++) {
    err = load_table(meta, &meta->entries[i], why);
    if (err != BL_OK) return err;
  }
  meta->covered = lowest_needed(meta);
  for (int i = 0; i < meta->count; i++) {
    if (meta->entries[i].is_new) meta->entries[i].apply_from = meta->covered;
  }
  *out_covered_offset = meta->covered;
  return BL_OK;
}

/* The log is another one, or shorter: covered offsets mean nothing for it. A table keeps what its
 * file says, because nothing in that log is newer: what both have in common is in the file, and
 * what came instead was not written by us. From the end of that log on the records count. A table
 * whose file was lost takes all records. */
void bl_meta__discard(struct bl_follower *follower) {
  struct bl_meta *meta = (struct bl_meta *)follower;
  for (int i = 0; i < meta->count; i++) {
    struct bl_meta_entry *entry = &meta->entries[i];
    struct bl_meta_generations *known = &entry->known;
    if (entry->damaged) {
      entry->apply_from = 0;
      for (int k = 0; k < known->count; k++) known->items[k].covered = 0;
      continue;
    }
    if (!entry->foreign)
      entry->adopted = known->items[known->count - 1]; /* load put the file last */
    entry->foreign = true;
    entry->apply_from = INT64_MAX;
    known->count = 0;
  }
  meta->covered = 0;
}

void bl_meta__forget_absent(struct bl_meta *meta, struct bl_meta_entry *entry) {
  struct bl_meta_generations present = {.count = 0};
  static const char *const suffixes[] = {".bak", ""}; /* the file itself last: it is the newest */
  for (int i = 0; i < 2; i++) {
    char path[512];
    char name[128];
    struct bl_buf text;
    bl_buf_init(&text, sizeof(name) - 1);
    bl_buf_put_text(&text, entry->table.file_name);
    bl_buf_put_text(&text, suffixes[i]);
    memcpy(name, text.data, text.len);
    name[text.len] = '\0';
    bl_buf_fini(&text);
    bl_meta__path(meta, "config", name, path);
    struct bl_arena arena;
    bl_arena_init(&arena);
    struct bl_slice bytes;
    if (bl_disk_read_file(meta->disk, path, BL_META_FILE_BYTES_MAX, &arena, &bytes) == BL_OK) {
      const struct bl_meta_generation *own = bl_meta__known(&entry->known, bytes);
      if (own != NULL) bl_meta__add(&present, *own);
      entry->sure = own != NULL;
    }
    bl_arena_fini(&arena);
  }
  entry->known = present;
}
