/* The queue index: which log record is at which offset of which queue. A follower of the log.
 *
 * Not a file per queue: each queue has a small growing tail of entries in memory; a full tail goes
 * as a chunk to shared index segments (bolide/index/), and the queue keeps a directory of its
 * chunks, of which the older part is on the disk, too. Snapshots (bolide/queues/) hold tails and
 * directories of the queues that changed since the one before.
 *
 * Offsets are assigned when a message is appended (bl_queue_assign); entries appear when the record
 * is visible (on_record). A queue that was deleted keeps its next offset, so that a topic created
 * again goes on there.
 *
 * Thread: core. */
#ifndef BOLIDE_STORE_QUEUES_QUEUES_H
#define BOLIDE_STORE_QUEUES_QUEUES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "os/disk.h"
#include "os/worker.h"
#include "store/follower.h"

struct bl_queues;
struct bl_queue;

/* One entry, as it is read. */
struct bl_queue_entry {
  int64_t queue_offset;
  int64_t log_offset;
  uint32_t size_bytes;
  uint32_t count; /* queue offsets it spans: 1, or a batch */
  int64_t tags_code;
};

/* RETURNS OWNED. Opens nothing yet: the store calls load. BORROWS all. dir: the store directory. */
struct bl_queues *bl_queues_new(const char *dir, struct bl_disk *disk, struct bl_worker *pool);
/* Before the pool: waits for its own jobs on it. Accepts NULL. */
void bl_queues_free(struct bl_queues *queues);
struct bl_follower *bl_queues_follower(struct bl_queues *queues);

/* Called for every entry that becomes readable, after it is: wakes held pulls. BORROWS the record.
 */
void bl_queues_on_entry(struct bl_queues *queues,
                        void (*on_entry)(void *context, struct bl_queue *queue,
                                         const struct bl_queue_entry *entry,
                                         const struct bl_record *record),
                        void *context);

/* The queue, or NULL when it never had a message. BORROWS; stays valid until bl_queues_free. */
struct bl_queue *bl_queues_find(const struct bl_queues *queues, struct bl_slice topic,
                                int32_t queue_id);
/* The same, made when missing. BL_ERR_FULL: more queues than the limit; BL_ERR_PARAMETER: no topic,
 * one longer than 1,024 bytes, or a negative id. */
BL_MUST_CHECK bl_err bl_queues_open_queue(struct bl_queues *queues, struct bl_slice topic,
                                          int32_t queue_id, struct bl_queue **out_queue);

/* How many of the queues are light queues (store/entry.h). */
uint32_t bl_queues_light_count(const struct bl_queues *queues);

struct bl_slice bl_queue_topic(const struct bl_queue *queue);
int32_t bl_queue_id(const struct bl_queue *queue);

/* The next offset of the queue, taken: RETURNS it and moves on by `count`. The record that carries
 * it must be appended in the same turn. */
int64_t bl_queue_assign(struct bl_queue *queue, uint32_t count);
/* The same for a record that was just appended at log_offset: when it becomes visible its queue is
 * known without a look-up by name. In order of log offset. */
int64_t bl_queue_assign_at(struct bl_queue *queue, uint32_t count, int64_t log_offset);
/* First readable offset. When retention cut within a chunk that is not in memory, it is the offset
 * at which that chunk begins until somebody read the chunk: never above the true one. */
int64_t bl_queue_min_offset(const struct bl_queue *queue);
/* One after the last readable offset. */
int64_t bl_queue_max_offset(const struct bl_queue *queue);
/* Whether queues may have had messages that neither the snapshot nor the log knows: the snapshot
 * was lost, and the log does not begin at 0. At start, after the replay. */
bool bl_queues_front_lost(const struct bl_queues *queues);
/* The next offset is not below this one, of which somebody knows that it was reached. An offset
 * that no queue reaches in earnest is passed over. At start, after the replay. */
void bl_queue_go_on_at(struct bl_queue *queue, int64_t offset);
/* One after the last assigned offset. */
int64_t bl_queue_assigned_offset(const struct bl_queue *queue);

/* FILLS up to `max` entries from the one that holds `offset` on; when no record has that offset
 * (the log began later, or is damaged), from the next one that a record has. *out_count 0: offset
 * is outside [min, max). BL_ERR_COLD: a chunk is not in memory: bl_queues_warm and try again. */
BL_MUST_CHECK bl_err bl_queue_read(struct bl_queue *queue, int64_t offset,
                                   struct bl_queue_entry *out_entries, uint32_t max,
                                   uint32_t *out_count);
/* The same, waiting for the disk: tests and tools. */
BL_MUST_CHECK bl_err bl_queue_read_blocking(struct bl_queue *queue, int64_t offset,
                                            struct bl_queue_entry *out_entries, uint32_t max,
                                            uint32_t *out_count);

/* Reads what bl_queue_read from `offset` on lacks on the pool, then done on the core thread (BL_OK
 * also when there was nothing to read). A damaged chunk is made anew from the log meanwhile, which
 * can take long; err is BL_ERR_CRC and the like when the log cannot be read either. HOLDS until
 * done. */
struct bl_queue_warm {
  struct bl_job job;
  struct bl_queue *queue;
  int64_t offset;
  bl_err err;
  void (*done)(struct bl_queue_warm *warm);
  void *internal;
};
void bl_queue_warm(struct bl_queue *queue, struct bl_queue_warm *warm, int64_t offset,
                   void (*done)(struct bl_queue_warm *warm));

/* Before the end: who waits for a repair is told BL_ERR_NOT_AVAILABLE, now and from here on. */
void bl_queues_stop_reading(struct bl_queues *queues);

/* A pointer for the user of the index (held pulls, ...); NULL at first. */
void *bl_queue_user(const struct bl_queue *queue);
void bl_queue_set_user(struct bl_queue *queue, void *user);

/* Nothing of the topic before `log_offset` is readable any more (topic deletion). Idempotent. */
void bl_queues_retire_topic(struct bl_queues *queues, struct bl_slice topic, int64_t log_offset);
/* The same for one queue (retention of its own). Never goes back; the snapshot keeps it. */
void bl_queues_retire_queue(struct bl_queue *queue, int64_t log_offset);

/* Walks all queues; cursor 0 at the start, stays valid while queues are added. NULL at the end. */
struct bl_queue *bl_queues_next(const struct bl_queues *queues, size_t *cursor);

struct bl_queues_stats {
  int64_t queue_count;
  int64_t light_count; /* of them: light queues (store/entry.h) */
  int64_t entry_count;
  int64_t chunk_count;
  int64_t memory_bytes;
  int64_t index_bytes;
};
void bl_queues_stats(const struct bl_queues *queues, struct bl_queues_stats *out_stats);

#endif
