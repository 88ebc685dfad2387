#include "broker/identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/crc32.h"
#include "base/log.h"
#include "broker/broker.h"

#define DEFAULT_NAME "broker-a"
#define FILE_BYTES_MAX 4096
#define HEAD "bolide identity 1\nbrokerName="

static bl_err set_name(struct bl_broker *broker, struct bl_slice name, struct bl_why *why) {
  return bl_options_set(&bl_broker_options, broker->settings, BL_SLICE("brokerName"), name,
                        BL_OPTION_AT_START, why);
}

/* "checksum=CRC" over what stands before it; the first files had none. */
static bool is_whole(struct bl_slice bytes, struct bl_slice name, struct bl_slice rest) {
  char line[32];
  if (rest.len == 0) return name.len == 0 || memchr(name.ptr, '=', name.len) == NULL;
  uint32_t crc = bl_crc32(0, bytes.ptr, bytes.len - rest.len);
  int len = snprintf(line, sizeof(line), "checksum=%" PRIu32 "\n", crc);
  return bl_slice_eq(rest, bl_slice_of(line, (size_t)len));
}

static bl_err take_stored(struct bl_broker *broker, struct bl_slice bytes, const char *path,
                          struct bl_why *why) {
  struct bl_slice head = BL_SLICE(HEAD);
  if (!bl_slice_starts(bytes, head)) {
    return bl_why_set(
        why, BL_ERR_VERSION,
        "%s is not an identity file of version 1; it was written by another version or "
        "damaged: restore it, or remove it and give brokerName",
        path);
  }
  struct bl_slice rest = bl_slice_from(bytes, head.len);
  struct bl_slice name = bl_slice_cut(&rest, '\n');
  if (!is_whole(bytes, name, rest)) {
    return bl_why_set(why, BL_ERR_CRC,
                      "%s is damaged: its checksum does not match; restore it, or remove it and "
                      "give brokerName",
                      path);
  }
  struct bl_slice wanted = bl_slice_text(broker->settings->broker_name);
  if (wanted.len > 0 && !bl_slice_eq(wanted, name)) {
    return bl_why_set(
        why, BL_ERR_USAGE,
        "brokerName is %s but the store in %s belongs to broker %.*s; leave brokerName out, "
        "or choose another store",
        broker->settings->broker_name, broker->settings->store_dir, BL_FMT(name));
  }
  return set_name(broker, name, why);
}

/* The file on its way to the disk: a start does not wait for it. Until it is there the next start
 * comes to the same name by the same way. */
struct keeping {
  struct bl_job job;
  struct bl_disk *disk;
  char path[4200];
  char text[512];
  bl_err err;
  struct bl_why why;
};

static void run_keep(struct bl_job *job) {
  struct keeping *keeping = BL_CONTAINER(job, struct keeping, job);
  keeping->err = bl_disk_replace_file(keeping->disk, keeping->path, bl_slice_text(keeping->text),
                                      false, &keeping->why);
}

static void done_keep(struct bl_job *job) {
  struct keeping *keeping = BL_CONTAINER(job, struct keeping, job);
  if (keeping->err != BL_OK) {
    bl_log(BL_LOG_WARN, "broker", "identity.failed", "why=\"%s\"; trying again at the next start",
           keeping->why.text);
  }
  free(keeping);
}

static void keep(struct bl_broker *broker, const char *path) {
  struct keeping *keeping = calloc(1, sizeof(*keeping));
  BL_ASSERT(keeping != NULL);
  keeping->job.run = run_keep;
  keeping->job.done = done_keep;
  keeping->disk = broker->disk;
  snprintf(keeping->path, sizeof(keeping->path), "%s", path);
  int len =
      snprintf(keeping->text, sizeof(keeping->text), HEAD "%s\n", broker->settings->broker_name);
  if (len > 0 && (size_t)len < sizeof(keeping->text) - 32) {
    snprintf(keeping->text + len, 32, "checksum=%" PRIu32 "\n",
             bl_crc32(0, keeping->text, (size_t)len));
  }
  bl_worker_submit(broker->pool, &keeping->job);
}

bl_err bl_identity_load(struct bl_broker *broker, struct bl_why *why) {
  char path[4200];
  struct bl_arena arena;
  struct bl_slice bytes;
  snprintf(path, sizeof(path), "%s/bolide/identity", broker->settings->store_dir);
  bl_arena_init(&arena);
  bl_err err = bl_disk_read_file(broker->disk, path, FILE_BYTES_MAX, &arena, &bytes);
  if (err == BL_OK) {
    err = take_stored(broker, bytes, path, why);
  } else if (err == BL_ERR_NOT_FOUND) {
    err = BL_OK;
    if (broker->settings->broker_name[0] == '\0')
      err = set_name(broker, BL_SLICE(DEFAULT_NAME), why);
    if (err == BL_OK) keep(broker, path);
  } else {
    err = bl_why_set(why, err, "cannot read %s: %s", path, bl_err_text(err));
  }
  bl_arena_fini(&arena);
  return err;
}
