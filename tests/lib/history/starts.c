#include "judge_internal.h"

/* The committed offset is a register: commits write it, a new owner's question reads it. What was
 * read must be what some write put there that no later one had replaced before the question. A
 * write without an answer may have happened at any time, or not at all. */
void bl_hist__check_start(struct bl_hist_judge *judge, const struct bl_hist_record *own) {
  struct bl_hist_group *group = &judge->groups[own->group];
  const struct bl_hist_lane *lane = &group->lanes[own->queue];
  int64_t replaced_us = INT64_MIN; /* what ended before was replaced when the question was asked */
  if (group->promise != NULL && (group->promise->result & BL_HIST_FORGETS) != 0) return;
  for (uint32_t i = 0; i < lane->commit_count; i++) {
    const struct bl_hist_record *c = &judge->records[lane->commits[i]];
    if (c->end_us < own->begin_us && c->begin_us > replaced_us) replaced_us = c->begin_us;
  }
  if (replaced_us == INT64_MIN && own->offset <= 0) return; /* nothing was committed */
  for (uint32_t i = 0; i < lane->commit_count; i++) {
    const struct bl_hist_record *c = &judge->records[lane->commits[i]];
    if (c->offset == own->offset && c->begin_us <= own->end_us && c->end_us >= replaced_us) return;
  }
  int64_t known = -1;
  for (uint32_t i = 0; i < lane->commit_count; i++) {
    const struct bl_hist_record *c = &judge->records[lane->commits[i]];
    if (c->begin_us == replaced_us) known = c->offset;
  }
  bl_hist__found(
      judge, BL_HIST_START,
      "group %u queue %u: client %u was told to begin at %lld at %lld us; the last commit "
      "that was answered before said %lld",
      own->group, own->queue, own->client, (long long)own->offset, (long long)own->end_us,
      (long long)known);
}
