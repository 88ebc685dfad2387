/* Looking at the messages that wait, in order of due time, some at a time; and taking one of them
 * away before its time.
 *
 * A look gives the first entries behind a place (due time, log offset). Each that waits from its
 * start to its end is in it; one that came or went meanwhile may be. The heaps are walked in
 * bounded steps; files are read, and all is sorted, by the pool. One look goes on at a time.
 *
 * A hold says whether an entry went by itself since: hold it, look whether it is there, then append
 * the record whose mark takes it away and claim it, all in the step that found the hold whole.
 *
 * Thread: core. */
#ifndef BOLIDE_STORE_TIMERS_LOOK_H
#define BOLIDE_STORE_TIMERS_LOOK_H

#include "base/list.h"
#include "store/timers/pending.h"

#define BL_PENDING_LOOK_MAX 65536u

struct bl_pending_place {
  int64_t due_ms;
  int64_t log_offset;
};

struct bl_pending_ask {
  struct bl_pending_place after;
  int64_t until_ms;   /* due at that time is the last that is wanted */
  uint32_t max;       /* entries looked at; 1 to BL_PENDING_LOOK_MAX */
  bool cancels_only;  /* but for `message` */
  int64_t message_at; /* log offset */
};

struct bl_pending_look;

/* RETURNS OWNED; NULL: another look goes on, try again. */
struct bl_pending_look *bl_pending_look_new(struct bl_pending *pending,
                                            const struct bl_pending_ask *ask);
enum bl_pending_look_step { BL_PENDING_LOOK_MORE, BL_PENDING_LOOK_WAIT, BL_PENDING_LOOK_DONE };
/* About 20 us. WAIT: for the pool, whose end makes a turn. */
enum bl_pending_look_step bl_pending_look_step(struct bl_pending_look *look);
/* After DONE: FILLS entries that wait (without bodies), in order, BORROWED from the look, and where
 * the next look goes on; *out_end: there is nothing behind. BL_ERR_*: a file could not be read; its
 * entries are being taken from the log, try again later. */
BL_MUST_CHECK bl_err bl_pending_look_result(const struct bl_pending_look *look,
                                            const struct bl_pending_entry **out_entries,
                                            uint32_t *out_count, struct bl_pending_place *out_next,
                                            bool *out_end);
/* At any step. Accepts NULL. */
void bl_pending_look_free(struct bl_pending_look *look);

struct bl_pending_hold {
  struct bl_list node;
  struct bl_pending_place place;
  bool broken; /* the entry was delivered, rolled or taken away */
};
/* HOLDS until let go; the hold starts zeroed. */
void bl_pending_hold(struct bl_pending *pending, struct bl_pending_hold *hold,
                     const struct bl_pending_entry *entry);
/* Accepts one that is zeroed. */
void bl_pending_let_go(struct bl_pending_hold *hold);
/* The record that takes the entry away was appended: nobody gives it out from here on. */
void bl_pending_claim(struct bl_pending *pending, struct bl_pending_hold *hold);
/* Before an entry is given out or appended again. true: it is claimed, and must not be; else holds
 * of it break. */
bool bl_pending_leaves(struct bl_pending *pending, const struct bl_pending_entry *entry);

#endif
