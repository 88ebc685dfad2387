/* bolide/halves, big-endian:
 *   magic u32, version u32, CRC u32 of everything behind it, covered offset i64, queue offsets of
 *   the next half and the next op record i64 i64, names u32, names (bytes u16, text, is a topic
 * u8), halves to the end (log offset i64, queue offset i64, born i64, op offset or end i64, size
 * u32, topic u32, group u32, immunity i32, checks u16, state u8, in an op record u8)
 *
 * It is written in steps while halves come and end. Those that came later are left out, and an end
 * that came later is undone when it is read: the log says both again, if it still does. */
#include <stdio.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "base/cursor.h"
#include "base/log.h"
#include "store/halves/halves_internal.h"

#define MAGIC 0x424c4846u /* BLHF */
#define VERSION 1u
#define CRC_FROM 12u
#define HALF_BYTES 52u
#define STEP_HALVES 1024u
#define FILE_BYTES_MAX (1u << 30)

static void path_of(const struct bl_halves *halves, char out[512]) {
  snprintf(out, 512, "%s/" BL_HALVES_FILE, halves->dir);
}

static void begin(struct bl_halves *halves, struct bl_snapshot *snapshot) {
  char path[512];
  path_of(halves, path);
  struct bl_buf *out = &bl_snapshot_add(snapshot, path, false)->bytes;
  halves->dump = (struct bl_halves_dump){.running = true, .behind = -1, .crc_len = CRC_FROM};
  bl_buf_put_u32(out, MAGIC);
  bl_buf_put_u32(out, VERSION);
  bl_buf_put_u32(out, 0);
  bl_buf_put_u64(out, (uint64_t)snapshot->covered_offset);
  bl_buf_put_u64(out, (uint64_t)halves->next_half);
  bl_buf_put_u64(out, (uint64_t)halves->next_op);
  bl_buf_put_u32(out, (uint32_t)halves->names.count);
  for (uint32_t i = 0; i < halves->names.count; i++) {
    const struct bl_half_name *name = halves->by_index[i];
    bl_buf_put_u16(out, (uint16_t)name->text.len);
    bl_buf_put_slice(out, name->text);
    bl_buf_put_u8(out, name->is_topic);
  }
  snapshot->started = true;
}

static void put_half(struct bl_buf *out, const struct bl_half *half) {
  bl_buf_put_u64(out, (uint64_t)half->log_offset);
  bl_buf_put_u64(out, (uint64_t)half->queue_offset);
  bl_buf_put_u64(out, (uint64_t)half->born_ms);
  bl_buf_put_u64(out, (uint64_t)half->op_or_end);
  bl_buf_put_u32(out, half->size_bytes);
  bl_buf_put_u32(out, half->topic);
  bl_buf_put_u32(out, half->group);
  bl_buf_put_u32(out, (uint32_t)half->immunity_s);
  bl_buf_put_u16(out, half->checks);
  bl_buf_put_u8(out, half->state);
  bl_buf_put_u8(out, half->in_op);
}

bool bl_halves__snapshot_step(struct bl_follower *follower, struct bl_snapshot *snapshot) {
  struct bl_halves *halves = (struct bl_halves *)follower;
  if (!snapshot->started) begin(halves, snapshot);
  struct bl_halves_dump *dump = &halves->dump;
  BL_ASSERT(dump->running);
  struct bl_buf *out = &snapshot->files[snapshot->file_count - 1].bytes;
  bool more = true;
  for (uint32_t i = 0; more && i < STEP_HALVES; i++) {
    const struct bl_half *half = bl_half_table__after(&halves->table, dump->behind);
    more = half != NULL && half->log_offset < snapshot->covered_offset;
    if (!more) break;
    put_half(out, half);
    dump->behind = half->log_offset;
  }
  if (out->failed) return false;
  dump->crc = bl_crc32(dump->crc, out->data + dump->crc_len, out->len - dump->crc_len);
  dump->crc_len = out->len;
  if (!more) bl_store_u32(out->data + CRC_FROM - 4, dump->crc);
  return more;
}

void bl_halves__snapshot_done(struct bl_follower *follower, const struct bl_snapshot *snapshot,
                              bl_err err) {
  struct bl_halves *halves = (struct bl_halves *)follower;
  halves->dump.running = false;
  if (err == BL_OK && snapshot->file_count > 0) halves->covered = snapshot->covered_offset;
}

static bool is_sound(struct bl_slice bytes, struct bl_cursor *out_rest) {
  *out_rest = bl_cursor_of(bytes);
  bool known = bl_cursor_u32(out_rest) == MAGIC && bl_cursor_u32(out_rest) == VERSION;
  uint32_t crc = bl_cursor_u32(out_rest);
  if (!known || out_rest->failed) return false;
  return crc == bl_crc32(0, bytes.ptr + CRC_FROM, bytes.len - CRC_FROM);
}

bool bl_halves_file_is_sound(struct bl_slice bytes) {
  struct bl_cursor rest;
  return is_sound(bytes, &rest);
}

static struct bl_half take_half(struct bl_cursor *in) {
  struct bl_half half = {.log_offset = (int64_t)bl_cursor_u64(in)};
  half.queue_offset = (int64_t)bl_cursor_u64(in);
  half.born_ms = (int64_t)bl_cursor_u64(in);
  half.op_or_end = (int64_t)bl_cursor_u64(in);
  half.size_bytes = bl_cursor_u32(in);
  half.topic = bl_cursor_u32(in);
  half.group = bl_cursor_u32(in);
  half.immunity_s = (int32_t)bl_cursor_u32(in);
  half.checks = bl_cursor_u16(in);
  half.state = bl_cursor_u8(in);
  half.in_op = bl_cursor_u8(in);
  return half;
}

static bl_err take_halves(struct bl_halves *halves, struct bl_cursor *in) {
  int64_t behind = -1;
  int64_t op = 0;
  if (in->failed || bl_cursor_left(in) % HALF_BYTES != 0) return BL_ERR_FORMAT;
  while (bl_cursor_left(in) > 0) {
    struct bl_half half = take_half(in);
    if (half.log_offset <= behind || half.log_offset >= halves->covered ||
        half.topic >= halves->names.count || half.group >= halves->names.count ||
        half.state > BL_HALF_MOVED)
      return BL_ERR_FORMAT;
    behind = half.log_offset;
    if (half.state != BL_HALF_OPEN && half.op_or_end >= halves->covered) {
      half.state = BL_HALF_OPEN;
      half.op_or_end = op;
    }
    if (half.state == BL_HALF_OPEN) {
      op = half.op_or_end;
      halves->by_index[half.topic]->open++;
    }
    bl_half_table__add(&halves->table, &half);
  }
  return BL_OK;
}

static bl_err take_file(struct bl_halves *halves, struct bl_slice bytes) {
  struct bl_cursor in;
  if (!is_sound(bytes, &in)) return BL_ERR_CRC;
  halves->covered = (int64_t)bl_cursor_u64(&in);
  halves->next_half = (int64_t)bl_cursor_u64(&in);
  halves->next_op = (int64_t)bl_cursor_u64(&in);
  uint32_t names = bl_cursor_u32(&in);
  if (halves->covered < 0 || names > BL_HALVES_NAMES_MAX + 1) return BL_ERR_FORMAT;
  for (uint32_t i = 0; i < names; i++) {
    struct bl_slice text = bl_cursor_bytes(&in, bl_cursor_u16(&in));
    bool is_topic = bl_cursor_u8(&in) != 0;
    if (in.failed) return BL_ERR_FORMAT;
    struct bl_half_name *name = bl_halves__name(halves, text);
    if (name->index != i) return BL_ERR_FORMAT;
    name->is_topic = is_topic;
  }
  return take_halves(halves, &in);
}

bl_err bl_halves__load(struct bl_follower *follower, int64_t *out_covered_offset,
                       struct bl_why *why) {
  struct bl_halves *halves = (struct bl_halves *)follower;
  (void)why;
  char path[512];
  struct bl_arena arena;
  struct bl_slice bytes;
  path_of(halves, path);
  bl_arena_init(&arena);
  bl_err err = bl_disk_read_file(halves->disk, path, FILE_BYTES_MAX, &arena, &bytes);
  if (err == BL_OK) err = take_file(halves, bytes);
  bl_arena_fini(&arena);
  if (err != BL_OK) {
    bl_halves__forget(halves);
    if (err != BL_ERR_NOT_FOUND)
      bl_log(BL_LOG_WARN, "store", "halves.unusable",
             "error=%s going_on=\"open transactions are taken from the log again\"",
             bl_err_name(err));
  }
  halves->seen_to = halves->covered;
  *out_covered_offset = halves->covered;
  return BL_OK;
}
