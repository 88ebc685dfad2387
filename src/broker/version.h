/* DataVersion: which state of a table somebody has seen. Pure.
 * Source: apache/rocketmq remoting DataVersion. */
#ifndef BOLIDE_BROKER_VERSION_H
#define BOLIDE_BROKER_VERSION_H

#include <stdint.h>

#include "base/json.h"

struct bl_version {
  int64_t state;
  int64_t timestamp_ms;
  int64_t counter;
};

static inline void bl_version_next(struct bl_version *version, int64_t now_ms) {
  version->timestamp_ms = now_ms;
  version->counter++;
}

/* {"counter":..,"stateVersion":..,"timestamp":..} */
static inline void bl_version_write(struct bl_json_writer *w, const struct bl_version *version) {
  bl_json_open_object(w);
  bl_json_member_i64(w, "counter", version->counter);
  bl_json_member_i64(w, "stateVersion", version->state);
  bl_json_member_i64(w, "timestamp", version->timestamp_ms);
  bl_json_close_object(w);
}

static inline void bl_version_read(const struct bl_json *json, struct bl_version *version) {
  version->counter = bl_json_i64(bl_json_get(json, "counter"), 0);
  version->state = bl_json_i64(bl_json_get(json, "stateVersion"), 0);
  version->timestamp_ms = bl_json_i64(bl_json_get(json, "timestamp"), 0);
}

#endif
