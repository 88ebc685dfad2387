#include "broker/identity.h"

#include <stdio.h>

#include "broker/broker.h"

#define DEFAULT_NAME "broker-a"
#define FILE_BYTES_MAX 4096
#define HEAD "bolide identity 1\nbrokerName="

static bl_err set_name(struct bl_broker *broker, struct bl_slice name, struct bl_why *why) {
  return bl_options_set(&bl_broker_options, broker->settings, BL_SLICE("brokerName"), name,
                        BL_OPTION_AT_START, why);
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

bl_err bl_identity_load(struct bl_broker *broker, struct bl_why *why) {
  char path[4200];
  char text[512];
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
    int len = snprintf(text, sizeof(text), HEAD "%s\n", broker->settings->broker_name);
    if (err == BL_OK) {
      err = bl_disk_replace_file(broker->disk, path, bl_slice_of(text, (size_t)len), false, why);
    }
  } else {
    err = bl_why_set(why, err, "cannot read %s: %s", path, bl_err_text(err));
  }
  bl_arena_fini(&arena);
  return err;
}
