#include "requests/kv/kv_reply.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

struct waiting {
  struct bl_namesrv_kv_wait wait;
  struct bl_remoting *remoting;
  struct bl_ticket ticket;
};

static void done(struct bl_namesrv_kv_wait *wait, bl_err err, const struct bl_why *why) {
  struct waiting *waiting = BL_CONTAINER(wait, struct waiting, wait);
  char remark[640];
  struct bl_reply reply = {.code = bl_err_code(err)};
  if (err != BL_OK) {
    snprintf(remark, sizeof(remark), "the change is in memory, but the file was not written: %s",
             why != NULL && why->text[0] != '\0' ? why->text : bl_err_text(err));
    reply.remark = bl_slice_text(remark);
  }
  bl_ticket_reply(waiting->remoting, &waiting->ticket, &reply);
  free(waiting);
}

struct bl_namesrv_kv_wait *bl_kv_wait_new(const struct bl_call *call) {
  struct waiting *waiting = calloc(1, sizeof(*waiting));
  BL_ASSERT(waiting != NULL);
  waiting->wait.done = done;
  waiting->remoting = call->remoting;
  waiting->ticket = bl_call_ticket(call);
  return &waiting->wait;
}

void bl_kv_wait_free(struct bl_namesrv_kv_wait *wait) {
  free(BL_CONTAINER(wait, struct waiting, wait));
}
