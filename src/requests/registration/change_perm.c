#include "requests/registration/change_perm.h"

#include <stdlib.h>

#include "base/assert.h"
#include "namesrv/routes.h"

#define TOPICS_PER_STEP 1000

enum bl_outcome bl_change_perm(struct bl_call *call, struct bl_slice broker_name, bool writable,
                               int32_t *out_count) {
  struct bl_namesrv_perm_walk *walk = call->progress;
  struct bl_namesrv_perm_walk first = {0};
  bool done = bl_namesrv_change_perm(call->server, broker_name, writable,
                                     walk != NULL ? walk : &first, TOPICS_PER_STEP);
  if (done) {
    *out_count = walk != NULL ? walk->count : first.count;
    free(walk);
    call->progress = NULL;
    return BL_DONE;
  }
  if (walk == NULL) {
    walk = malloc(sizeof(*walk));
    BL_ASSERT(walk != NULL);
    *walk = first;
    call->progress = walk;
  }
  return BL_AGAIN;
}
