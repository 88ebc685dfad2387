#include <stdlib.h>

#include "base/assert.h"
#include "namesrv/cluster_json.h"
#include "remoting/request.h"
#include "requests/route/asker.h"

#define BROKERS_PER_STEP 200

struct progress {
  struct bl_namesrv_cluster_walk walk;
  struct bl_asker_copy asker;
};

static enum bl_outcome handle(struct bl_call *call) {
  struct progress *progress = call->progress;
  struct progress first = {0};
  if (progress == NULL) {
    first.asker = bl_asker_copy_of(call);
    progress = &first;
  }
  struct bl_namesrv_asker asker = bl_asker_of_copy(&progress->asker);
  if (bl_namesrv_cluster_step(call->server, &asker, &progress->walk, BROKERS_PER_STEP,
                              call->body)) {
    free(call->progress);
    call->progress = NULL;
    return bl_call_ok_body(call);
  }
  if (progress == &first) {
    progress = malloc(sizeof(*progress));
    BL_ASSERT(progress != NULL);
    *progress = first;
    call->progress = progress;
  }
  return BL_AGAIN;
}

const struct bl_request bl_request_cluster_info = {
    .code = 106,
    .name = "GET_BROKER_CLUSTER_INFO",
    .roles = BL_ROLE_NAMESRV,
    .handle = handle,
};
