/* What store/timers writes: bolide/timers.snapshot and bolide/timers/SEQUENCE.run; the layouts are
 * at the top of its snapshot.c and run.c. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32.h"
#include "store/check/verify_internal.h"
#include "store/timers/pending_internal.h"

#define NEXT "nothing: the next start of the server takes it from the log again"

static void damaged(struct bl_verify *verify, const char *name, int64_t offset, int64_t bytes,
                    const char *what) {
  bl_verify__tell_file(verify, BL_FINDING_DAMAGE, name, offset, bytes, what, NEXT);
}

static bool read_file(struct bl_verify *verify, const char *name, struct bl_slice *out_bytes) {
  if (bl_verify__read(verify, name, out_bytes) != BL_OK) return false;
  verify->totals->files++;
  verify->totals->file_bytes += (int64_t)out_bytes->len;
  return true;
}

static void check_snapshot(struct bl_verify *verify) {
  static const char name[] = "bolide/timers.snapshot";
  struct bl_slice bytes;
  const char *what = NULL;
  if (!read_file(verify, name, &bytes)) return;
  if (bytes.len < BL_PENDING_SNAPSHOT_CRC_FROM) {
    what = "it is shorter than its header";
  } else if (bl_load_u32(bytes.ptr) != BL_PENDING_SNAPSHOT_MAGIC) {
    what = "it does not begin with the magic number of such a file";
  } else if (bl_load_u32(bytes.ptr + 4) != BL_PENDING_SNAPSHOT_VERSION) {
    what = "this program does not know its version, or the version is damaged";
  } else if (bl_load_u32(bytes.ptr + 8) != bl_crc32(0, bytes.ptr + BL_PENDING_SNAPSHOT_CRC_FROM,
                                                    bytes.len - BL_PENDING_SNAPSHOT_CRC_FROM)) {
    what = "its checksum does not match";
  }
  if (what != NULL) damaged(verify, name, -1, -1, what);
}

static void check_run(struct bl_verify *verify, const char *name) {
  struct bl_slice bytes;
  if (!read_file(verify, name, &bytes)) return;
  const char *what = bl_pending__check_run(bytes.ptr, bytes.len);
  if (what != NULL) {
    damaged(verify, name, -1, -1, what);
    return;
  }
  for (size_t at = BL_PENDING_PAGE_BYTES; at < bytes.len; at += BL_PENDING_PAGE_BYTES) {
    const char *page = bytes.ptr + at;
    if (bl_load_u32(page) == bl_crc32(0, page + 4, BL_PENDING_PAGE_BYTES - 4)) continue;
    damaged(verify, name, (int64_t)at, BL_PENDING_PAGE_BYTES,
            "the checksum of a page does not match");
  }
}

void bl_verify__timers(struct bl_verify *verify) {
  const char *const *names;
  size_t count = 0;
  check_snapshot(verify);
  bl_verify__list(verify, "bolide/timers", &names, &count);
  for (size_t i = 0; i < count; i++) {
    char name[300];
    size_t len = strlen(names[i]);
    if (len < 4 || strcmp(names[i] + len - 4, ".run") != 0) continue;
    snprintf(name, sizeof(name), "bolide/timers/%.200s", names[i]);
    check_run(verify, name);
  }
}
