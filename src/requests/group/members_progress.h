/* The place of an answer that lists the members of a group, some a turn. */
#ifndef BOLIDE_REQUESTS_GROUP_MEMBERS_PROGRESS_H
#define BOLIDE_REQUESTS_GROUP_MEMBERS_PROGRESS_H

#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "remoting/call.h"

struct bl_members_progress {
  struct bl_json_writer w;
  uint32_t position;
  uint64_t changes; /* of the group when the answer was begun */
};

/* The writer stands inside of {"member":[ . */
static inline struct bl_members_progress *bl_members_progress(struct bl_call *call,
                                                              const char *member) {
  struct bl_members_progress *progress = call->progress;
  if (progress == NULL) {
    progress = calloc(1, sizeof(*progress));
    BL_ASSERT(progress != NULL);
    call->progress = progress;
    progress->w = bl_json_writer_of(call->body, false);
    bl_json_open_object(&progress->w);
    bl_json_key(&progress->w, member);
    bl_json_open_array(&progress->w);
  }
  progress->w.out = call->body;
  return progress;
}

/* Ends the object that was begun, and the answer. */
static inline enum bl_outcome bl_members_progress_end(struct bl_call *call) {
  struct bl_members_progress *progress = call->progress;
  bl_json_close_object(&progress->w);
  free(progress);
  call->progress = NULL;
  return bl_call_ok_body(call);
}

#endif
