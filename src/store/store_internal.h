/* Inside of the store: what store.c, dispatch.c and snapshot.c share. */
#ifndef BOLIDE_STORE_STORE_INTERNAL_H
#define BOLIDE_STORE_STORE_INTERNAL_H

#include "store/cold.h"
#include "store/log/checkpoint.h"
#include "store/log/gate.h"
#include "store/log/log.h"
#include "store/store.h"
#include "store/takeover.h"

/* Shows visible records to the followers. */
struct bl_dispatch {
  int64_t offset; /* everything before was shown */
  bool warming;   /* a record had to be read from the disk: the pool does that */
  bl_err failed;  /* ... and could not */
  struct bl_store_warm warm;
  char *buffer; /* a window of the files, for records that have left the ring: [from, to) */
  int64_t cap;
  int64_t from;
  int64_t to;
};

enum bl_snap_state { BL_SNAP_IDLE, BL_SNAP_STEPPING, BL_SNAP_FLUSHING, BL_SNAP_WRITING };

/* One follower after the other: its steps over some turns, wait for the log, write on the pool. */
struct bl_snapshots {
  enum bl_snap_state state;
  bool wanted;        /* at the next turn */
  int current;        /* follower */
  int64_t *covered;   /* per follower: what its last snapshot on disk covers */
  int64_t seen_end;   /* the snapshot may speak of records up to here */
  int64_t settled;    /* at this offset nothing was to be done */
  int64_t round_from; /* dispatch offset when the last round began */
  bool alone;         /* the snapshot under way is that of one follower, out of the rounds */
  bool soon_due;      /* some soon_ms may have passed */
  int64_t *soon_ms; /* per follower: when a snapshot of it alone is due; INT64_MAX: not asked for */
  struct bl_timer soon_timer;
  struct bl_snapshot snapshot;
  struct bl_timer timer;
  struct bl_job job;
  bl_err err;
  struct bl_why why;
};

/* A range of the log shown once more to one follower: again.c. */
struct bl_again {
  struct bl_follower *follower; /* NULL: none */
  int64_t offset;
  int64_t to;
  char *window; /* [from, end) of the log */
  int64_t cap;
  int64_t from;
  int64_t end;
  bool warming;
  bl_err failed;
  struct bl_store_warm warm;
};

struct bl_store {
  struct bl_log log;
  struct bl_gate gate;
  struct bl_checkpoint checkpoint;
  struct bl_timer checkpoint_timer;
  struct bl_takeover takeover;
  struct bl_job drop_job; /* Java's consume queues go: what follows is its own */
  struct bl_takeover_aside drop_aside;
  struct bl_why drop_why;
  struct bl_dispatch dispatch;
  struct bl_snapshots snapshots;
  struct bl_cold cold;
  struct bl_again again;
  struct bl_worker *pool;
  struct bl_follower *const *followers;
  int follower_count;
  int lock_file;
};

/* RETURNS true when more can be shown at once. `all`: without budget, waiting for the disk. */
bool bl_store__dispatch(struct bl_store *store, bool all);

/* Shows a follower what it wants to see again: some records. RETURNS true when more can follow. */
bool bl_store__again_turn(struct bl_store *store);
void bl_store__again_fini(struct bl_store *store);

/* follower_count is set. */
void bl_store__snapshots_init(struct bl_store *store);
void bl_store__snapshots_fini(struct bl_store *store);
/* One step. RETURNS true when the next can follow at once. */
bool bl_store__snapshots_turn(struct bl_store *store);
/* At close: every follower that has something new, to the end. */
void bl_store__snapshots_finish(struct bl_store *store);

#endif
