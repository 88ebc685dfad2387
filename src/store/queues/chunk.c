/* A chunk: header, then units of 24 bytes (a node: references of 32), everything big-endian.
 *   0 magic  4 version  8 CRC of what follows  12 queue id  16 hash of the topic  24 base queue
 * offset  32 entries  36 units  40 level  44 zero  48 last log offset  56 zero */
#include "base/bytes.h"
#include "base/crc32.h"
#include "store/queues/queues_internal.h"

/* FNV-1a; on disk, so it never changes. It tells a chunk of another queue, nothing more. */
static uint64_t topic_hash(struct bl_slice topic) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (size_t i = 0; i < topic.len; i++)
    hash = (hash ^ (unsigned char)topic.ptr[i]) * 0x100000001b3ull;
  return hash;
}

size_t bl_chunk__bytes(uint32_t units, uint32_t level) {
  return BL_INDEX_HEADER_BYTES +
         (size_t)units * (level > 0 ? BL_INDEX_REF_BYTES : BL_INDEX_UNIT_BYTES);
}

void bl_chunk__put_ref(char *out, const struct bl_chunk_ref *ref) {
  bl_store_u64(out, (uint64_t)ref->base);
  bl_store_u64(out + 8, (uint64_t)ref->position);
  bl_store_u64(out + 16, (uint64_t)ref->last_log);
  bl_store_u32(out + 24, ref->entries);
  bl_store_u32(out + 28, (uint32_t)ref->units << 16 | ref->level);
}

struct bl_chunk_ref bl_chunk__take_ref(const char *bytes) {
  uint32_t shape = bl_load_u32(bytes + 28);
  return (struct bl_chunk_ref){
      .base = (int64_t)bl_load_u64(bytes),
      .position = (int64_t)bl_load_u64(bytes + 8),
      .last_log = (int64_t)bl_load_u64(bytes + 16),
      .entries = bl_load_u32(bytes + 24),
      .units = (uint16_t)(shape >> 16),
      .level = (uint16_t)shape,
  };
}

bool bl_chunk__is_ref(const struct bl_chunk_ref *ref, const struct bl_chunk_ref *before) {
  uint32_t most = ref->level > 0 ? BL_QUEUE_NODE_REFS_MAX : BL_QUEUE_CHUNK_UNITS;
  if (ref->units == 0 || ref->units > most || ref->level > BL_QUEUE_LEVELS_MAX) return false;
  if (ref->base < 0 || ref->position < 0 || ref->last_log < 0) return false;
  return before == NULL || (ref->base > before->base && ref->last_log > before->last_log);
}

static void encode_units(const struct bl_queue_unit *units, uint32_t count, char *at) {
  for (uint32_t i = 0; i < count; i++, at += BL_INDEX_UNIT_BYTES) {
    bl_store_u64(at, (uint64_t)units[i].log_offset);
    bl_store_u64(at + 8, (uint64_t)units[i].tags_code);
    bl_store_u32(at + 16, units[i].size_bytes);
    bl_store_u32(at + 20, units[i].end);
  }
}

size_t bl_chunk__encode(const struct bl_queue *queue, const struct bl_chunk_ref *ref,
                        const void *units, char *out) {
  size_t len = bl_chunk__bytes(ref->units, ref->level);
  memset(out, 0, BL_INDEX_HEADER_BYTES);
  bl_store_u32(out, BL_CHUNK_MAGIC);
  bl_store_u32(out + 4, BL_CHUNK_VERSION);
  bl_store_u32(out + 12, (uint32_t)queue->id);
  bl_store_u64(out + 16, topic_hash(bl_queue__topic_name(queue->topic)));
  bl_store_u64(out + 24, (uint64_t)ref->base);
  bl_store_u32(out + 32, ref->entries);
  bl_store_u32(out + BL_CHUNK_UNITS_AT, ref->units);
  bl_store_u32(out + BL_CHUNK_LEVEL_AT, ref->level);
  bl_store_u64(out + 48, (uint64_t)ref->last_log);
  char *at = out + BL_INDEX_HEADER_BYTES;
  if (ref->level == 0) {
    encode_units(units, ref->units, at);
  } else {
    const struct bl_chunk_ref *refs = units;
    for (uint32_t i = 0; i < ref->units; i++, at += BL_INDEX_REF_BYTES)
      bl_chunk__put_ref(at, &refs[i]);
  }
  bl_store_u32(out + BL_CHUNK_CRC_AT,
               bl_crc32(0, out + BL_CHUNK_CRC_FROM, len - BL_CHUNK_CRC_FROM));
  return len;
}

static bl_err decode_units(const struct bl_chunk_ref *ref, const char *at,
                           struct bl_queue_unit *out_units) {
  uint32_t end = 0;
  for (uint32_t i = 0; i < ref->units; i++, at += BL_INDEX_UNIT_BYTES) {
    struct bl_queue_unit unit = {
        .log_offset = (int64_t)bl_load_u64(at),
        .tags_code = (int64_t)bl_load_u64(at + 8),
        .size_bytes = bl_load_u32(at + 16),
        .end = bl_load_u32(at + 20),
    };
    if (unit.end <= end) return BL_ERR_FORMAT;
    end = unit.end;
    out_units[i] = unit;
  }
  const struct bl_queue_unit *last = &out_units[ref->units - 1];
  return last->size_bytes > 0 && last->log_offset == ref->last_log ? BL_OK : BL_ERR_FORMAT;
}

static bl_err decode_refs(const struct bl_chunk_ref *ref, const char *at,
                          struct bl_chunk_ref *out_refs) {
  for (uint32_t i = 0; i < ref->units; i++, at += BL_INDEX_REF_BYTES) {
    out_refs[i] = bl_chunk__take_ref(at);
    if (!bl_chunk__is_ref(&out_refs[i], i > 0 ? &out_refs[i - 1] : NULL) ||
        out_refs[i].level >= ref->level) {
      return BL_ERR_FORMAT;
    }
  }
  bool whole = out_refs[0].base == ref->base && out_refs[ref->units - 1].last_log == ref->last_log;
  return whole ? BL_OK : BL_ERR_FORMAT;
}

bl_err bl_chunk__decode(const struct bl_queue *queue, const struct bl_chunk_ref *ref,
                        const char *bytes, void *out_units) {
  size_t len = bl_chunk__bytes(ref->units, ref->level);
  if (bl_load_u32(bytes) != BL_CHUNK_MAGIC) return BL_ERR_FORMAT;
  if (bl_load_u32(bytes + 4) != BL_CHUNK_VERSION) return BL_ERR_VERSION;
  if (bl_load_u32(bytes + BL_CHUNK_CRC_AT) !=
      bl_crc32(0, bytes + BL_CHUNK_CRC_FROM, len - BL_CHUNK_CRC_FROM)) {
    return BL_ERR_CRC;
  }
  if ((int32_t)bl_load_u32(bytes + 12) != queue->id ||
      bl_load_u64(bytes + 16) != topic_hash(bl_queue__topic_name(queue->topic)) ||
      (int64_t)bl_load_u64(bytes + 24) != ref->base ||
      bl_load_u32(bytes + BL_CHUNK_UNITS_AT) != ref->units ||
      bl_load_u32(bytes + BL_CHUNK_LEVEL_AT) != ref->level ||
      (int64_t)bl_load_u64(bytes + 48) != ref->last_log) {
    return BL_ERR_FORMAT;
  }
  bytes += BL_INDEX_HEADER_BYTES;
  return ref->level > 0 ? decode_refs(ref, bytes, out_units) : decode_units(ref, bytes, out_units);
}
