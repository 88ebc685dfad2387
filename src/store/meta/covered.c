/* bolide/meta.covered, text, a line each:
 *   bolide-meta-covered 1
 *   generation TABLE COVERED SIZE CRC32          any number for a table, in order of age;
 *   intended TABLE COVERED SIZE CRC32            one that may never have been written
 *   end CRC32 of all lines before                in decimal */
#include <inttypes.h>

#include "base/crc32.h"
#include "base/log.h"
#include "store/meta/meta_internal.h"

#define MAGIC "bolide-meta-covered"
#define VERSION "1"

static void put_generation(struct bl_buf *out, const char *table,
                           const struct bl_meta_generation *generation) {
  bl_buf_printf(out, "%s %s %" PRId64 " %" PRIu64 " %" PRIu32 "\n",
                generation->intended ? "intended" : "generation", table, generation->covered,
                generation->size_bytes, generation->crc);
}

void bl_meta__put_covered(const struct bl_meta *meta, enum bl_meta_phase phase,
                          struct bl_buf *out) {
  bl_buf_put_text(out, MAGIC " " VERSION "\n");
  for (int i = 0; i < meta->count; i++) {
    const struct bl_meta_entry *entry = &meta->entries[i];
    struct bl_meta_generations named = bl_meta__generations(entry, phase);
    for (int k = 0; k < named.count; k++) {
      put_generation(out, entry->table.name, &named.items[k]);
    }
  }
  bl_buf_printf(out, "end %" PRIu32 "\n", bl_crc32(0, out->data, out->len));
}

static bool take_generation(struct bl_slice line, struct bl_slice *out_table,
                            struct bl_meta_generation *out_generation) {
  *out_table = bl_slice_cut(&line, ' ');
  int64_t covered;
  int64_t size;
  int64_t crc;
  if (!bl_slice_i64(bl_slice_cut(&line, ' '), &covered) ||
      !bl_slice_i64(bl_slice_cut(&line, ' '), &size) || !bl_slice_i64(line, &crc)) {
    return false;
  }
  if (covered < 0 || size < 0 || crc < 0 || crc > UINT32_MAX) return false;
  *out_generation = (struct bl_meta_generation){
      .covered = covered,
      .size_bytes = (uint64_t)size,
      .crc = (uint32_t)crc,
  };
  return true;
}

static bl_err take_lines(struct bl_meta *meta, struct bl_slice rest, const char *start) {
  while (rest.len > 0) {
    uint32_t crc = bl_crc32(0, start, (size_t)(rest.ptr - start));
    struct bl_slice line = bl_slice_cut(&rest, '\n');
    struct bl_slice word = bl_slice_cut(&line, ' ');
    if (bl_slice_is(word, "end")) {
      int64_t stored;
      return bl_slice_i64(line, &stored) && stored == crc && rest.len == 0 ? BL_OK : BL_ERR_CRC;
    }
    struct bl_slice table;
    struct bl_meta_generation generation;
    bool intended = bl_slice_is(word, "intended");
    if ((!intended && !bl_slice_is(word, "generation")) ||
        !take_generation(line, &table, &generation)) {
      return BL_ERR_FORMAT;
    }
    generation.intended = intended;
    /* A table that this program does not have keeps its file, not its line. */
    struct bl_meta_entry *entry = bl_meta__find(meta, table);
    if (entry == NULL) continue;
    if (entry->known.count == BL_META_GENERATIONS_MAX) return BL_ERR_FORMAT;
    entry->known.items[entry->known.count++] = generation;
  }
  return BL_ERR_SHORT;
}

/* Whether the last line is the checksum of all before it: then a version that is not known is one,
 * and not damage. */
static bool is_whole(struct bl_slice bytes) {
  size_t at = bytes.len > 0 ? bytes.len - 1 : 0;
  while (at > 0 && bytes.ptr[at - 1] != '\n') at--;
  struct bl_slice line = bl_slice_from(bytes, at);
  line = bl_slice_cut(&line, '\n');
  int64_t stored;
  return bl_slice_is(bl_slice_cut(&line, ' '), "end") && bl_slice_i64(line, &stored) &&
         stored == bl_crc32(0, bytes.ptr, at);
}

static bl_err read_one(struct bl_meta *meta, const char *path, struct bl_why *why) {
  for (int i = 0; i < meta->count; i++) meta->entries[i].known.count = 0;
  struct bl_arena arena;
  bl_arena_init(&arena);
  struct bl_slice bytes;
  bl_err err = bl_disk_read_file(meta->disk, path, 1u << 20, &arena, &bytes);
  if (err == BL_OK) {
    struct bl_slice rest = bytes;
    struct bl_slice first = bl_slice_cut(&rest, '\n');
    if (!bl_slice_is(bl_slice_cut(&first, ' '), MAGIC)) {
      err = BL_ERR_FORMAT;
    } else if (!bl_slice_is(first, VERSION) && !is_whole(bytes)) {
      err = BL_ERR_CRC;
    } else if (!bl_slice_is(first, VERSION)) {
      err = bl_why_set(why, BL_ERR_VERSION,
                       "%s has version %.*s, this program knows version " VERSION
                       "; start the newer program that wrote it",
                       path, (int)(first.len < 20 ? first.len : 20),
                       first.ptr != NULL ? first.ptr : "");
    } else {
      err = take_lines(meta, rest, bytes.ptr);
    }
  }
  bl_arena_fini(&arena);
  if (err != BL_OK) {
    for (int i = 0; i < meta->count; i++) meta->entries[i].known.count = 0;
  }
  return err;
}

bl_err bl_meta__read_covered(struct bl_meta *meta, struct bl_why *why) {
  char path[512];
  bl_meta__path(meta, "bolide", "meta.covered", path);
  bl_err err = read_one(meta, path, why);
  if (err == BL_OK || err == BL_ERR_VERSION) return err;
  meta->covered_damaged = err != BL_ERR_NOT_FOUND;
  if (meta->covered_damaged) {
    bl_log(BL_LOG_WARN, "store", "meta.covered.damaged", "error=%s going_on_with=meta.covered.bak",
           bl_err_name(err));
  }
  bl_meta__path(meta, "bolide", "meta.covered.bak", path);
  err = read_one(meta, path, why);
  return err == BL_OK || err == BL_ERR_VERSION ? err : BL_ERR_NOT_FOUND;
}
