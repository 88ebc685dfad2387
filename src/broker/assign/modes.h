/* How members of a group ask for the messages of a topic when the broker assigns them: pull or pop,
 * by topic and group. Kept in config/messageRequestMode.json. Thread: core.
 * Source: apache/rocketmq MessageRequestModeManager, SetMessageRequestModeRequestBody. */
#ifndef BOLIDE_BROKER_ASSIGN_MODES_H
#define BOLIDE_BROKER_ASSIGN_MODES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/map.h"

#define BL_REQUEST_MODES_MAX 100000

struct bl_request_mode {
  struct bl_slice topic; /* HELD by the table */
  struct bl_slice group;
  bool pop;
  int32_t pop_share_queues; /* popShareQueueNum */
};

struct bl_request_modes {
  struct bl_map topics; /* topic -> its groups */
  uint32_t count;       /* of topic and group */
};

void bl_request_modes_init(struct bl_request_modes *modes);
void bl_request_modes_fini(struct bl_request_modes *modes);
/* NULL: nothing was set. */
const struct bl_request_mode *bl_request_modes_find(const struct bl_request_modes *modes,
                                                    struct bl_slice topic, struct bl_slice group);
/* Copies the texts. BL_ERR_FULL. */
BL_MUST_CHECK bl_err bl_request_modes_put(struct bl_request_modes *modes,
                                          const struct bl_request_mode *mode);
void bl_request_mode_write(struct bl_json_writer *w, const struct bl_request_mode *mode);

/* Doors (bl_meta_table). context: struct bl_request_modes; a change's name is topic@group. */
void bl_request_modes_apply(void *context, struct bl_slice name, const struct bl_json *json,
                            int64_t log_offset);
bl_err bl_request_modes_replace(void *context, const struct bl_json *root, struct bl_why *why);
bool bl_request_modes_write_step(void *context, struct bl_buf *out, void **progress);
/* The same in one line: an answer. */
void bl_request_modes_write(const struct bl_request_modes *modes, struct bl_json_writer *w);

#endif
