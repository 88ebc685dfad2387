#include "requests/namesrv_admin/topic_list.h"

#include <stdlib.h>

#include "base/assert.h"

#define TOPICS_PER_STEP 1000

enum bl_outcome bl_topic_list(struct bl_call *call, bool enabled,
                              enum bl_namesrv_topic_filter filter, struct bl_slice cluster) {
  struct bl_namesrv_topic_walk *walk = call->progress;
  if (!enabled && walk == NULL) return bl_call_fail(call, BL_ERR_SYSTEM, "disable");
  struct bl_namesrv_topic_walk first = {0};
  if (bl_namesrv_topics_step(call->server, filter, cluster, walk != NULL ? walk : &first,
                             TOPICS_PER_STEP, call->body)) {
    free(walk);
    call->progress = NULL;
    return bl_call_ok_body(call);
  }
  if (walk == NULL) {
    walk = malloc(sizeof(*walk));
    BL_ASSERT(walk != NULL);
    *walk = first;
    call->progress = walk;
  }
  return BL_AGAIN;
}
