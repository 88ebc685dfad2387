/* What operators do with messages that wait: look at them, drop them, give them another time. No
 * wire format.
 *
 * Both go on in steps: call _step each turn until it says DONE, then read what was filled; free it
 * at any time that _may_free allows. Thread: core. */
#ifndef BOLIDE_BROKER_DELAY_OPERATE_H
#define BOLIDE_BROKER_DELAY_OPERATE_H

#include "broker/query/search.h"
#include "store/timers/look.h"

struct bl_broker;

#define BL_DELAY_ROWS_MAX 1024 /* of one list */

enum bl_delay_operation { BL_DELAY_MORE, BL_DELAY_WAITS, BL_DELAY_ENDED };

/* A message that waits, or (is_recall) a client's order to drop one, which works when the time
 * comes. Texts BORROW the list until its next step. */
struct bl_delay_row {
  int64_t due_ms;
  int64_t log_offset;
  int64_t store_ms;
  struct bl_slice topic; /* the one it is for */
  int32_t queue_id;
  struct bl_slice uniq_key; /* may be absent; of a recall: of the message that it drops */
  struct bl_slice keys;
  struct bl_slice tags;
  struct bl_host store_host; /* with log_offset: its message id */
  uint32_t body_bytes;
  bool is_recall;
};

struct bl_delay_list {
  struct bl_broker *broker;
  struct bl_pending_ask ask; /* `after` moves on: where the next list goes on */
  struct bl_slice topic;     /* absent: all */
  int64_t bucket_ms;         /* above 0: messages are counted by due time instead */
  void (*on_row)(void *context, const struct bl_delay_row *row);
  /* Messages due in [start_ms, start_ms + bucket_ms): the same one may come twice. */
  void (*on_bucket)(void *context, int64_t start_ms, int64_t count);
  void *context;
  bool end; /* FILLED: nothing is behind `after` */
  bl_err err;
  /* its own */
  struct bl_pending_look *look;
  bool looked;
  uint32_t at;
  struct bl_record_fetch fetch;
  bool fetching;
  bool fetched;
  int64_t bucket_start_ms;
  int64_t bucket_count;
};
/* broker, ask, topic (BORROWED), bucket_ms, callbacks and context are set; the rest is zero. */
enum bl_delay_operation bl_delay_list_step(struct bl_delay_list *list);
/* Not while the disk is read for it. */
bool bl_delay_list_may_free(const struct bl_delay_list *list);
void bl_delay_list_fini(struct bl_delay_list *list);

/* Drops messages, or gives them another time: those of the topic with that unique key (all copies
 * that wait), or the one whose record begins at log_offset. It is one record for each, which takes
 * away the old one and, to move it, is the new one; so it is there or not after a crash, and once.
 */
struct bl_delay_change {
  struct bl_broker *broker;
  struct bl_slice topic;
  struct bl_slice uniq_key; /* absent: log_offset says which */
  int64_t log_offset;
  struct bl_host store_host; /* of that record; all zero: any */
  bool moves;
  int64_t new_due_ms; /* a time that is over is now */
  struct bl_host born_host;
  /* FILLED. 0: nothing was changed, `err` and `why` say why: BL_ERR_NOT_FOUND 22 (no such message
   * waits: perhaps its time came), BL_ERR_NO_TOPIC, BL_ERR_NOT_ALLOWED 604 (it was recalled),
   * BL_ERR_MESSAGE_ILLEGAL 13 (the time is too far ahead), those of bl_store_append. */
  int32_t changed;
  int64_t end_offset;     /* wait for that */
  int64_t log_offset_now; /* of the last that was moved */
  bl_err err;
  struct bl_why why;
  /* its own */
  enum bl_delay_change_part {
    BL_DELAY_CHANGE_START,
    BL_DELAY_CHANGE_SEARCH,
    BL_DELAY_CHANGE_NEXT,
    BL_DELAY_CHANGE_LOOK,
    BL_DELAY_CHANGE_RECALLS,
    BL_DELAY_CHANGE_APPEND,
    BL_DELAY_CHANGE_END,
  } part;
  struct bl_message_search search;
  bool searching;
  bool level_searched;
  uint32_t at; /* of what was found */
  struct bl_record_fetch fetch;
  bool fetching;
  bool fetched;
  struct bl_pending_look *look;
  uint32_t look_at;
  struct bl_record_fetch recall;
  bool recall_fetching;
  bool recall_fetched;
  struct bl_pending_hold hold;
  struct bl_record stored; /* BORROWS search or fetch */
  struct bl_pending_entry entry;
  bool recalled; /* one that would have been changed was taken back by its sender */
};
enum bl_delay_operation bl_delay_change_step(struct bl_delay_change *change);
bool bl_delay_change_may_free(const struct bl_delay_change *change);
void bl_delay_change_fini(struct bl_delay_change *change);

#endif
