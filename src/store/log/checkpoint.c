#include "store/log/checkpoint.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "base/log.h"
#include "store/log/segments.h"

#define VERSION 1
#define CRC_AT (BL_CHECKPOINT_SLOT_BYTES - 4)

static const char magic[8] = {'B', 'O', 'L', 'I', 'D', 'E', 'C', 'P'};

static void encode(const struct bl_checkpoint_mark *mark, char *to) {
  memset(to, 0, BL_CHECKPOINT_SLOT_BYTES);
  memcpy(to, magic, sizeof(magic));
  bl_store_u32(to + 8, VERSION);
  bl_store_u64(to + 16, mark->sequence);
  bl_store_u64(to + 24, (uint64_t)mark->flushed);
  bl_store_u64(to + 32, (uint64_t)mark->store_ms);
  bl_store_u32(to + 40, mark->tail_bytes);
  bl_store_u32(to + 44, mark->tail_crc);
  bl_store_u32(to + CRC_AT, bl_crc32(0, to, CRC_AT));
}

bool bl_checkpoint_decode(const char *from, struct bl_checkpoint_mark *out_mark) {
  if (memcmp(from, magic, sizeof(magic)) != 0 || bl_load_u32(from + 8) != VERSION) return false;
  if (bl_load_u32(from + CRC_AT) != bl_crc32(0, from, CRC_AT)) return false;
  *out_mark = (struct bl_checkpoint_mark){
      .sequence = bl_load_u64(from + 16),
      .flushed = (int64_t)bl_load_u64(from + 24),
      .store_ms = (int64_t)bl_load_u64(from + 32),
      .tail_bytes = bl_load_u32(from + 40),
      .tail_crc = bl_load_u32(from + 44),
  };
  return out_mark->flushed >= 0 && out_mark->tail_bytes <= BL_CHECKPOINT_TAIL_BYTES_MAX;
}

static int64_t place_of(uint64_t sequence) {
  return (int64_t)(sequence % 2) * BL_CHECKPOINT_SLOT_SPACING;
}

static bl_err write_slot(struct bl_checkpoint *checkpoint) {
  return checkpoint->disk->ops->write(checkpoint->disk, checkpoint->file, checkpoint->slot,
                                      sizeof(checkpoint->slot),
                                      place_of(checkpoint->mark.sequence));
}

static void run_write(struct bl_job *job) {
  struct bl_checkpoint *checkpoint = BL_CONTAINER(job, struct bl_checkpoint, job);
  checkpoint->err = write_slot(checkpoint);
}

/* A failed write costs nothing but an older checkpoint: the next one tries again. */
static void done_write(struct bl_job *job) {
  struct bl_checkpoint *checkpoint = BL_CONTAINER(job, struct bl_checkpoint, job);
  checkpoint->writing = false;
  if (checkpoint->err != BL_OK) checkpoint->mark.flushed = -1; /* not there: nothing goes by it */
}

static void take_mark(struct bl_checkpoint *checkpoint, const struct bl_checkpoint_mark *mark) {
  uint64_t sequence = checkpoint->mark.sequence + 1;
  checkpoint->mark = *mark;
  checkpoint->mark.sequence = sequence;
  encode(&checkpoint->mark, checkpoint->slot);
}

bl_err bl_checkpoint_open(struct bl_checkpoint *checkpoint, struct bl_disk *disk, const char *dir,
                          struct bl_why *why) {
  *checkpoint = (struct bl_checkpoint){
      .disk = disk, .file = -1, .job = {.run = run_write, .done = done_write}};
  char path[BL_STORE_PATH_BYTES_MAX];
  snprintf(path, sizeof(path), "%s/bolide/log.checkpoint", dir);
  bl_err err = disk->ops->open(disk, path, BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE,
                               &checkpoint->file, why);
  if (err != BL_OK) return err;
  for (int i = 0; i < 2; i++) {
    char slot[BL_CHECKPOINT_SLOT_BYTES];
    struct bl_checkpoint_mark mark;
    size_t got = 0;
    err = disk->ops->read(disk, checkpoint->file, slot, sizeof(slot),
                          i * BL_CHECKPOINT_SLOT_SPACING, &got);
    if (err != BL_OK) return bl_why_set(why, err, "cannot read %s", path);
    if (got < sizeof(slot)) continue;
    if (!bl_checkpoint_decode(slot, &mark)) {
      static const char never_written[BL_CHECKPOINT_SLOT_BYTES];
      if (memcmp(slot, never_written, sizeof(slot)) != 0)
        bl_log(BL_LOG_WARN, "store", "checkpoint.damaged",
               "file=%s slot=%d going_on_with=\"the other slot and the log\"", path, i);
      continue;
    }
    if (checkpoint->found && mark.sequence < checkpoint->mark.sequence) continue;
    checkpoint->found = true;
    checkpoint->mark = mark;
  }
  return BL_OK;
}

void bl_checkpoint_close(struct bl_checkpoint *checkpoint) {
  if (checkpoint->disk == NULL) return;
  BL_ASSERT(!checkpoint->writing);
  checkpoint->disk->ops->close(checkpoint->disk, checkpoint->file);
  checkpoint->file = -1;
}

void bl_checkpoint_write(struct bl_checkpoint *checkpoint, struct bl_worker *pool,
                         const struct bl_checkpoint_mark *mark) {
  BL_ASSERT(!checkpoint->writing);
  take_mark(checkpoint, mark);
  checkpoint->writing = true;
  bl_worker_submit(pool, &checkpoint->job);
}

bl_err bl_checkpoint_write_now(struct bl_checkpoint *checkpoint,
                               const struct bl_checkpoint_mark *mark) {
  BL_ASSERT(!checkpoint->writing);
  take_mark(checkpoint, mark);
  bl_err err = write_slot(checkpoint);
  if (err == BL_OK) err = checkpoint->disk->ops->sync(checkpoint->disk, checkpoint->file);
  return err;
}
