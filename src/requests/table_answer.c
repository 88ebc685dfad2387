#include "requests/table_answer.h"

#include <stdlib.h>

#include "base/assert.h"

#define WRITTEN_PER_STEP 64
#define SKIPPED_PER_STEP 4096

struct progress {
  struct bl_json_writer w;
  size_t cursor;
  uint32_t at; /* entries seen */
};

static struct progress *start(struct bl_call *call, const struct bl_table_answer *answer) {
  struct progress *progress = calloc(1, sizeof(*progress));
  BL_ASSERT(progress != NULL);
  progress->w = bl_json_writer_of(call->body, false);
  bl_json_open_object(&progress->w);
  bl_json_key(&progress->w, "dataVersion");
  bl_version_write(&progress->w, &answer->table->version);
  if (answer->before != NULL) answer->before(&progress->w, answer->table);
  bl_json_key(&progress->w, answer->table->member);
  bl_json_open_object(&progress->w);
  return progress;
}

/* false: the page is written. */
static bool step(struct progress *progress, const struct bl_table_answer *answer) {
  int written = 0;
  uint64_t end = (uint64_t)answer->first + answer->count;
  for (int seen = 0; seen < SKIPPED_PER_STEP && written < WRITTEN_PER_STEP; seen++) {
    if (progress->at >= end) return false;
    const struct bl_map_entry *entry = bl_map_next(&answer->table->map, &progress->cursor);
    if (entry == NULL) return false;
    if (progress->at++ < answer->first) continue;
    bl_json_key_slice(&progress->w, entry->key);
    answer->table->write_value(&progress->w, entry->value);
    written++;
  }
  return true;
}

enum bl_outcome bl_table_answer(struct bl_call *call, const struct bl_table_answer *answer) {
  if (call->progress == NULL) call->progress = start(call, answer);
  struct progress *progress = call->progress;
  progress->w.out = call->body;
  if (step(progress, answer)) return BL_AGAIN;
  bl_json_close_object(&progress->w);
  if (answer->behind != NULL) answer->behind(&progress->w);
  bl_json_close_object(&progress->w);
  free(progress);
  call->progress = NULL;
  if (call->body->failed) {
    return bl_call_fail(call, BL_ERR_FULL,
                        "the table is larger than a frame may be: ask for pages of it");
  }
  struct bl_slice body = bl_buf_slice(call->body);
  struct bl_reply reply = {
      .table = answer->header_table, .header = answer->header, .body = &body, .body_count = 1};
  bl_call_reply(call, &reply);
  return BL_DONE;
}
