/* What the files of the queue index share; nobody else includes it.
 *
 *   queues.c    topics, queues, offsets, stats, the follower's table of functions
 *   feed.c      a record becomes an entry
 *   tail.c      the tail of a queue, its chunk directory, what retention drops
 *   segments.c  shared index segment files: chunks appended, read, cached
 *   sync.c      segments before and after a snapshot
 *   read.c      ranges of entries; warming
 *   snapshot.c  bolide/queues.snapshot written;  load.c  read */
#ifndef BOLIDE_STORE_QUEUES_QUEUES_INTERNAL_H
#define BOLIDE_STORE_QUEUES_QUEUES_INTERNAL_H

#include "base/buf.h"
#include "base/map.h"
#include "store/queues/queues.h"

#define BL_QUEUES_MAX (1u << 20)
#define BL_QUEUE_TOPIC_BYTES_MAX 1024u
#define BL_QUEUE_CHUNK_UNITS 1024u
/* What an idle queue may keep in memory; more goes to a short chunk at the second snapshot. */
#define BL_QUEUE_IDLE_UNITS 8u
/* A hole in a tail spans at most this; a larger gap begins a new chunk. */
#define BL_QUEUE_HOLE_SPAN_MAX (1u << 30)
#define BL_INDEX_SEGMENT_BYTES (64 << 20)
#define BL_QUEUES_DUMP_STEP_BYTES (48u << 10) /* about 50 us */
#define BL_INDEX_CACHE_CHUNKS 64
#define BL_INDEX_UNIT_BYTES 24u
#define BL_INDEX_HEADER_BYTES 64u
#define BL_INDEX_CHUNK_BYTES_MAX                                                                   \
  (BL_INDEX_HEADER_BYTES + BL_QUEUE_CHUNK_UNITS * BL_INDEX_UNIT_BYTES)

/* An entry as it is kept. Its queue offsets are [end of the unit before it, end), relative to the
 * base of its tail or chunk. size_bytes 0: a hole, offsets that no record has; its log offset is
 * that of the unit before it. */
struct bl_queue_unit {
  int64_t log_offset;
  int64_t tags_code;
  uint32_t size_bytes;
  uint32_t end;
};

/* Where a chunk is. */
struct bl_chunk_ref {
  int64_t base;     /* queue offset of its first unit */
  int64_t position; /* in the index, all segments counted from 0 */
  int64_t last_log; /* log offset of its last unit */
  uint32_t units;
  uint32_t span; /* queue offsets */
};

struct bl_queue_topic {
  int64_t retired;          /* entries below this log offset are gone */
  struct bl_queue **queues; /* by id, ascending */
  uint32_t count;
  uint32_t cap;
  struct bl_slice name; /* of bytes[] */
  char bytes[];
};

struct bl_queue {
  /* What an append touches comes first: one cache line at 10,000 queues is one wait less. */
  int32_t id;
  bool changed; /* since the last snapshot */
  uint32_t tail_count;
  uint32_t tail_cap;
  int64_t last_log; /* of the last record that became an entry; -1: none */
  int64_t next;
  int64_t assigned;
  int64_t tail_base;
  struct bl_queue_unit *tail;
  struct bl_queues *queues;
  int64_t min;
  int64_t floor_done; /* `min` is exact for this floor */
  struct bl_queue_topic *topic;
  void *user;
  struct bl_chunk_ref *chunks; /* live: [chunk_first, chunk_end) */
  uint32_t chunk_first;
  uint32_t chunk_end;
  uint32_t chunk_cap;
};

struct bl_index_segment {
  int64_t number; /* position / segment size */
  int file;
  uint32_t live;    /* chunks that a directory names */
  uint32_t readers; /* pool jobs that use `file` */
  bool dirty;       /* written since the last sync */
  bool syncing;     /* listed in the snapshot that is under way */
  bool doomed;      /* had no live chunk when that snapshot began */
};

struct bl_index_cached {
  int64_t position; /* -1: empty */
  uint64_t used_at;
  struct bl_queue_unit *units;
};

/* The next segment, made on the pool before it is needed. */
struct bl_index_prepare {
  struct bl_job job;
  struct bl_queues *queues;
  int64_t number;
  int file;
  bool pending;
};

/* The snapshot that is under way. */
struct bl_queues_dump {
  bool running;
  size_t cursor;          /* the next queue of `all` */
  struct bl_queue *queue; /* whose directory is being written, or NULL */
  int64_t position_from;  /* its chunks below this are written */
  int64_t position_to;    /* its chunks from this on are newer than its tail in the snapshot */
  uint32_t crc;
  size_t crc_len; /* bytes that `crc` covers */
};

struct bl_queues {
  struct bl_follower follower; /* first: the store knows only this */
  char *dir;
  struct bl_disk *disk;
  struct bl_worker *pool;
  void (*on_entry)(void *context, struct bl_queue *queue, const struct bl_queue_entry *entry,
                   const struct bl_record *record);
  void *on_entry_context;

  struct bl_map topics;
  struct bl_queue **all; /* in order of making; queues are never removed */
  size_t count;
  size_t cap;

  int64_t log_min;
  int64_t covered; /* of the last snapshot on disk */
  int64_t tail_bytes;
  int64_t chunk_count;
  int64_t entry_count;
  int64_t refused; /* records without an entry: no room for their queue, offsets out of range */

  int64_t segment_bytes;
  int64_t index_end;                 /* position of the next chunk */
  struct bl_index_segment *segments; /* by number, ascending */
  size_t segment_count;
  size_t segment_cap;
  struct bl_index_prepare prepare;
  struct bl_index_cached cache[BL_INDEX_CACHE_CHUNKS];
  uint64_t cache_clock;
  uint32_t jobs; /* on the pool */
  char *scratch; /* BL_INDEX_CHUNK_BYTES_MAX */
  struct bl_queues_dump dump;
  uint32_t dump_step_bytes;
};

static inline uint32_t bl_queue__chunks(const struct bl_queue *queue) {
  return queue->chunk_end - queue->chunk_first;
}
static inline uint32_t bl_queue__unit_start(const struct bl_queue_unit *units, uint32_t i) {
  return i > 0 ? units[i - 1].end : 0;
}

/* Smaller segments, for tests; before load. They may set dump_step_bytes, too. */
void bl_queues__set_segment_bytes(struct bl_queues *queues, int64_t bytes);
/* Forgets all queues and chunks; for a load that failed. */
void bl_queues__clear(struct bl_queues *queues);
/* Cuts a path together; false when it is too long. */
void bl_queues__path(const struct bl_queues *queues, const char *name, char out_path[512]);

/* feed.c */
void bl_queues__on_record(struct bl_follower *follower, const struct bl_record *record);

/* tail.c */
/* Log offset below which the queue's entries are gone. */
int64_t bl_queue__floor(const struct bl_queue *queue);
/* Moves `min` up to the floor. wait: read a chunk from the disk when its middle decides; without it
 * `min` stays at that chunk's beginning until the chunk is in memory. */
void bl_queue__drop_below_floor(struct bl_queue *queue, bool wait);
void bl_queue__drop_all(struct bl_queue *queue);
/* The unit's base is queue->tail_base. */
void bl_queue__push(struct bl_queue *queue, struct bl_queue_unit unit);
/* The same for a unit of a snapshot: makes no chunk of a long tail. */
void bl_queue__restore(struct bl_queue *queue, struct bl_queue_unit unit);
void bl_queue__add_chunk(struct bl_queue *queue, const struct bl_chunk_ref *ref);
/* Makes chunks until at most `keep` units are in the tail; false: the disk refused, the rest stays.
 */
bool bl_queue__spill_above(struct bl_queue *queue, uint32_t keep);
/* A queue without an append since the last snapshot gives memory back. */
void bl_queue__shrink(struct bl_queue *queue);
/* First unit that ends after `relative`. */
uint32_t bl_queue__unit_at(const struct bl_queue_unit *units, uint32_t count, uint32_t relative);

/* segments.c */
bl_err bl_index__append(struct bl_queues *queues, const struct bl_queue *queue,
                        const struct bl_queue_unit *units, uint32_t count,
                        struct bl_chunk_ref *out_ref);
/* BORROWS the units of a chunk from the cache until the next call. wait: read from the disk, else
 * BL_ERR_COLD. */
bl_err bl_index__units(struct bl_queues *queues, const struct bl_queue *queue,
                       const struct bl_chunk_ref *ref, bool wait,
                       const struct bl_queue_unit **out_units);
/* Verifies the bytes of a chunk and puts its units into the cache. */
bl_err bl_index__take_bytes(struct bl_queues *queues, const struct bl_queue *queue,
                            const struct bl_chunk_ref *ref, const char *bytes, size_t len,
                            const struct bl_queue_unit **out_units);
struct bl_index_segment *bl_index__segment(struct bl_queues *queues, int64_t position);
/* Opens a segment that a snapshot names. */
bl_err bl_index__open_segment(struct bl_queues *queues, int64_t number);
void bl_index__segment_path(const struct bl_queues *queues, int64_t number, char out_path[512]);
void bl_index__chunk_added(struct bl_queues *queues, const struct bl_chunk_ref *ref);
void bl_index__chunk_dropped(struct bl_queues *queues, const struct bl_chunk_ref *ref);

/* sync.c */
/* Segments without a live chunk: deleted when the snapshot that begins now is on the disk. */
void bl_index__mark_doomed(struct bl_queues *queues);
/* Lists what must be synced before the snapshot. */
void bl_index__list_dirty(struct bl_queues *queues, struct bl_snapshot *snapshot);
void bl_index__synced(struct bl_queues *queues, bool done);
void bl_index__close_all(struct bl_queues *queues);

/* snapshot.c, load.c */
#define BL_QUEUES_SNAPSHOT_MAGIC 0x424C5153u /* "BLQS" */
#define BL_QUEUES_SNAPSHOT_VERSION 1u
#define BL_QUEUES_SNAPSHOT_CRC_AT 8u /* offset of the CRC, of everything behind it */
#define BL_QUEUES_SNAPSHOT_CRC_FROM 12u
#define BL_QUEUES_DUMP_END 0u
#define BL_QUEUES_DUMP_QUEUE 1u
#define BL_QUEUES_DUMP_CHUNKS 2u
bool bl_queues__snapshot_step(struct bl_follower *follower, struct bl_snapshot *snapshot);
void bl_queues__snapshot_done(struct bl_follower *follower, const struct bl_snapshot *snapshot,
                              bl_err err);
/* So that the next start does not read it; blocks. */
void bl_queues__remove_snapshot(struct bl_queues *queues);
bl_err bl_queues__load(struct bl_follower *follower, int64_t *out_covered_offset,
                       struct bl_why *why);

#endif
