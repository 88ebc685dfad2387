/* Inside src/client only: the parts of a redrive. */
#ifndef BOLIDE_CLIENT_REDRIVE_INTERNAL_H
#define BOLIDE_CLIENT_REDRIVE_INTERNAL_H

#include "client/client_internal.h"
#include "client/redrive.h"
#include "client/routes.h"
#include "wire/record.h"

/* What is asked or done next of the queue at `at`: its bounds first, of all queues; then the
 * messages, queue after queue, with a commit behind each pull. */
enum bl_redrive_step {
  BL_REDRIVE_ROUTE,
  BL_REDRIVE_MIN,
  BL_REDRIVE_MAX,
  BL_REDRIVE_COMMITTED,
  BL_REDRIVE_FROM,
  BL_REDRIVE_PULL,
  BL_REDRIVE_SENDING,
  BL_REDRIVE_COMMIT,
  BL_REDRIVE_CREATE_GROUP,
  BL_REDRIVE_ENDED,
};

struct bl_redrive_queue {
  struct bl_slice broker_name; /* in the arena */
  int32_t id;
  int64_t next_offset; /* to read */
  int64_t done_offset; /* everything before is settled */
  int64_t committed_offset;
  int64_t end_offset;
};

/* A letter of the pull that is being sent; its index is the token of the send. */
struct bl_redrive_parcel {
  struct bl_record record; /* BORROWS the batch */
  struct bl_slice to;
};

struct bl_redrive {
  struct bl_client *client;
  struct bl_redrive_settings settings; /* texts in the arena */
  struct bl_arena arena;
  struct bl_slice topic; /* %DLQ%group */
  struct bl_slice group; /* that keeps the progress */
  struct bl_route_watch watch;
  struct bl_route_watch to_watch;
  bool watching_to;
  struct bl_redrive_queue *queues;
  uint32_t queue_count;
  uint32_t at;
  enum bl_redrive_step step;
  enum bl_redrive_step after_create; /* what found no group */
  bool group_created;
  struct bl_outcall call;
  struct bl_timer timer; /* of the next try, and of the end */
  int tries;
  struct bl_producer *producer;
  struct bl_buf batch;      /* the answer that is being sent */
  struct bl_buf properties; /* of a message being sent */
  struct bl_redrive_parcel *parcels;
  uint32_t parcel_count, parcel_cap;
  uint32_t open;         /* sends without a result */
  int64_t failed_offset; /* the first letter that was not stored; -1 */
  int64_t batch_next;    /* where reading goes on behind the batch */
  struct bl_redrive_counts counts;
  bool stopping;
  bool finishing; /* commit, then end */
  enum bl_redrive_end end;
  struct bl_why why;
};

/* redrive_filter.c; pure. */
bool bl_redrive__takes(const struct bl_redrive_filter *filter, const struct bl_record *record);
/* Where the letter came from; the absent slice when it does not say. */
struct bl_slice bl_redrive__origin(const struct bl_record *record);
/* Appends the properties of the new message. */
void bl_redrive__properties(const struct bl_record *record, struct bl_buf *out);

/* redrive_ask.c: requests to brokers. */
void bl_redrive__ask(struct bl_redrive *redrive);

/* redrive_send.c: the letters of an answer. */
void bl_redrive__take(struct bl_redrive *redrive, struct bl_slice body, int64_t next_offset);
void bl_redrive__on_result(void *context, const struct bl_send_result *result);

/* redrive.c */
void bl_redrive__step(struct bl_redrive *redrive);
/* After the commit of what is settled. */
void bl_redrive__finish(struct bl_redrive *redrive, enum bl_redrive_end end);
/* At once. */
void bl_redrive__end(struct bl_redrive *redrive, enum bl_redrive_end end);
static inline struct bl_redrive_queue *bl_redrive__queue(struct bl_redrive *redrive) {
  return &redrive->queues[redrive->at];
}

#endif
