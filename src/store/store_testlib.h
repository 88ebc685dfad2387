/* For tests of the store: a store on a fake disk and a fake clock with inline workers, messages
 * with numbers, and a toy follower that remembers which numbers it saw. */
#ifndef BOLIDE_STORE_STORE_TESTLIB_H
#define BOLIDE_STORE_STORE_TESTLIB_H

#include "os/fake/disk_fake.h"
#include "store/store.h"

#define ST_DIR "/data/store"
#define ST_MESSAGES_MAX 4096

/* Remembers messages by their number (its queue offset) and writes them as its snapshot. */
struct st_toy {
  struct bl_follower follower;
  struct bl_disk *disk;
  const char *dir;
  int64_t at[ST_MESSAGES_MAX]; /* log offset + 1 of the message of that number; 0: not seen */
  int64_t last_offset;         /* log offset of the newest */
  int64_t shown;               /* calls of on_record since it was made */
  int64_t replaced;            /* a number shown at another offset */
  int64_t min_offset;
  int64_t covered; /* of its last snapshot on the disk */
  int steps;       /* a snapshot takes that many */
  int snapshots_done;
  int snapshots_failed;
  int discards;
  int step;
};

struct st {
  struct bl_disk_fake *fake;
  struct bl_disk *disk;
  struct bl_clock_fake clock;
  struct bl_timers timers;
  struct bl_worker *flush;
  struct bl_worker *pool;
  struct bl_store_settings settings;
  struct st_toy toy;
  struct bl_follower *followers[1];
  struct bl_store *store;
  int64_t next;    /* number of the next message */
  int64_t acked;   /* messages whose waiter was told OK */
  int64_t refused; /* waiters told something else */
  bl_err refused_err;
  int notes;
  char note[1024]; /* the last */
};

/* How st_init has the log written; at first what BOLIDE_TEST_LOG_MODE says, else buffered. */
extern enum bl_write_mode st_write_mode;
/* For main: runs the group in each mode. RETURNS how many failed. */
struct CMUnitTest;
int st_run(const struct CMUnitTest *tests, size_t count);

/* 64 KiB files and ring, SYNC_FLUSH. */
void st_init(struct st *st);
void st_fini(struct st *st);

bl_err st_try_open(struct st *st, struct bl_why *why);
void st_open(struct st *st);
void st_close(struct st *st);
/* The process or the machine dies; the store's memory is freed. Open again with st_open. */
void st_kill(struct st *st);
void st_power_loss(struct st *st, uint64_t seed);

/* Appends message number st->next with a waiter, whose body has `body_bytes`. */
bl_err st_append(struct st *st, uint32_t body_bytes);
/* Appends and sees to it that it is taken: turns while the store is busy. */
void st_send(struct st *st, uint32_t body_bytes);
/* Turns and jobs until nothing more happens. */
void st_settle(struct st *st);
/* Time passes: timers fire, jobs run, turns end. */
void st_pass(struct st *st, int64_t ms);

/* The message of that number is in the log as it was appended, and the toy knows it. */
void st_check_message(struct st *st, int64_t number);
/* Exactly the messages [0, count) are known; count >= at_least. RETURNS count. */
int64_t st_check_prefix(struct st *st, int64_t at_least);

/* Overwrites bytes of the log, durably, behind the store's back (between close and open). */
void st_damage(struct st *st, int64_t offset, const void *bytes, size_t len);

#endif
