/* bolide/keys.snapshot, big-endian:
 *   magic u32, version u32, CRC u32 of everything behind it, covered offset i64, last log offset
 * i64, runs u32, runs (sequence i64, level u32, count i64, first i64, last i64), entries u64,
 * entries (hash u64, log offset i64)
 *
 * It holds what was there when it began: the runs by name, the blocks that are not runs yet by
 * their entries. */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "store/keys/keys_internal.h"

#define STEP_ENTRIES 2048u

static void use_blocks(struct bl_keys *keys) {
  struct bl_keys_dump *dump = &keys->dump;
  for (int i = 0; i < keys->frozen_count; i++) {
    dump->blocks[dump->block_count++] = keys->frozen[i]->block;
  }
  if (keys->active != NULL) dump->blocks[dump->block_count++] = keys->active;
  for (int b = 0; b < dump->block_count; b++) {
    dump->counts[b] = bl_keys__use_block(dump->blocks[b])->count;
  }
}

void bl_keys__end_dump(struct bl_keys *keys) {
  struct bl_keys_dump *dump = &keys->dump;
  for (int b = 0; b < dump->block_count; b++) bl_keys__unuse_block(dump->blocks[b]);
  *dump = (struct bl_keys_dump){0};
}

static void begin(struct bl_keys *keys, struct bl_snapshot *snapshot) {
  bl_keys__end_dump(keys);
  bl_keys__retry_frozen(keys);
  char path[512];
  bl_keys__path(keys, "keys.snapshot", path);
  struct bl_buf *out = &bl_snapshot_add(snapshot, path, false)->bytes;
  keys->dump = (struct bl_keys_dump){.running = true, .crc_len = BL_KEYS_SNAPSHOT_CRC_FROM};
  use_blocks(keys);
  bl_buf_put_u32(out, BL_KEYS_SNAPSHOT_MAGIC);
  bl_buf_put_u32(out, BL_KEYS_SNAPSHOT_VERSION);
  bl_buf_put_u32(out, 0);
  bl_buf_put_u64(out, (uint64_t)snapshot->covered_offset);
  bl_buf_put_u64(out, (uint64_t)keys->last_log);
  bl_buf_put_u32(out, (uint32_t)keys->runs.count);
  for (size_t i = 0; i < keys->runs.count; i++) {
    const struct bl_key_run *run = keys->runs.items[i];
    bl_buf_put_u64(out, (uint64_t)run->sequence);
    bl_buf_put_u32(out, run->level);
    bl_buf_put_u64(out, (uint64_t)run->count);
    bl_buf_put_u64(out, (uint64_t)run->first);
    bl_buf_put_u64(out, (uint64_t)run->last);
  }
  uint64_t entries = 0;
  for (int b = 0; b < keys->dump.block_count; b++) entries += keys->dump.counts[b];
  bl_buf_put_u64(out, entries);
  bl_keys__mark_doomed(keys);
  snapshot->started = true;
}

/* RETURNS false when all are written. */
static bool put_entries(struct bl_keys_dump *dump, struct bl_buf *out) {
  if (dump->at_block == dump->block_count) return false;
  const struct bl_key_block *block = dump->blocks[dump->at_block];
  uint32_t left = dump->counts[dump->at_block] - dump->at_entry;
  uint32_t count = left < STEP_ENTRIES ? left : STEP_ENTRIES;
  char *at = bl_buf_reserve(out, count * sizeof(struct bl_key_entry));
  if (at == NULL) return false;
  for (uint32_t i = 0; i < count; i++, at += sizeof(struct bl_key_entry)) {
    bl_store_u64(at, block->entries[dump->at_entry + i].hash);
    bl_store_u64(at + 8, (uint64_t)block->entries[dump->at_entry + i].offset);
  }
  out->len += count * sizeof(struct bl_key_entry);
  dump->at_entry += count;
  if (dump->at_entry == dump->counts[dump->at_block]) {
    dump->at_block++;
    dump->at_entry = 0;
  }
  return dump->at_block < dump->block_count;
}

bool bl_keys__snapshot_step(struct bl_follower *follower, struct bl_snapshot *snapshot) {
  struct bl_keys *keys = (struct bl_keys *)follower;
  /* Not while it lacks something that the one before has, or names. */
  if (keys->hole_count > 0 && !snapshot->started) {
    bl_keys__retry_frozen(keys);
    return false;
  }
  if (!snapshot->started) begin(keys, snapshot);
  struct bl_keys_dump *dump = &keys->dump;
  BL_ASSERT(dump->running);
  struct bl_buf *out = &snapshot->files[snapshot->file_count - 1].bytes;
  bool more = put_entries(dump, out);
  if (!out->failed) {
    dump->crc = bl_crc32(dump->crc, out->data + dump->crc_len, out->len - dump->crc_len);
    dump->crc_len = out->len;
    if (!more) bl_store_u32(out->data + BL_KEYS_SNAPSHOT_CRC_FROM - 4, dump->crc);
  }
  if (!more) bl_keys__end_dump(keys);
  return more;
}

void bl_keys__snapshot_done(struct bl_follower *follower, const struct bl_snapshot *snapshot,
                            bl_err err) {
  struct bl_keys *keys = (struct bl_keys *)follower;
  bl_keys__end_dump(keys);
  bool done = err == BL_OK && snapshot->file_count > 0;
  bl_keys__delete_doomed(keys, done);
  if (done) keys->covered = snapshot->covered_offset;
  if (done && keys->hole_count == 0) keys->repaired = false;
}
