/* bolide's queue index (bolide/queues/, bolide/index/) and key index (bolide/keys.snapshot,
 * bolide/keys/): what store/queues and store/keys write; the layouts are at the top of their
 * snapshot.c, segments.c and run.c. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "store/check/verify_internal.h"
#include "store/keys/keys_internal.h"
#include "store/queues/queues_internal.h"

#define REBUILT "nothing: the next start of the server rebuilds it from the log"
#define READ_BYTES ((size_t)128 << 10)
#define RUN_MAGIC 0x424C4B52u
#define RUN_VERSION 1u
#define RUN_HEADER_BYTES 40u

static void damaged(struct bl_verify *verify, const char *file, int64_t offset, int64_t bytes,
                    const char *what) {
  bl_verify__tell_file(verify, BL_FINDING_DAMAGE, file, offset, bytes, what, REBUILT);
}

/* Both snapshots begin alike: magic, version, CRC of everything behind. */
static bool snapshot_is_good(struct bl_slice bytes, uint32_t magic, uint32_t version,
                             const char **out_what) {
  *out_what = "it is shorter than its header";
  if (bytes.len < BL_QUEUES_SNAPSHOT_CRC_FROM) return false;
  *out_what = "it does not begin with the magic number of such a file";
  if (bl_load_u32(bytes.ptr) != magic) return false;
  *out_what = "this program does not know its version, or the version is damaged";
  if (bl_load_u32(bytes.ptr + 4) != version) return false;
  *out_what = "its checksum does not match";
  struct bl_slice rest = bl_slice_from(bytes, BL_QUEUES_SNAPSHOT_CRC_FROM);
  return bl_load_u32(bytes.ptr + 8) == bl_crc32(0, rest.ptr, rest.len);
}

static void check_snapshot(struct bl_verify *verify, const char *name, uint32_t magic,
                           uint32_t version) {
  struct bl_slice bytes;
  const char *what = NULL;
  if (bl_verify__read(verify, name, &bytes) != BL_OK) return;
  verify->totals->files++;
  verify->totals->file_bytes += (int64_t)bytes.len;
  if (!snapshot_is_good(bytes, magic, version, &what)) damaged(verify, name, -1, -1, what);
}

/* A file read from front to back; what is needed next is in memory. */
struct reader {
  struct bl_verify *verify;
  int file;
  int64_t size;
  char *bytes;
  int64_t from;
  int64_t to;
};

/* BORROWS [at, at + len) until the next call; NULL when the file is shorter. */
static const char *reader_at(struct reader *reader, int64_t at, size_t len) {
  if (at + (int64_t)len > reader->size || len > READ_BYTES) return NULL;
  if (at < reader->from || at + (int64_t)len > reader->to) {
    struct bl_disk *disk = reader->verify->source->disk;
    size_t got = 0;
    reader->from = at;
    reader->to = at;
    if (disk->ops->read(disk, reader->file, reader->bytes, READ_BYTES, at, &got) != BL_OK ||
        got < len)
      return NULL;
    reader->to = at + (int64_t)got;
  }
  return reader->bytes + (at - reader->from);
}

/* The bytes of the chunk at `at` when it is whole; 0: it is not. */
static size_t chunk_at(struct reader *reader, int64_t at) {
  const char *head = reader_at(reader, at, BL_INDEX_HEADER_BYTES);
  if (head == NULL || bl_load_u32(head) != BL_CHUNK_MAGIC ||
      bl_load_u32(head + 4) != BL_CHUNK_VERSION)
    return 0;
  uint32_t units = bl_load_u32(head + BL_CHUNK_UNITS_AT);
  if (units == 0 || units > BL_QUEUE_CHUNK_UNITS) return 0;
  size_t len = bl_chunk__bytes(units, bl_load_u32(head + BL_CHUNK_LEVEL_AT));
  const char *chunk = reader_at(reader, at, len);
  if (chunk == NULL) return 0;
  bool good =
      bl_load_u32(chunk + 8) == bl_crc32(0, chunk + BL_CHUNK_CRC_FROM, len - BL_CHUNK_CRC_FROM);
  return good ? len : 0;
}

/* The first whole chunk behind `at`, or the end of the file. */
static int64_t next_chunk(struct reader *reader, int64_t at) {
  for (at++; at + (int64_t)BL_INDEX_HEADER_BYTES <= reader->size; at++) {
    const char *head = reader_at(reader, at, 4);
    if (head != NULL && bl_load_u32(head) == BL_CHUNK_MAGIC && chunk_at(reader, at) > 0) return at;
  }
  return reader->size;
}

static bool is_zero(struct reader *reader, int64_t from, int64_t to) {
  while (from < to) {
    size_t len = to - from < 4096 ? (size_t)(to - from) : 4096;
    const char *bytes = reader_at(reader, from, len);
    if (bytes == NULL) return false;
    for (size_t i = 0; i < len; i++) {
      if (bytes[i] != 0) return false;
    }
    from += (int64_t)len;
  }
  return true;
}

static void check_chunks(struct reader *reader, const char *name) {
  int looks = 0;
  for (int64_t at = 0; at < reader->size;) {
    size_t len = chunk_at(reader, at);
    if (len > 0) {
      at += (int64_t)len;
      continue;
    }
    reader->to = reader->from;
    int64_t next = next_chunk(reader, at);
    /* A server may be writing the last one. */
    if (next == reader->size && bl_verify__again(reader->verify, &looks)) {
      struct bl_disk *disk = reader->verify->source->disk;
      reader->to = reader->from;
      if (disk->ops->size(disk, reader->file, &reader->size) == BL_OK) continue;
    }
    if (next == reader->size && is_zero(reader, at, next)) return;
    damaged(reader->verify, name, at, next - at,
            "a chunk of the queue index does not match its "
            "checksum");
    at = next;
  }
}

static void check_run(struct reader *reader, const char *name) {
  const char *page = reader_at(reader, 0, BL_KEYS_PAGE_BYTES);
  bool good = page != NULL && bl_load_u32(page) == RUN_MAGIC &&
              bl_load_u32(page + 4) == RUN_VERSION &&
              bl_load_u32(page + 8) == bl_crc32(0, page + BL_KEYS_SNAPSHOT_CRC_FROM,
                                                RUN_HEADER_BYTES - BL_KEYS_SNAPSHOT_CRC_FROM);
  if (page != NULL && is_zero(reader, 0, BL_KEYS_PAGE_BYTES)) return; /* being written */
  if (!good || !is_zero(reader, RUN_HEADER_BYTES, BL_KEYS_PAGE_BYTES)) {
    damaged(reader->verify, name, 0, BL_KEYS_PAGE_BYTES, "its header does not match its checksum");
  }
  page = reader_at(reader, 0, BL_KEYS_PAGE_BYTES);
  int64_t count = good && page != NULL ? (int64_t)bl_load_u64(page + 16) : -1;
  int64_t pages = 0;
  for (int64_t at = BL_KEYS_PAGE_BYTES; at < reader->size; at += BL_KEYS_PAGE_BYTES) {
    page = reader_at(reader, at, BL_KEYS_PAGE_BYTES);
    pages++;
    if (page != NULL && bl_load_u32(page) == bl_crc32(0, page + 4, BL_KEYS_PAGE_BYTES - 4))
      continue;
    damaged(reader->verify, name, at, BL_KEYS_PAGE_BYTES, "a page does not match its checksum");
  }
  if (count >= 0 && pages != (count + BL_KEYS_PAGE_ENTRIES - 1) / BL_KEYS_PAGE_ENTRIES)
    damaged(reader->verify, name, -1, -1, "it does not have as many pages as its header says");
}

static void check_each(struct bl_verify *verify, const char *folder, const char *suffix,
                       void (*check)(struct reader *reader, const char *name)) {
  struct bl_disk *disk = verify->source->disk;
  const char *const *names;
  size_t count = 0;
  bl_verify__list(verify, folder, &names, &count);
  struct reader reader = {.verify = verify, .bytes = malloc(READ_BYTES)};
  BL_ASSERT(reader.bytes != NULL);
  for (size_t i = 0; i < count; i++) {
    char name[300];
    char path[BL_STORE_PATH_BYTES_MAX + 300];
    size_t len = strlen(names[i]);
    size_t suffix_len = strlen(suffix);
    if (len < suffix_len || strcmp(names[i] + len - suffix_len, suffix) != 0) continue;
    snprintf(name, sizeof(name), "%s/%.200s", folder, names[i]);
    snprintf(path, sizeof(path), "%s/%s", verify->source->dir, name);
    bl_err err = disk->ops->open(disk, path, BL_OPEN_READ, &reader.file, NULL);
    if (err == BL_ERR_NOT_FOUND) continue; /* a server deleted it since */
    if (err == BL_OK && disk->ops->size(disk, reader.file, &reader.size) == BL_OK) {
      reader.from = 0;
      reader.to = 0;
      verify->totals->files++;
      verify->totals->file_bytes += reader.size;
      check(&reader, name);
    } else {
      damaged(verify, name, -1, -1, "the file cannot be read");
    }
    if (err == BL_OK) disk->ops->close(disk, reader.file);
  }
  free(reader.bytes);
}

/* The snapshots of the queue index. */
static void check_parts(struct bl_verify *verify) {
  const char *const *names;
  size_t count = 0;
  bl_verify__list(verify, "bolide/queues", &names, &count);
  for (size_t i = 0; i < count; i++) {
    char name[300];
    size_t len = strlen(names[i]);
    if (len < 5 || strcmp(names[i] + len - 5, ".part") != 0) continue;
    snprintf(name, sizeof(name), "bolide/queues/%.200s", names[i]);
    check_snapshot(verify, name, BL_QUEUES_SNAPSHOT_MAGIC, BL_QUEUES_SNAPSHOT_VERSION);
  }
}

void bl_verify__index(struct bl_verify *verify) {
  if (!verify->source->ours) return;
  check_parts(verify);
  check_snapshot(verify, "bolide/keys.snapshot", BL_KEYS_SNAPSHOT_MAGIC, BL_KEYS_SNAPSHOT_VERSION);
  check_each(verify, "bolide/index", "", check_chunks);
  check_each(verify, "bolide/keys", ".run", check_run);
}
