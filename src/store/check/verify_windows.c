/* What store/dedup and store/expiry write: bolide/dedup.snapshot, bolide/dedup/NUMBER.part,
 * bolide/expiry.snapshot; the layouts are at the top of their snapshot.c. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32.h"
#include "store/check/verify_internal.h"
#include "store/dedup/dedup_internal.h"
#include "store/expiry/expiry_internal.h"

#define NEXT "nothing: the next start of the server takes it from the log again"

static void check_file(struct bl_verify *verify, const char *name, uint32_t magic, uint32_t version,
                       size_t head_bytes) {
  struct bl_slice bytes;
  if (bl_verify__read(verify, name, &bytes) != BL_OK) return;
  verify->totals->files++;
  verify->totals->file_bytes += (int64_t)bytes.len;
  const char *what = NULL;
  if (bytes.len < head_bytes) {
    what = "it is shorter than its header";
  } else if (bl_load_u32(bytes.ptr) != magic) {
    what = "it does not begin with the magic number of such a file";
  } else if (bl_load_u32(bytes.ptr + 4) != version) {
    what = "this program does not know its version, or the version is damaged";
  } else if (bl_load_u32(bytes.ptr + 8) != bl_crc32(0, bytes.ptr + 12, bytes.len - 12)) {
    what = "its checksum does not match";
  }
  if (what != NULL) bl_verify__tell_file(verify, BL_FINDING_DAMAGE, name, -1, -1, what, NEXT);
}

void bl_verify__windows(struct bl_verify *verify) {
  const char *const *names;
  size_t count = 0;
  check_file(verify, "bolide/dedup.snapshot", BL_DEDUP_SNAPSHOT_MAGIC, BL_DEDUP_VERSION,
             BL_DEDUP_CRC_FROM);
  check_file(verify, "bolide/expiry.snapshot", BL_EXPIRY_MAGIC, BL_EXPIRY_VERSION,
             BL_EXPIRY_CRC_FROM);
  bl_verify__list(verify, "bolide/dedup", &names, &count);
  for (size_t i = 0; i < count; i++) {
    char name[300];
    size_t len = strlen(names[i]);
    if (len < 5 || strcmp(names[i] + len - 5, ".part") != 0) continue;
    snprintf(name, sizeof(name), "bolide/dedup/%.200s", names[i]);
    check_file(verify, name, BL_DEDUP_PART_MAGIC, BL_DEDUP_VERSION, BL_DEDUP_PART_HEAD_BYTES);
  }
}
