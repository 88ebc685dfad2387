#include "store/check/verify.h"

#include <stdio.h>
#include <stdlib.h>

#include "os/process.h"
#include "store/check/verify_internal.h"

#define FILE_BYTES_MAX ((size_t)2 << 30)
#define LOOKS_MAX 5

void bl_verify__tell(struct bl_verify *verify, const struct bl_finding *finding) {
  if (finding->level == BL_FINDING_DAMAGE)
    verify->totals->damage++;
  else
    verify->totals->notes++;
  if (verify->settings->finding != NULL)
    verify->settings->finding(verify->settings->context, finding);
}

void bl_verify__tell_file(struct bl_verify *verify, enum bl_finding_level level, const char *file,
                          int64_t offset, int64_t bytes, const char *what, const char *next) {
  struct bl_finding finding = bl_finding_of(level, "file", file, what, next);
  finding.file_offset = offset;
  finding.bytes = bytes;
  bl_verify__tell(verify, &finding);
}

bl_err bl_verify__read(struct bl_verify *verify, const char *name, struct bl_slice *out_bytes) {
  char path[BL_STORE_PATH_BYTES_MAX];
  snprintf(path, sizeof(path), "%s/%s", verify->source->dir, name);
  bl_arena_reset(&verify->arena);
  bl_err err =
      bl_disk_read_file(verify->source->disk, path, FILE_BYTES_MAX, &verify->arena, out_bytes);
  if (err == BL_OK) return BL_OK;
  if (err != BL_ERR_NOT_FOUND) {
    bl_verify__tell_file(verify, BL_FINDING_DAMAGE, name, -1, -1, "the file cannot be read",
                         "see whether the disk is sound and the file readable");
  }
  return err;
}

bool bl_verify__again(struct bl_verify *verify, int *io_looks) {
  if (verify->settings->settle_ms == 0 || ++*io_looks >= LOOKS_MAX) return false;
  bl_process_sleep_ms(verify->settings->settle_ms);
  return true;
}

void bl_verify__list(struct bl_verify *verify, const char *folder, const char *const **out_names,
                     size_t *out_count) {
  struct bl_source *source = verify->source;
  char path[BL_STORE_PATH_BYTES_MAX];
  snprintf(path, sizeof(path), "%s/%s", source->dir, folder);
  *out_count = 0;
  bl_err err = source->disk->ops->list(source->disk, path, &source->arena, out_names, out_count);
  if (err == BL_OK) return;
  *out_count = 0;
  if (err != BL_ERR_NOT_FOUND)
    bl_verify__tell_file(verify, BL_FINDING_DAMAGE, folder, -1, -1, "the folder cannot be listed",
                         "see whether the disk is sound and the folder readable");
}

static void fini(struct bl_verify *verify) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&verify->queues, &cursor)) != NULL) {
    struct bl_verify_queue *queue = entry->value;
    free(queue->units);
    free(queue);
  }
  bl_map_fini(&verify->queues);
  bl_buf_fini(&verify->scratch);
  bl_arena_fini(&verify->arena);
}

bl_err bl_verify(struct bl_source *source, const struct bl_verify_settings *settings,
                 struct bl_verify_totals *out_totals, struct bl_why *why) {
  *out_totals = (struct bl_verify_totals){0};
  struct bl_verify verify = {.source = source, .settings = settings, .totals = out_totals};
  bl_map_init(&verify.queues);
  bl_buf_init(&verify.scratch, 0);
  bl_arena_init(&verify.arena);
  bl_err err = bl_verify__log(&verify, why);
  if (err == BL_OK && !settings->log_only) {
    source->guard.pad_to_bytes = 0;
    bl_verify__files(&verify);
    bl_verify__index(&verify);
    bl_verify__windows(&verify);
    bl_verify__timers(&verify);
    bl_verify__java(&verify);
  }
  fini(&verify);
  return err;
}
