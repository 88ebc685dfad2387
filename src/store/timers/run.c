/* bolide/timers/SEQUENCE.run: entries in order of due time, log offset and kind; big-endian.
 * Page 0 of 4,096 bytes: magic u32, version u32, CRC u32 of the rest of the page, sequence i64,
 * level u32, count i64, lowest log offset i64, due time of the first i64, zeros. Others: CRC u32 of
 * the rest, entries u32, up to 170 entries of 24 bytes, zeros. Never written twice. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "store/timers/pending_internal.h"

#define MAGIC 0x424C5452u /* "BLTR" */
#define VERSION 1u
#define CRC_FROM 12u
#define WRITE_PAGES 64
#define FIRST_ENTRY_AT 8u

void bl_pending__run_path(const struct bl_pending *pending, int64_t sequence, char out_path[512]) {
  char name[64];
  snprintf(name, sizeof(name), "timers/%020lld.run", (long long)sequence);
  bl_pending__path(pending, name, out_path);
}

static int64_t pages_of(int64_t count) {
  return (count + BL_PENDING_PAGE_ENTRIES - 1) / BL_PENDING_PAGE_ENTRIES;
}

bl_err bl_pending__writer_open(struct bl_pending_writer *writer, struct bl_pending *pending,
                               int64_t sequence, uint32_t level) {
  *writer = (struct bl_pending_writer){.pending = pending, .sequence = sequence, .level = level};
  writer->min_offset = INT64_MAX;
  writer->buffer = calloc(WRITE_PAGES, BL_PENDING_PAGE_BYTES);
  BL_ASSERT(writer->buffer != NULL);
  char path[512];
  bl_pending__run_path(pending, sequence, path);
  writer->err = pending->disk->ops->open(
      pending->disk, path,
      BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE | BL_OPEN_TRUNCATE | BL_OPEN_NO_READ_AHEAD,
      &writer->file, NULL);
  if (writer->err != BL_OK) free(writer->buffer);
  return writer->err;
}

static void write_out(struct bl_pending_writer *writer) {
  struct bl_disk *disk = writer->pending->disk;
  if (writer->err == BL_OK && writer->pages > 0) {
    writer->err = disk->ops->write(disk, writer->file, writer->buffer,
                                   (size_t)writer->pages * BL_PENDING_PAGE_BYTES,
                                   (1 + writer->written) * BL_PENDING_PAGE_BYTES);
  }
  writer->written += writer->pages;
  writer->pages = 0;
  memset(writer->buffer, 0, (size_t)WRITE_PAGES * BL_PENDING_PAGE_BYTES);
}

static void end_page(struct bl_pending_writer *writer) {
  if (writer->in_page == 0) return;
  char *page = writer->buffer + (size_t)writer->pages * BL_PENDING_PAGE_BYTES;
  bl_store_u32(page + 4, writer->in_page);
  bl_store_u32(page, bl_crc32(0, page + 4, BL_PENDING_PAGE_BYTES - 4));
  writer->in_page = 0;
  if (++writer->pages == WRITE_PAGES) write_out(writer);
}

void bl_pending__writer_put(struct bl_pending_writer *writer,
                            const struct bl_pending_entry *entry) {
  char *page = writer->buffer + (size_t)writer->pages * BL_PENDING_PAGE_BYTES;
  char *at = page + FIRST_ENTRY_AT + (size_t)writer->in_page * BL_PENDING_ENTRY_BYTES;
  bl_pending__encode(entry, at);
  if (writer->count++ == 0) writer->first_ms = entry->due_ms;
  if (entry->kind != BL_PENDING_DEAD && entry->log_offset < writer->min_offset)
    writer->min_offset = entry->log_offset;
  if (++writer->in_page == BL_PENDING_PAGE_ENTRIES) end_page(writer);
}

static void write_head(struct bl_pending_writer *writer) {
  char *page = writer->buffer;
  memset(page, 0, BL_PENDING_PAGE_BYTES);
  bl_store_u32(page, MAGIC);
  bl_store_u32(page + 4, VERSION);
  bl_store_u64(page + 12, (uint64_t)writer->sequence);
  bl_store_u32(page + 20, writer->level);
  bl_store_u64(page + 24, (uint64_t)writer->count);
  bl_store_u64(page + 32, (uint64_t)writer->min_offset);
  bl_store_u64(page + 40, (uint64_t)writer->first_ms);
  bl_store_u32(page + 8, bl_crc32(0, page + CRC_FROM, BL_PENDING_PAGE_BYTES - CRC_FROM));
  struct bl_disk *disk = writer->pending->disk;
  if (writer->err == BL_OK)
    writer->err = disk->ops->write(disk, writer->file, page, BL_PENDING_PAGE_BYTES, 0);
  if (writer->err == BL_OK) writer->err = disk->ops->sync(disk, writer->file);
}

bl_err bl_pending__writer_close(struct bl_pending_writer *writer, struct bl_pending_run **out_run) {
  struct bl_disk *disk = writer->pending->disk;
  char path[512];
  *out_run = NULL;
  end_page(writer);
  write_out(writer);
  write_head(writer);
  bl_pending__path(writer->pending, "timers", path);
  if (writer->err == BL_OK) writer->err = disk->ops->sync_dir(disk, path);
  free(writer->buffer);
  if (writer->err != BL_OK || writer->count == 0) {
    disk->ops->close(disk, writer->file);
    bl_pending__run_path(writer->pending, writer->sequence, path);
    (void)disk->ops->remove(disk, path); /* what stays is removed at the next start */
    return writer->err;
  }
  struct bl_pending_run *run = bl_pending__run_new();
  run->file = writer->file;
  run->sequence = writer->sequence;
  run->level = writer->level;
  run->count = writer->count;
  run->min_offset = writer->min_offset;
  run->head_ms = writer->first_ms;
  *out_run = run;
  return BL_OK;
}

struct bl_pending_run *bl_pending__run_new(void) {
  struct bl_pending_run *run = calloc(1, sizeof(*run));
  BL_ASSERT(run != NULL);
  run->file = -1;
  run->last.due_ms = INT64_MIN;
  run->skip.due_ms = INT64_MIN;
  return run;
}

void bl_pending__run_free(struct bl_pending *pending, struct bl_pending_run *run) {
  if (run == NULL) return;
  pending->disk->ops->close(pending->disk, run->file);
  free(run->window);
  free(run);
}

const char *bl_pending__check_run(const char *bytes, size_t len) {
  if (len < BL_PENDING_PAGE_BYTES) return "it is shorter than its first page";
  if (bl_load_u32(bytes) != MAGIC) return "it does not begin with the magic number of such a file";
  if (bl_load_u32(bytes + 4) != VERSION)
    return "this program does not know its version, or the version is damaged";
  if (bl_load_u32(bytes + 8) != bl_crc32(0, bytes + CRC_FROM, BL_PENDING_PAGE_BYTES - CRC_FROM))
    return "the checksum of its first page does not match";
  int64_t count = (int64_t)bl_load_u64(bytes + 24);
  if (count < 0 || count > INT32_MAX * (int64_t)BL_PENDING_PAGE_ENTRIES ||
      (int64_t)len != (1 + pages_of(count)) * BL_PENDING_PAGE_BYTES)
    return "it has another length than it says";
  return NULL;
}

/* Opens the file of a run that a snapshot describes. */
bl_err bl_pending__run_open(struct bl_pending *pending, struct bl_pending_run *run) {
  struct bl_disk *disk = pending->disk;
  char path[512];
  char page[BL_PENDING_PAGE_BYTES];
  size_t got = 0;
  int64_t size = 0;
  bl_pending__run_path(pending, run->sequence, path);
  bl_err err = disk->ops->open(disk, path, BL_OPEN_READ | BL_OPEN_NO_READ_AHEAD, &run->file, NULL);
  if (err != BL_OK) {
    run->file = -1;
    return err;
  }
  err = disk->ops->read(disk, run->file, page, sizeof(page), 0, &got);
  if (err == BL_OK) err = disk->ops->size(disk, run->file, &size);
  if (err != BL_OK) return err;
  if (got < sizeof(page) || bl_load_u32(page) != MAGIC) return BL_ERR_FORMAT;
  if (bl_load_u32(page + 4) != VERSION) return BL_ERR_VERSION;
  if (bl_load_u32(page + 8) != bl_crc32(0, page + CRC_FROM, sizeof(page) - CRC_FROM))
    return BL_ERR_CRC;
  bool same = (int64_t)bl_load_u64(page + 12) == run->sequence &&
              (int64_t)bl_load_u64(page + 24) == run->count &&
              size >= (1 + pages_of(run->count)) * BL_PENDING_PAGE_BYTES;
  run->min_offset = (int64_t)bl_load_u64(page + 32);
  return same ? BL_OK : BL_ERR_FORMAT;
}

bl_err bl_pending__run_read(struct bl_pending *pending, const struct bl_pending_run *run,
                            int64_t at, struct bl_pending_entry *out_entries, uint32_t max_pages,
                            int64_t *out_from, uint32_t *out_count) {
  struct bl_disk *disk = pending->disk;
  int64_t page = at / BL_PENDING_PAGE_ENTRIES;
  int64_t pages = pages_of(run->count) - page;
  if (pages > max_pages) pages = max_pages;
  size_t bytes = (size_t)pages * BL_PENDING_PAGE_BYTES;
  size_t got = 0;
  char *buffer = malloc(bytes);
  BL_ASSERT(buffer != NULL && pages > 0);
  bl_err err =
      disk->ops->read(disk, run->file, buffer, bytes, (1 + page) * BL_PENDING_PAGE_BYTES, &got);
  if (err == BL_OK && got < bytes) err = BL_ERR_SHORT;
  uint32_t count = 0;
  for (int64_t i = 0; err == BL_OK && i < pages; i++) {
    const char *from = buffer + (size_t)i * BL_PENDING_PAGE_BYTES;
    uint32_t in_page = bl_load_u32(from + 4);
    int64_t left = run->count - (page + i) * BL_PENDING_PAGE_ENTRIES;
    uint32_t must = left < BL_PENDING_PAGE_ENTRIES ? (uint32_t)left : BL_PENDING_PAGE_ENTRIES;
    if (bl_load_u32(from) != bl_crc32(0, from + 4, BL_PENDING_PAGE_BYTES - 4)) err = BL_ERR_CRC;
    if (err == BL_OK && in_page != must) err = BL_ERR_FORMAT;
    for (uint32_t j = 0; err == BL_OK && j < in_page; j++) {
      bl_pending__decode(from + FIRST_ENTRY_AT + (size_t)j * BL_PENDING_ENTRY_BYTES,
                         &out_entries[count++]);
    }
  }
  free(buffer);
  *out_from = page * BL_PENDING_PAGE_ENTRIES;
  *out_count = count;
  return err;
}
