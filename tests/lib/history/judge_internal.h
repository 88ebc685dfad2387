/* Inside tests/lib/history only: the state of a judgement. */
#ifndef BOLIDE_TESTS_HISTORY_JUDGE_INTERNAL_H
#define BOLIDE_TESTS_HISTORY_JUDGE_INTERNAL_H

#include "history.h"

#define BL_HIST_QUEUES_MAX 1000000
#define BL_HIST_KEYS_MAX (1 << 24)

struct bl_hist_message {
  int64_t begin_us, end_us, due_us, offset;
  uint32_t queue;
  uint8_t result;
  bool sent;
};

/* The offsets of a queue and who is there: message + 1, 0: nobody yet. */
struct bl_hist_places {
  int64_t first, last; /* as seen; last < first: none */
  uint32_t *messages;
};

/* A client reads a queue. */
struct bl_hist_owner {
  uint32_t client, epoch;
  int64_t since_us, last_offset;
  struct bl_hist_owner *next;
};

/* A queue as a group sees it. */
struct bl_hist_lane {
  struct bl_hist_owner *owners;
  int64_t highest;               /* offset delivered; -1: none */
  int64_t unowned_us, shared_us; /* since when; -1: it is not */
  bool watched;
  uint32_t *commits; /* record numbers */
  uint32_t commit_count, commit_cap;
};

struct bl_hist_group {
  const struct bl_hist_record *promise; /* NULL: none */
  struct bl_hist_lane *lanes;           /* by queue; NULL: it does not appear */
  uint32_t *epochs;                     /* by message: of its last delivery; 0: none */
  int64_t time_us;
};

struct bl_hist_judge {
  const struct bl_hist_record *records;
  uint64_t record_count;
  uint64_t message_count;
  uint32_t queue_count, key_count;
  struct bl_hist_message *messages;
  struct bl_hist_places *places;
  struct bl_hist_group groups[BL_HIST_GROUPS_MAX];
  uint32_t epoch_count;
  uint32_t says_each;
  void (*say)(const char *line);
  struct bl_hist_report *report;
};

void bl_hist__found(struct bl_hist_judge *judge, enum bl_hist_wrong wrong, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void *bl_hist__new(size_t count, size_t bytes);
/* The message is at the offset; says TWICE when another one is. */
void bl_hist__place(struct bl_hist_judge *judge, uint64_t message, uint32_t queue, int64_t offset);

/* load.c: what has no order: sends, commits, promises. NULL, or why it is no history. */
const char *bl_hist__load(struct bl_hist_judge *judge);
/* walk.c: deliveries and owners as time goes by. */
const char *bl_hist__walk(struct bl_hist_judge *judge);
/* starts.c: whether a commit explains where an owner began. */
void bl_hist__check_start(struct bl_hist_judge *judge, const struct bl_hist_record *own);

#endif
