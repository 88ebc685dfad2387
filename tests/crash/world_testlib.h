/* A broker on a fake disk and a fake clock, without sockets, and the ledger of what was done to it:
 * every message, every change of a topic or a group, every commit, with its place in the log and
 * whether it was acknowledged. After a crash the broker is checked against the ledger, exactly: the
 * log that was recovered ends at some offset, and everything before it must be there, and nothing
 * else.
 *
 * Checks do not end the test: what is wrong goes to world.trouble (the first only), so that a test
 * can demand that something is found. */
#ifndef BOLIDE_TESTS_CRASH_WORLD_TESTLIB_H
#define BOLIDE_TESTS_CRASH_WORLD_TESTLIB_H

#include "broker/broker.h"
#include "os/fake/disk_fake.h"

#define WORLD_DIR "/data/store"
#define WORLD_TOPICS 5
#define WORLD_QUEUES 3
#define WORLD_GROUPS 3

struct world_message {
  uint64_t id; /* makes key and body */
  int topic;
  int queue;
  int64_t queue_offset;
  int64_t log_offset;
  int64_t end;
  uint32_t body_bytes;
  bool acked;
};

/* A topic or a group made (queues > 0) or deleted (0). */
struct world_change {
  bool is_group;
  int name;
  int queues;
  int64_t at; /* the log's end before the change */
  int64_t end;
  bool acked;
};

struct world_commit {
  int topic;
  int group;
  int queue;
  int64_t offset;
};

struct world_settings {
  enum bl_flush_mode flush_mode;
  bool buffered;           /* logWriteMode */
  int64_t retention_bytes; /* 0: nothing is deleted */
};

/* Up to this log offset the log has the first `commits` commits. */
struct world_logged {
  int64_t at;
  int commits;
};

struct world {
  struct bl_disk_fake *fake;
  struct bl_clock_fake clock;
  struct bl_timers timers;
  struct bl_worker *flush;
  struct bl_worker *pool;
  struct world_settings wishes;
  struct bl_broker_settings settings;
  struct bl_broker *broker; /* NULL: not open */
  uint64_t random;
  /* ledger */
  struct world_message *messages;
  int message_count;
  int message_cap;
  struct world_change *changes;
  int change_count;
  int change_cap;
  struct world_commit *commits;
  int commit_count;
  int commit_cap;
  struct world_logged *logged;
  int logged_count;
  int logged_cap;
  int64_t refused;                          /* waiters that were told an error */
  bl_err refused_code;                      /* the last */
  int64_t min_offset;                       /* of the log: below, records may be gone */
  int64_t gone[WORLD_TOPICS][WORLD_QUEUES]; /* messages below may be gone */
  int64_t flushed;                          /* the mark when the world ended or was cloned */
  int64_t end;                              /* of the log when it was last opened */
  char trouble[600];                        /* the first thing found wrong; empty: none */
};

/* An empty disk. The ring is 1 MiB and a segment 256 KiB, so that the log rolls. */
void world_init(struct world *world, const struct world_settings *wishes, uint64_t seed);
/* Frees all; an open broker is closed first. */
void world_fini(struct world *world);
/* Another world with a copy of the disk as it is now and of the ledger; no broker is open in it. */
void world_clone(struct world *to, const struct world *from);

/* BL_OK or the error of bl_broker_open with its sentence. */
bl_err world_try_open(struct world *world, struct bl_why *why);
/* The same; an error is trouble. RETURNS whether it is open. */
bool world_open(struct world *world);
void world_close(struct world *world);
/* The machine dies; the memory of the broker is freed. */
void world_power_loss(struct world *world, uint64_t seed);
/* The process dies. */
void world_kill(struct world *world);

uint64_t world_random(struct world *world);
__attribute__((format(printf, 2, 3))) void world_complain(struct world *world, const char *format,
                                                          ...);

/* The end of one turn. RETURNS whether there is more to do. */
bool world_turn(struct world *world);
/* Turns and jobs until nothing more happens. */
void world_settle(struct world *world);
/* Time passes, by the monotonic clock and the wall's. */
void world_pass(struct world *world, int64_t ms);

/* Each is written to the ledger, and marked when it is acknowledged. Room that is missing for a
 * moment is waited for. */
bl_err world_send(struct world *world, int topic, int queue, uint32_t body_bytes);
bl_err world_send_batch(struct world *world, int topic, int queue, int count);
bl_err world_put_topic(struct world *world, int topic);
bl_err world_delete_topic(struct world *world, int topic);
bl_err world_put_group(struct world *world, int group);
bl_err world_delete_group(struct world *world, int group);
void world_commit_offset(struct world *world, int topic, int group, int queue, int64_t offset);
/* One step of a random workload; now and then the workers are left behind. */
void world_step(struct world *world);

/* After world_open: what was acknowledged, and in any case synced, must be within the log; the
 * ledger is cut to the log that is there; then queues, records, keys and tables are compared with
 * it. */
void world_check_crash(struct world *world);
/* The offsets that are committed now are what later ones are compared with. */
void world_take_offsets(struct world *world);
/* The comparison alone, with a ledger that is right. */
void world_check(struct world *world);

/* Whether the ledger says that the topic is there. */
bool world_has_topic(const struct world *world, int topic);
/* The body that message of the ledger has: FILLS `body`. */
void world_body(const struct world_message *message, char *body);
void world_topic_name(int topic, char out_name[24]);

#endif
