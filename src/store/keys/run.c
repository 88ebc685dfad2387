/* A run file, big-endian, in pages of 4,096 bytes:
 *   page 0   magic u32, version u32, CRC u32 of the next 32 bytes, level u32, count i64, first log
 * offset i64, last i64 others   CRC u32 of what follows, entries u32, zero u64, up to 255 entries
 * (hash u64, log offset i64) */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "store/keys/keys_internal.h"

#define RUN_MAGIC 0x424C4B52u /* "BLKR" */
#define RUN_VERSION 1u
#define HEADER_CRC_FROM 12u
#define HEADER_BYTES 40u
#define PAGE_ENTRIES_AT 16u
#define ENTRY_BYTES 16u
#define BUFFER_PAGES 64u

void bl_keys__run_path(const struct bl_keys *keys, const struct bl_key_run *run,
                       char out_path[512]) {
  char name[96];
  snprintf(name, sizeof(name), "keys/%020" PRId64 "-%020" PRId64 ".%" PRId64 ".run", run->first,
           run->last, run->sequence);
  bl_keys__path(keys, name, out_path);
}

int64_t bl_keys__run_pages(const struct bl_key_run *run) {
  return (run->count + BL_KEYS_PAGE_ENTRIES - 1) / BL_KEYS_PAGE_ENTRIES;
}

bl_err bl_keys__writer_open(struct bl_key_writer *writer, struct bl_keys *keys, int64_t sequence,
                            uint32_t level, int64_t first, int64_t last) {
  *writer = (struct bl_key_writer){.keys = keys, .file_pages = 1};
  struct bl_key_run *run = calloc(1, sizeof(*run));
  BL_ASSERT(run != NULL);
  run->sequence = sequence;
  run->level = level;
  run->first = first;
  run->last = last;
  bl_keys__run_path(keys, run, writer->path);
  unsigned flags = BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE | BL_OPEN_TRUNCATE;
  bl_err err = keys->disk->ops->open(keys->disk, writer->path, flags, &run->file, NULL);
  if (err != BL_OK) {
    free(run);
    return err;
  }
  writer->run = run;
  writer->buffer = calloc(BUFFER_PAGES, BL_KEYS_PAGE_BYTES);
  BL_ASSERT(writer->buffer != NULL);
  return BL_OK;
}

static char *current_page(struct bl_key_writer *writer) {
  return writer->buffer + (size_t)writer->page * BL_KEYS_PAGE_BYTES;
}

static void write_pages(struct bl_key_writer *writer) {
  if (writer->err != BL_OK || writer->page == 0) return;
  struct bl_disk *disk = writer->keys->disk;
  writer->err = disk->ops->write(disk, writer->run->file, writer->buffer,
                                 (size_t)writer->page * BL_KEYS_PAGE_BYTES,
                                 writer->file_pages * BL_KEYS_PAGE_BYTES);
  writer->file_pages += writer->page;
  writer->page = 0;
  memset(writer->buffer, 0, BUFFER_PAGES * BL_KEYS_PAGE_BYTES);
}

static void end_page(struct bl_key_writer *writer) {
  char *page = current_page(writer);
  bl_store_u32(page + 4, writer->page_count);
  bl_store_u32(page, bl_crc32(0, page + 4, BL_KEYS_PAGE_BYTES - 4));
  writer->page_count = 0;
  if (++writer->page == BUFFER_PAGES) write_pages(writer);
}

void bl_keys__writer_put(struct bl_key_writer *writer, struct bl_key_entry entry) {
  struct bl_key_run *run = writer->run;
  if (writer->err != BL_OK) return;
  if (run->count > 0 && entry.hash == writer->before.hash &&
      entry.offset == writer->before.offset) {
    return;
  }
  writer->before = entry;
  run->count++;
  char *at = current_page(writer) + PAGE_ENTRIES_AT + writer->page_count * ENTRY_BYTES;
  bl_store_u64(at, entry.hash);
  bl_store_u64(at + 8, (uint64_t)entry.offset);
  if (++writer->page_count == BL_KEYS_PAGE_ENTRIES) end_page(writer);
}

static void write_header(struct bl_key_writer *writer) {
  if (writer->err != BL_OK) return;
  struct bl_disk *disk = writer->keys->disk;
  const struct bl_key_run *run = writer->run;
  char *header = writer->buffer;
  memset(header, 0, BL_KEYS_PAGE_BYTES);
  bl_store_u32(header, RUN_MAGIC);
  bl_store_u32(header + 4, RUN_VERSION);
  bl_store_u32(header + 12, run->level);
  bl_store_u64(header + 16, (uint64_t)run->count);
  bl_store_u64(header + 24, (uint64_t)run->first);
  bl_store_u64(header + 32, (uint64_t)run->last);
  bl_store_u32(header + 8, bl_crc32(0, header + HEADER_CRC_FROM, HEADER_BYTES - HEADER_CRC_FROM));
  writer->err = disk->ops->write(disk, run->file, header, BL_KEYS_PAGE_BYTES, 0);
  if (writer->err == BL_OK) writer->err = disk->ops->sync(disk, run->file);
  char folder[512];
  bl_keys__path(writer->keys, "keys", folder);
  if (writer->err == BL_OK) writer->err = disk->ops->sync_dir(disk, folder);
}

bl_err bl_keys__writer_close(struct bl_key_writer *writer, struct bl_key_run **out_run) {
  if (writer->page_count > 0) end_page(writer);
  write_pages(writer);
  *out_run = NULL;
  struct bl_disk *disk = writer->keys->disk;
  if (writer->run->count > 0) write_header(writer);
  if (writer->run->count > 0 && writer->err == BL_OK) {
    *out_run = writer->run;
  } else {
    bl_keys__free_run(writer->keys, writer->run);
    (void)disk->ops->remove(disk, writer->path); /* what stays is removed at the next start */
  }
  free(writer->buffer);
  return writer->err;
}

bl_err bl_keys__run_open(struct bl_keys *keys, struct bl_key_run *run) {
  char path[512];
  bl_keys__run_path(keys, run, path);
  struct bl_disk *disk = keys->disk;
  bl_err err = disk->ops->open(disk, path, BL_OPEN_READ, &run->file, NULL);
  if (err != BL_OK) return err;
  char header[HEADER_BYTES];
  size_t len;
  int64_t size = 0;
  err = disk->ops->read(disk, run->file, header, sizeof(header), 0, &len);
  if (err == BL_OK) err = disk->ops->size(disk, run->file, &size);
  if (err == BL_OK &&
      (len < sizeof(header) || bl_load_u32(header) != RUN_MAGIC ||
       bl_load_u32(header + 4) != RUN_VERSION ||
       bl_load_u32(header + 8) !=
           bl_crc32(0, header + HEADER_CRC_FROM, HEADER_BYTES - HEADER_CRC_FROM) ||
       bl_load_u32(header + 12) != run->level || (int64_t)bl_load_u64(header + 16) != run->count ||
       size < (bl_keys__run_pages(run) + 1) * BL_KEYS_PAGE_BYTES)) {
    err = BL_ERR_FORMAT;
  }
  if (err != BL_OK) disk->ops->close(disk, run->file);
  return err;
}

bl_err bl_keys__run_page(struct bl_keys *keys, const struct bl_key_run *run, int64_t page,
                         struct bl_key_entry out_entries[BL_KEYS_PAGE_ENTRIES],
                         uint32_t *out_count) {
  char bytes[BL_KEYS_PAGE_BYTES];
  size_t len;
  bl_err err = keys->disk->ops->read(keys->disk, run->file, bytes, sizeof(bytes),
                                     (page + 1) * BL_KEYS_PAGE_BYTES, &len);
  if (err != BL_OK) return err;
  if (len < sizeof(bytes)) return BL_ERR_SHORT;
  uint32_t count = bl_load_u32(bytes + 4);
  if (bl_load_u32(bytes) != bl_crc32(0, bytes + 4, sizeof(bytes) - 4)) return BL_ERR_CRC;
  if (count == 0 || count > BL_KEYS_PAGE_ENTRIES) return BL_ERR_FORMAT;
  const char *at = bytes + PAGE_ENTRIES_AT;
  for (uint32_t i = 0; i < count; i++, at += ENTRY_BYTES) {
    out_entries[i] = (struct bl_key_entry){bl_load_u64(at), (int64_t)bl_load_u64(at + 8)};
  }
  *out_count = count;
  return BL_OK;
}

/* FILLS the first page whose last hash is not below `hash`; the number of pages when there is none.
 * Hashes are spread evenly, so the search begins where the hash should be and doubles its steps
 * from there. */
static bl_err first_page(struct bl_keys *keys, const struct bl_key_run *run, uint64_t hash,
                         int64_t *out_page) {
  struct bl_key_entry entries[BL_KEYS_PAGE_ENTRIES];
  int64_t low = 0;
  int64_t high = bl_keys__run_pages(run);
  __extension__ unsigned __int128 scaled = (unsigned __int128)hash * (uint64_t)high;
  int64_t probe = (int64_t)(scaled >> 64);
  int64_t step = 1;
  while (low < high) {
    if (probe < low || probe >= high) probe = low + (high - low) / 2;
    uint32_t count;
    bl_err err = bl_keys__run_page(keys, run, probe, entries, &count);
    if (err != BL_OK) return err;
    if (entries[count - 1].hash < hash) {
      low = probe + 1;
      probe = low + step - 1;
    } else {
      high = probe;
      if (entries[0].hash < hash) break;
      probe = high - step;
    }
    step *= 2;
  }
  *out_page = high < low ? low : high;
  return BL_OK;
}

bl_err bl_keys__run_search(struct bl_keys *keys, const struct bl_key_run *run, uint64_t hash,
                           bool (*take)(void *context, int64_t offset), void *context) {
  int64_t page;
  bl_err err = first_page(keys, run, hash, &page);
  int64_t pages = bl_keys__run_pages(run);
  for (; err == BL_OK && page < pages; page++) {
    struct bl_key_entry entries[BL_KEYS_PAGE_ENTRIES];
    uint32_t count;
    err = bl_keys__run_page(keys, run, page, entries, &count);
    if (err != BL_OK) return err;
    for (uint32_t i = 0; i < count; i++) {
      if (entries[i].hash > hash) return BL_OK;
      if (entries[i].hash == hash && !take(context, entries[i].offset)) return BL_OK;
    }
  }
  return err;
}
