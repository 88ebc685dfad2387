/* What the files of the pending messages share; nobody else includes it.
 *
 *   pending.c   records become entries; lifecycle
 *   record.c    what a record says: due time, mark
 *   heap.c      entries in order of due time, and the walk of a snapshot over them
 *   slots.c     the lowest log offset of a heap
 *   near.c      what is due soon, in flight, cancelled
 *   far.c       the rest: a heap, sealed ones on their way to a file, files
 *   run.c       a file: written, opened, read
 *   look.c      entries in order of due time, for people
 *   hold.c      entries that are taken away before their time
 *   java.c      what a Java broker delivered
 *   again.c     entries of a damaged file, from the log
 *   jobs.c      on the pool: a heap becomes a file, files are merged, old ones removed
 *   counts.c    how many wait, by topic
 *   snapshot.c  bolide/timers.snapshot written;  load.c  read */
#ifndef BOLIDE_STORE_TIMERS_PENDING_INTERNAL_H
#define BOLIDE_STORE_TIMERS_PENDING_INTERNAL_H

#include "base/map.h"
#include "store/timers/look.h"
#include "store/timers/pending.h"

#define BL_PENDING_PAGE_BYTES 4096u
#define BL_PENDING_PAGE_ENTRIES 170u
#define BL_PENDING_WINDOW_PAGES 16u
#define BL_PENDING_SEAL_ENTRIES (128u << 10) /* of the far heap, until it goes to a file */
#define BL_PENDING_SEALED_MAX 4
#define BL_PENDING_MERGE_ABOVE 8 /* files of one level */
#define BL_PENDING_ROLL_MAX (1u << 20)

/* How many entries begin in which part of the log. */
struct bl_pending_slots {
  struct bl_pending_slot {
    int64_t slot;
    int64_t entries;
  } * items; /* ascending */
  size_t count;
  size_t cap;
};
void bl_pending__slots_add(struct bl_pending_slots *slots, int64_t log_offset);
void bl_pending__slots_remove(struct bl_pending_slots *slots, int64_t log_offset);
/* Not above the lowest; INT64_MAX: none. */
int64_t bl_pending__slots_min(const struct bl_pending_slots *slots);
void bl_pending__slots_fini(struct bl_pending_slots *slots);

/* Entries in a binary heap. While a snapshot walks it from its end to its front, entries that leave
 * the part it has not seen, by being taken or by moving behind the walk, are given to it. */
struct bl_pending_heap {
  struct bl_pending_entry *items;
  size_t count;
  size_t cap;
  struct bl_pending_slots slots;
  size_t walk;             /* items at and behind it were seen; 0: no walk, or at its end */
  struct bl_buf *walk_out; /* where those go; NULL: no walk */
  size_t look;             /* the same for a look (look.c) */
  struct bl_buf *look_out;
};

static inline int bl_pending__compare(const struct bl_pending_entry *a,
                                      const struct bl_pending_entry *b) {
  if (a->due_ms != b->due_ms) return a->due_ms < b->due_ms ? -1 : 1;
  if (a->log_offset != b->log_offset) return a->log_offset < b->log_offset ? -1 : 1;
  if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
  return 0;
}
static inline bool bl_pending__same(const struct bl_pending_entry *a,
                                    const struct bl_pending_entry *b) {
  return a->due_ms == b->due_ms && a->log_offset == b->log_offset;
}

/* A file. It is read in order of due time, from `at` on. */
struct bl_pending_run {
  int file;
  int64_t sequence;
  uint32_t level;
  int64_t count;
  int64_t min_offset;              /* of the log, of all its entries */
  int64_t at;                      /* entries before it were taken */
  int64_t head_ms;                 /* entry `at` is not due before that */
  struct bl_pending_entry last;    /* taken; due_ms INT64_MIN: none */
  struct bl_pending_entry skip;    /* those up to it were taken before they were merged into this */
  struct bl_pending_entry *window; /* entries [window_from, window_from + window_count) */
  int64_t window_from;
  uint32_t window_count;
  bool loading;
  bool merging;
  bool dead;      /* replaced or used up; its file stays while a snapshot names it */
  bool doomed;    /* dead when the snapshot that is under way began */
  uint32_t users; /* jobs */
  bl_err err;     /* it cannot be read */
};

/* A far heap on its way to a file: the heap itself is not touched any more, what is taken is found
 * by walking down from its top. */
struct bl_pending_sealed {
  struct bl_job job;
  struct bl_pending *pending;
  struct bl_pending_entry *items;
  size_t count;
  uint32_t *next; /* a heap of places in `items`: what comes next is among them */
  size_t next_count;
  size_t next_cap;
  int64_t taken;
  struct bl_pending_entry last;
  int64_t min_offset;
  int64_t sequence;
  uint32_t users; /* a snapshot */
  bool writing;
  bool gone; /* it is a file now */
  bl_err err;
  struct bl_pending_run *run;
};

/* A delivery whose mark is not visible yet. */
struct bl_pending_flight {
  struct bl_pending_entry entry;
  int64_t mark_offset;
};

/* A cancellation in force. */
struct bl_pending_armed {
  struct bl_pending_entry entry;
  uint64_t key_hash;
  size_t next; /* place + 1 of another one in the same bucket; 0: none */
};
#define BL_PENDING_ARMED_BUCKETS 4096u

/* What cannot be delivered now. */
struct bl_pending_parked {
  struct bl_pending_entry entry;
  int64_t until_ms;
};

/* How many wait for a topic. */
struct bl_pending_count {
  int64_t count;
  int64_t changed_ms;
  int64_t frozen; /* what it was when the snapshot `frozen_in` began */
  int64_t frozen_ms;
  uint64_t frozen_in;
};

struct bl_pending_dump {
  struct bl_pending_sealed *sealed[BL_PENDING_SEALED_MAX];
  struct bl_pending_entry sealed_last[BL_PENDING_SEALED_MAX]; /* up to it: not pending */
  int sealed_count;
  int sealed_at;
  size_t sealed_entry;
  bool running;
  uint64_t number; /* of the snapshot */
  int part;
  size_t topic_cursor;
  uint32_t topics;     /* written */
  struct bl_buf files; /* written behind them at the end */
  struct bl_buf entries;
};

struct bl_pending {
  struct bl_follower follower; /* first: the store knows only this */
  char *dir;
  struct bl_disk *disk;
  struct bl_worker *pool;
  int64_t levels_ms[BL_PENDING_LEVELS_MAX];
  int level_count;
  bool live; /* the replay is over */
  struct {
    bool any;
    int64_t level_done[BL_PENDING_LEVELS_MAX]; /* queue offsets below are delivered */
    int64_t read_ms;                           /* timers of slots before that ... */
    int64_t queue_offset;                      /* ... and below that in the queue are */
    struct bl_map rolled; /* in a replay: what may be rolled further on in the log */
  } java;
  struct bl_pending_limits limits;
  int64_t last_log; /* of the last record taken; -1: none */
  int64_t last_ms;  /* its store time */
  int64_t log_min;
  int64_t covered;     /* of the last snapshot on the disk */
  int64_t frontier_ms; /* what is due until then is near */
  struct bl_pending_heap near;
  struct bl_pending_heap far;
  struct bl_pending_sealed *sealed[BL_PENDING_SEALED_MAX];
  int sealed_count;
  struct bl_pending_run **runs; /* the dead ones, too */
  size_t run_count;
  size_t run_cap;
  int64_t next_sequence;
  size_t seal_entries;   /* BL_PENDING_SEAL_ENTRIES; tests less */
  int64_t seal_again_ms; /* of the log's time: after a file that could not be written */
  uint32_t jobs;
  bool merging;
  struct bl_pending_entry far_last; /* taken from the far ones; due_ms INT64_MIN: none yet */
  int64_t
      rebuild_from; /* a file was damaged: what began there in the log is looked up; INT64_MAX */
  bool rebuilding;
  bool adding; /* all was looked up: what is in `rebuild` goes to the other heaps */
  struct bl_pending_heap rebuild;
  int64_t roll_below;             /* what is below in the log is to be appended again */
  struct bl_pending_entry *rolls; /* [roll_at, roll_count) wait for that */
  size_t roll_at;
  size_t roll_count;
  struct bl_pending_entry popped;   /* the last one; due_ms INT64_MIN: none yet */
  struct bl_pending_flight *flight; /* a ring: [flight_from, flight_to) modulo flight_cap */
  size_t flight_cap;
  size_t flight_from;
  size_t flight_to;
  struct bl_list holds;         /* struct bl_pending_hold */
  struct bl_map gone;           /* due time and log offset of what is claimed (hold.c) */
  bool gone_stays;              /* some of them were seen */
  bool roll_sealed;             /* the far heap went to a file for the roll that is under way */
  struct bl_pending_look *look; /* NULL: none */
  struct bl_pending_armed *armed;
  size_t armed_count;
  size_t armed_cap;
  size_t armed_buckets[BL_PENDING_ARMED_BUCKETS]; /* place + 1 of the first by key */
  struct bl_pending_parked *parked; /* a ring of BL_PENDING_PARKED_MAX; NULL: none ever was */
  size_t parked_from;
  size_t parked_to;
  int64_t body_bytes;
  int64_t count;
  struct bl_map counts; /* topic -> struct bl_pending_count, HELD */
  struct bl_pending_dump dump;
};

/* Smaller heaps go to files; for tests. */
void bl_pending__set_seal_entries(struct bl_pending *pending, size_t entries);

/* heap.c */
void bl_pending__heap_push(struct bl_pending_heap *heap, const struct bl_pending_entry *entry);
void bl_pending__heap_pop(struct bl_pending_heap *heap, struct bl_pending_entry *out_entry);
void bl_pending__heap_fini(struct bl_pending_heap *heap);
/* Starts a walk; the next `max` entries of it. false: the walk is over. */
void bl_pending__walk_begin(struct bl_pending_heap *heap, struct bl_buf *out);
bool bl_pending__walk_step(struct bl_pending_heap *heap, size_t max);
void bl_pending__walk_end(struct bl_pending_heap *heap);
/* An entry in a file. */
#define BL_PENDING_ENTRY_BYTES 24u
void bl_pending__put_entry(struct bl_buf *out, const struct bl_pending_entry *entry);
void bl_pending__encode(const struct bl_pending_entry *entry, char *to);
void bl_pending__decode(const char *from, struct bl_pending_entry *out_entry);

/* run.c; any thread */
struct bl_pending_writer {
  struct bl_pending *pending;
  int file;
  int64_t sequence;
  uint32_t level;
  char *buffer;
  int pages;        /* whole ones in the buffer */
  uint32_t in_page; /* entries in the one behind them */
  int64_t written;  /* pages */
  int64_t count;
  int64_t min_offset;
  int64_t first_ms;
  bl_err err;
};
bl_err bl_pending__writer_open(struct bl_pending_writer *writer, struct bl_pending *pending,
                               int64_t sequence, uint32_t level);
/* In order. Errors come at the end. */
void bl_pending__writer_put(struct bl_pending_writer *writer, const struct bl_pending_entry *entry);
/* RETURNS OWNED the run in out_run, durable; NULL when nothing was put, or it failed. */
bl_err bl_pending__writer_close(struct bl_pending_writer *writer, struct bl_pending_run **out_run);
struct bl_pending_run *bl_pending__run_new(void);
void bl_pending__run_free(struct bl_pending *pending, struct bl_pending_run *run);
bl_err bl_pending__run_open(struct bl_pending *pending, struct bl_pending_run *run);
void bl_pending__run_path(const struct bl_pending *pending, int64_t sequence, char out_path[512]);
/* What is wrong with a file's first page and length, or NULL. */
const char *bl_pending__check_run(const char *bytes, size_t len);
/* FILLS whole pages from the one that has entry `at` on; out_entries has room for them. */
bl_err bl_pending__run_read(struct bl_pending *pending, const struct bl_pending_run *run,
                            int64_t at, struct bl_pending_entry *out_entries, uint32_t max_pages,
                            int64_t *out_from, uint32_t *out_count);

/* far.c */
void bl_pending__sealed_start(struct bl_pending_sealed *sealed);
void bl_pending__add_run(struct bl_pending *pending, struct bl_pending_run *run);
void bl_pending__free_sealed(struct bl_pending_sealed *sealed);
int64_t bl_pending__far_min_offset(const struct bl_pending *pending);
int64_t bl_pending__far_next_ms(const struct bl_pending *pending);
void bl_pending__clear_far(struct bl_pending *pending);

/* java.c */
/* Reads what Java delivered. RETURNS whether a Java broker had the store last. */
bool bl_pending__load_java(struct bl_pending *pending);
bool bl_pending__java_did(const struct bl_pending *pending, const struct bl_record *record);
/* FILLS what takes away the older copy of a message that Java rolled; false: there is none. */
bool bl_pending__java_rolls(struct bl_pending *pending, const struct bl_record *record,
                            const struct bl_pending_entry *entry, struct bl_pending_entry *out_old);
void bl_pending__end_java(struct bl_pending *pending);

/* again.c */
/* The file cannot be read: its entries are taken from the log again. */
void bl_pending__distrust(struct bl_pending *pending, struct bl_pending_run *run);
bool bl_pending__wants_again(struct bl_follower *follower, int64_t *out_from, int64_t *out_to);
void bl_pending__on_again(struct bl_follower *follower, const struct bl_record *record);
void bl_pending__again_done(struct bl_follower *follower, bl_err err);
/* A part of what was looked up. */
void bl_pending__add_some(struct bl_pending *pending);

/* jobs.c */
void bl_pending__load_window(struct bl_pending *pending, struct bl_pending_run *run);
void bl_pending__mark_doomed(struct bl_pending *pending);
void bl_pending__remove_doomed(struct bl_pending *pending, bool done);

/* record.c */
bool bl_pending__is_message(const struct bl_record *record);
/* The topic that the message is for. */
struct bl_slice bl_pending__real_topic(const struct bl_record *record);

/* hold.c */
/* A record that takes the entry away was seen, and it did not go out here before. */
void bl_pending__taken(struct bl_pending *pending, int64_t log_offset, int64_t due_ms);
/* Once the messages are appended again. */
void bl_pending__forget_gone(struct bl_pending *pending);

/* near.c */
void bl_pending__add(struct bl_pending *pending, struct bl_pending_entry *entry,
                     const struct bl_record *record);
void bl_pending__unarm(struct bl_pending *pending);
/* What is parked and taken away by a record will not be delivered. */
void bl_pending__unpark_dead(struct bl_pending *pending, const struct bl_pending_entry *dead);
/* true: it was the first in flight. */
bool bl_pending__landed(struct bl_pending *pending, int64_t mark_offset);
void bl_pending__clear(struct bl_pending *pending);

/* counts.c */
void bl_pending__count(struct bl_pending *pending, struct bl_slice topic, int delta,
                       int64_t now_ms);
void bl_pending__set_count(struct bl_pending *pending, struct bl_slice topic, int64_t count,
                           int64_t changed_ms);
void bl_pending__clear_counts(struct bl_pending *pending);

/* snapshot.c, load.c */
#define BL_PENDING_SNAPSHOT_MAGIC 0x424C5453u /* "BLTS" */
#define BL_PENDING_SNAPSHOT_VERSION 1u
#define BL_PENDING_SNAPSHOT_CRC_FROM 12u
#define BL_PENDING_SNAPSHOT_TOPICS_AT 28u
bool bl_pending__snapshot_step(struct bl_follower *follower, struct bl_snapshot *snapshot);
void bl_pending__snapshot_done(struct bl_follower *follower, const struct bl_snapshot *snapshot,
                               bl_err err);
void bl_pending__end_dump(struct bl_pending *pending);
bl_err bl_pending__load(struct bl_follower *follower, int64_t *out_covered_offset,
                        struct bl_why *why);
void bl_pending__path(const struct bl_pending *pending, const char *name, char out_path[512]);

#endif
