/* What the files of the queue index share; nobody else includes it.
 *
 *   queues.c    queues, offsets, stats, the follower's table of functions
 *   names.c     topics by name
 *   feed.c      a record becomes an entry
 *   tail.c      the tail of a queue, what retention drops
 *   refs.c      the directory of a queue's chunks
 *   chunk.c     a chunk to bytes and back
 *   segments.c  shared index segment files: chunks appended, read, cached
 *   sync.c      segments before and after a snapshot
 *   read.c      ranges of entries; warming
 *   repair.c    damaged chunks made anew from the log
 *   dump.c      a snapshot: which queues, in which steps;  load.c  read
 *   part.c      a queue to the bytes of a snapshot */
#ifndef BOLIDE_STORE_QUEUES_QUEUES_INTERNAL_H
#define BOLIDE_STORE_QUEUES_QUEUES_INTERNAL_H

#include "base/buf.h"
#include "base/cursor.h"
#include "store/entry.h"
#include "store/queues/queues.h"

#define BL_QUEUES_MAX (1u << 20)
#define BL_QUEUE_TOPIC_BYTES_MAX 1024u
#define BL_QUEUE_CHUNK_UNITS 1024u
/* What an idle queue may keep in memory; more goes to a short chunk at the second snapshot. */
#define BL_QUEUE_IDLE_UNITS 8u
/* A hole in a tail spans at most this; a larger gap begins a new chunk. */
#define BL_QUEUE_HOLE_SPAN_MAX (1u << 30)
/* Beyond it tails go to shorter chunks. */
#define BL_QUEUE_TAIL_BYTES_SOFT (32ll << 20)
#define BL_QUEUE_SLAB_BYTES 65536u
#define BL_QUEUE_SLAB_QUEUES 511u
/* References in memory beyond which a run of them goes to the disk as one node. */
#define BL_QUEUE_REFS_MAX 128u
#define BL_QUEUE_NODE_REFS_MAX 64u
#define BL_QUEUE_NODE_REFS_IDLE 4u
#define BL_QUEUE_LEVELS_MAX 64u
#define BL_INDEX_SEGMENT_BYTES (64 << 20)
#define BL_INDEX_PENDING_BYTES (64u << 10)
#define BL_QUEUES_DUMP_STEP_BYTES (16u << 10) /* about 20 us */
#define BL_INDEX_CACHE_CHUNKS 64
#define BL_INDEX_UNIT_BYTES 24u
#define BL_INDEX_REF_BYTES 32u
#define BL_INDEX_HEADER_BYTES 64u
#define BL_INDEX_CHUNK_BYTES_MAX                                                                   \
  (BL_INDEX_HEADER_BYTES + BL_QUEUE_CHUNK_UNITS * BL_INDEX_UNIT_BYTES)
#define BL_QUEUES_PARTS_MAX 64u
#define BL_QUEUES_SMALL_PART_BYTES 65536u
#define BL_QUEUES_REPAIRS_MAX 64u
#define BL_QUEUES_EXPECTED_MAX (1u << 16)

/* An entry as it is kept. Its queue offsets are [end of the unit before it, end), relative to the
 * base of its tail or chunk. size_bytes 0: a hole, offsets that no record has; its log offset is
 * that of the unit before it. */
struct bl_queue_unit {
  int64_t log_offset;
  int64_t tags_code;
  uint32_t size_bytes;
  uint32_t end;
};

/* Where a chunk is, or (level > 0) a node: a run of references that is itself on the disk. */
struct bl_chunk_ref {
  int64_t base;     /* queue offset of its first unit */
  int64_t position; /* in the index, all segments counted from 0 */
  int64_t last_log; /* log offset of its last unit */
  uint32_t entries; /* units of it and below it, no more than UINT32_MAX */
  uint16_t units;   /* or references */
  uint16_t level;
};

struct bl_queue_topic {
  int64_t retired;        /* entries of queues that appear later are gone below this */
  struct bl_queue **list; /* by id, ascending; one at the start */
  struct bl_queue *one;
  uint32_t count;
  uint32_t cap;
  uint32_t name_len;
  char name[];
};

struct bl_queue {
  /* What an append touches: one cache line. */
  int64_t next;
  int64_t assigned;
  int64_t last_log; /* of the last record that became an entry; -1: none */
  int64_t tail_base;
  struct bl_queue_unit *tail;
  void *user;
  uint32_t tail_count;
  uint32_t tail_cap;
  int32_t id;
  uint32_t number : 24;
  uint32_t changed : 1; /* since it was last written; then it is in queues->changed */
  /* The rest. */
  struct bl_queue_topic *topic;
  struct bl_chunk_ref *refs;
  uint32_t ref_count;
  uint32_t ref_cap;
  int64_t min;
  int64_t floor_done; /* `min` is exact for this floor */
  int64_t retired;    /* entries below this log offset are gone */
} __attribute__((aligned(64)));

/* Queues lie in slabs, aligned to their size: so a queue finds its index without a look at what an
 * append does not need. */
struct bl_queue_slab {
  struct bl_queues *queues;
  char room[sizeof(struct bl_queue) - sizeof(struct bl_queues *)];
  struct bl_queue items[BL_QUEUE_SLAB_QUEUES];
};
_Static_assert(sizeof(struct bl_queue_slab) == BL_QUEUE_SLAB_BYTES, "a queue has two cache lines");

/* Topics by name. It grows by a few slots with each topic that is added: nothing is moved in one
 * go. Topics are never removed, so the old slots stay right until they are freed. */
struct bl_queue_names {
  uint64_t *slots; /* hash and number + 1 */
  uint64_t *old;   /* being moved, or NULL */
  uint32_t cap;
  uint32_t old_cap;
  uint32_t moved; /* slots of `old` */
  struct bl_queue_topic **topics;
  uint32_t count;
  uint32_t topics_cap;
};

/* Numbers of queues. */
struct bl_queue_numbers {
  uint32_t *items;
  uint32_t count;
  uint32_t cap;
};

struct bl_index_segment {
  int64_t number;   /* position / segment size */
  int64_t last_log; /* the newest of its chunks; below the log's beginning all of them are dead */
  int file;
  uint32_t readers;   /* pool jobs that use `file` */
  int64_t size_bytes; /* when it was opened */
  bool dirty;         /* written since the last sync */
  bool syncing;       /* listed in the snapshot that is under way */
  bool doomed;        /* was dead when that snapshot began */
};

struct bl_index_cached {
  int64_t position; /* -1: empty */
  uint64_t used_at;
  void *units; /* or references */
};

/* The next segment, made on the pool before it is needed. */
struct bl_index_prepare {
  struct bl_job job;
  struct bl_queues *queues;
  int64_t number;
  int file;
  bool pending;
};

/* Chunks that are not in the file yet: [from, from + len) of the index, within one segment. */
struct bl_index_pending {
  char *bytes;
  int64_t from;
  uint32_t len;
};

/* A file of snapshots. */
struct bl_queues_part {
  uint64_t number;
  uint32_t live;  /* queues of which it has the newest state */
  uint32_t count; /* queues that are in it */
  uint64_t bytes;
  bool merging; /* what is live in it goes to the one under way */
};

enum bl_dump_phase { BL_DUMP_SHRINK, BL_DUMP_CHANGED, BL_DUMP_MERGE, BL_DUMP_SWEEP };

/* The snapshot that is under way. */
struct bl_queues_dump {
  bool running;
  enum bl_dump_phase phase;
  uint32_t cursor;
  uint64_t part; /* its number */
  int64_t log_min;
  uint32_t crc;
  size_t crc_len; /* bytes that `crc` covers */
};

/* A damaged chunk or node. */
struct bl_queue_repair {
  struct bl_queue *queue;
  struct bl_chunk_ref ref; /* of queue->refs */
  int64_t from;            /* log offsets that have its records */
  int64_t to;
  bl_err failed; /* the log could not be read either */
};

struct bl_queues_repairs {
  struct bl_queue_repair items[BL_QUEUES_REPAIRS_MAX];
  uint32_t count;
  /* The one under way. */
  bool running;
  struct bl_queue_repair now;
  struct bl_queue_unit *units;
  uint32_t unit_count;
  int64_t base; /* of the units */
  struct bl_chunk_ref *refs;
  uint32_t ref_count;
  uint32_t ref_cap;
  struct bl_queue_warm *waiting; /* a chain by `internal` */
  bool telling;                  /* those who waited look: what failed is not tried again yet */
  bool stopped;
};

struct bl_queue_expected {
  int64_t log_offset;
  struct bl_queue *queue;
};

struct bl_queues {
  struct bl_follower follower; /* first: the store knows only this */
  char *dir;
  struct bl_disk *disk;
  struct bl_worker *pool;
  void (*on_entry)(void *context, struct bl_queue *queue, const struct bl_queue_entry *entry,
                   const struct bl_record *record);
  void *on_entry_context;

  struct bl_queue_names names;
  struct bl_queue_slab **slabs; /* by number; queues are never removed */
  uint64_t *parts_of;           /* by number: the part with its newest state; 0: none */
  uint32_t count;
  uint32_t cap;
  struct bl_queue_expected *expected; /* appended, not shown yet: a ring */
  uint32_t expected_from;
  uint32_t expected_to;

  int64_t log_min;
  bool front_lost;   /* the log begins behind what the snapshot covers */
  int64_t swept_min; /* all queues dropped what is below */
  int64_t covered;   /* of the last snapshot on disk */
  int64_t tail_bytes;
  int64_t ref_bytes;
  int64_t name_bytes;
  int64_t chunk_count; /* references in memory */
  int64_t entry_count;
  int64_t refused; /* records without an entry: no room for their queue, offsets out of range */
  uint32_t light_count; /* queues with the name of a light queue */

  int64_t segment_bytes;
  int64_t index_end;                 /* position of the next chunk */
  struct bl_index_segment *segments; /* by number, ascending */
  size_t segment_count;
  size_t segment_cap;
  struct bl_index_prepare prepare;
  struct bl_index_pending pending;
  struct bl_index_cached cache[BL_INDEX_CACHE_CHUNKS];
  uint64_t cache_clock;
  struct bl_chunk_ref cold; /* what the last BL_ERR_COLD lacked; 0 units: a repair */
  int64_t before;           /* position of the chunk before the one that is visited, or -1 */
  struct bl_chunk_ref bad;  /* what last turned out damaged */
  uint32_t jobs;            /* on the pool */
  char *scratch;            /* BL_INDEX_CHUNK_BYTES_MAX */

  struct bl_queue_numbers changed; /* since the last snapshot */
  struct bl_queue_numbers dumping; /* what the one under way writes; then what it wrote */
  struct bl_queues_part parts[BL_QUEUES_PARTS_MAX]; /* by number, ascending */
  uint32_t part_count;
  uint64_t part_last;  /* the highest number ever used */
  uint32_t large_idle; /* of `dumping`: would give memory back if idle at the next snapshot */
  struct bl_queues_dump dump;
  uint32_t dump_step_bytes;
  uint32_t refs_max;
  uint32_t small_part_bytes; /* parts up to this are copied at once */
  int64_t tail_bytes_soft;   /* tails of all queues together stay near this */
  struct bl_queues_repairs repairs;
};

static inline uint32_t bl_queue__unit_start(const struct bl_queue_unit *units, uint32_t i) {
  return i > 0 ? units[i - 1].end : 0;
}
static inline struct bl_queues *bl_queue__queues(const struct bl_queue *queue) {
  uintptr_t slab = (uintptr_t)queue & ~(uintptr_t)(BL_QUEUE_SLAB_BYTES - 1);
  return ((const struct bl_queue_slab *)slab)->queues;
}
static inline struct bl_queue *bl_queues__at(const struct bl_queues *queues, uint32_t number) {
  return &queues->slabs[number / BL_QUEUE_SLAB_QUEUES]->items[number % BL_QUEUE_SLAB_QUEUES];
}
static inline struct bl_slice bl_queue__topic_name(const struct bl_queue_topic *topic) {
  return bl_slice_of(topic->name, topic->name_len);
}

/* Smaller segments, for tests; before load. They may set dump_step_bytes, refs_max,
 * small_part_bytes and tail_bytes_soft, too. */
void bl_queues__set_segment_bytes(struct bl_queues *queues, int64_t bytes);
/* Forgets all queues and chunks; for a load that failed. */
void bl_queues__clear(struct bl_queues *queues);
void bl_queues__path(const struct bl_queues *queues, const char *name, char out_path[512]);
void bl_queues__add_number(struct bl_queue_numbers *numbers, uint32_t number);
void bl_queues__add_changed(struct bl_queues *queues, struct bl_queue *queue);
static inline void bl_queue__mark_changed(struct bl_queues *queues, struct bl_queue *queue) {
  if (!queue->changed) bl_queues__add_changed(queues, queue);
}

/* names.c */
struct bl_queue_topic *bl_queue_names__find(const struct bl_queue_names *names,
                                            struct bl_slice name);
/* The name is not there yet. */
struct bl_queue_topic *bl_queue_names__add(struct bl_queues *queues, struct bl_slice name);
/* Frees the topics, too. */
void bl_queue_names__fini(struct bl_queue_names *names);

/* feed.c */
void bl_queues__on_record(struct bl_follower *follower, const struct bl_record *record);
/* false: the record has no entry. out_derived: for the light queues that it is in, too. */
bool bl_queues__unit_of(const struct bl_record *record, struct bl_queue_entry *out_entry,
                        struct bl_entry *out_derived);

/* tail.c */
/* Log offset below which the queue's entries are gone. */
int64_t bl_queue__floor(const struct bl_queue *queue);
/* Moves `min` up to the floor. wait: read a chunk from the disk when its middle decides; without it
 * `min` stays at that chunk's beginning until the chunk is in memory. */
void bl_queue__drop_below_floor(struct bl_queue *queue, bool wait);
void bl_queue__drop_all(struct bl_queue *queue);
/* The unit's base is queue->tail_base. */
void bl_queue__push(struct bl_queues *queues, struct bl_queue *queue, struct bl_queue_unit unit);
/* FILLS room for the units of a snapshot; they are counted. */
struct bl_queue_unit *bl_queue__restore(struct bl_queue *queue, uint32_t count);
/* Makes chunks until at most `keep` units are in the tail; false: the disk refused, the rest stays.
 */
bool bl_queue__spill_above(struct bl_queue *queue, uint32_t keep);
/* Whether bl_queue__shrink would write something. */
bool bl_queue__is_large(const struct bl_queue *queue);
/* A queue without an append since the last snapshot gives memory back. */
void bl_queue__shrink(struct bl_queue *queue);
/* A tail takes no more memory than it needs. */
void bl_queue__trim(struct bl_queue *queue);
/* First unit that ends after `relative`. */
uint32_t bl_queue__unit_at(const struct bl_queue_unit *units, uint32_t count, uint32_t relative);
/* First unit that is a record at or above `floor`. */
uint32_t bl_queue__unit_from_floor(const struct bl_queue_unit *units, uint32_t count,
                                   int64_t floor);

/* refs.c */
void bl_queue__add_ref(struct bl_queue *queue, const struct bl_chunk_ref *ref);
void bl_queue__drop_refs(struct bl_queue *queue, uint32_t count);
/* [at, at + 1) goes, `count` others come. */
void bl_queue__replace_ref(struct bl_queue *queue, uint32_t at, const struct bl_chunk_ref *refs,
                           uint32_t count);
/* Runs of references of one level that are at least `least` long go to the disk. */
void bl_queue__pack(struct bl_queue *queue, uint32_t least);
bool bl_queue__can_pack(const struct bl_queue *queue, uint32_t least);
/* Index of the last reference that begins at or before `offset`, or 0. */
uint32_t bl_queue__ref_at(const struct bl_chunk_ref *refs, uint32_t count, int64_t offset);
/* FILLS the queue offset of the first entry at or above `floor`, which is below refs[0]. */
bl_err bl_queue__min_of(struct bl_queue *queue, const struct bl_chunk_ref *ref, int64_t floor,
                        bool wait, int64_t *out_min);

/* chunk.c */
#define BL_CHUNK_MAGIC 0x424C4943u /* "BLIC" */
#define BL_CHUNK_VERSION 2u
#define BL_CHUNK_CRC_AT 8u /* offset of the CRC, of everything behind it */
#define BL_CHUNK_CRC_FROM 12u
/* Offsets of numbers in the header. */
#define BL_CHUNK_UNITS_AT 36u
#define BL_CHUNK_LEVEL_AT 40u
/* Bytes of a chunk or node. */
size_t bl_chunk__bytes(uint32_t units, uint32_t level);
/* ref: all but the position. units: struct bl_queue_unit, or struct bl_chunk_ref. RETURNS bytes. */
size_t bl_chunk__encode(const struct bl_queue *queue, const struct bl_chunk_ref *ref,
                        const void *units, char *out);
bl_err bl_chunk__decode(const struct bl_queue *queue, const struct bl_chunk_ref *ref,
                        const char *bytes, void *out_units);
void bl_chunk__put_ref(char *out, const struct bl_chunk_ref *ref);
struct bl_chunk_ref bl_chunk__take_ref(const char *bytes);
/* Whether a reference from the disk can be one, behind `before` (may be NULL). */
bool bl_chunk__is_ref(const struct bl_chunk_ref *ref, const struct bl_chunk_ref *before);

/* segments.c */
/* ref: all but the position, which is FILLED. */
bl_err bl_index__append(struct bl_queues *queues, const struct bl_queue *queue, const void *units,
                        struct bl_chunk_ref *ref);
/* Chunks that are only in memory go to the file. */
bl_err bl_index__write_pending(struct bl_queues *queues);
/* BORROWS the units (or references) of a chunk from the cache until the next call. wait: read from
 * the disk, else BL_ERR_COLD, and queues->cold says what is missing. */
bl_err bl_index__units(struct bl_queues *queues, const struct bl_queue *queue,
                       const struct bl_chunk_ref *ref, bool wait, const void **out_units);
/* Whether the chunk at that position is in memory. */
bool bl_index__is_cached(struct bl_queues *queues, int64_t position);
/* Verifies the bytes of a chunk and puts its units into the cache. */
bl_err bl_index__take_bytes(struct bl_queues *queues, const struct bl_queue *queue,
                            const struct bl_chunk_ref *ref, const char *bytes, size_t len,
                            const void **out_units);
struct bl_index_segment *bl_index__segment(struct bl_queues *queues, int64_t position);
/* Opens a segment that a snapshot names. */
bl_err bl_index__open_segment(struct bl_queues *queues, int64_t number, int64_t last_log);
void bl_index__segment_path(const struct bl_queues *queues, int64_t number, char out_path[512]);

/* sync.c */
/* Segments without a live chunk: deleted when the snapshot that begins now is on the disk. */
void bl_index__mark_doomed(struct bl_queues *queues);
/* Lists what must be synced before the snapshot; false: the disk refused. */
bool bl_index__list_dirty(struct bl_queues *queues, struct bl_snapshot *snapshot);
void bl_index__synced(struct bl_queues *queues, bool done);
void bl_index__close_all(struct bl_queues *queues);
/* Removes a file on the pool; file: closed first, or -1. */
void bl_index__remove_later(struct bl_queues *queues, const char *path, int file);

/* read.c */
bl_err bl_queue__read_range(struct bl_queue *queue, int64_t offset,
                            struct bl_queue_entry *out_entries, uint32_t max, uint32_t *out_count,
                            bool wait);
/* Goes on with a request that waited for a repair. */
void bl_queue__warm_again(struct bl_queue_warm *warm);
/* A job without work: done gets warm->err. */
void bl_queue__end_warm(struct bl_queue_warm *warm);

/* repair.c */
/* Something below `ref`, one of the queue's in memory, is damaged. RETURNS what a reader is told:
 * BL_ERR_COLD while it is made anew, else err. */
bl_err bl_queues__damaged(struct bl_queue *queue, const struct bl_chunk_ref *ref, bl_err err);
/* HOLDS the request until a repair ends; done is not called from inside. */
void bl_queues__wait_for_repair(struct bl_queues *queues, struct bl_queue_warm *warm);
bool bl_queues__wants_again(struct bl_follower *follower, int64_t *out_from, int64_t *out_to);
void bl_queues__on_again(struct bl_follower *follower, const struct bl_record *record);
void bl_queues__again_done(struct bl_follower *follower, bl_err err);
void bl_queues__forget_repairs(struct bl_queues *queues);

/* part.c, dump.c, load.c */
#define BL_QUEUES_SNAPSHOT_MAGIC 0x424C5153u /* "BLQS" */
#define BL_QUEUES_SNAPSHOT_VERSION 2u
#define BL_QUEUES_SNAPSHOT_CRC_AT 8u /* offset of the CRC, of everything behind it */
#define BL_QUEUES_SNAPSHOT_CRC_FROM 12u
#define BL_QUEUES_PART_END 0u
#define BL_QUEUES_PART_QUEUE 1u
void bl_queues__part_path(const struct bl_queues *queues, uint64_t number, char out_path[512]);
void bl_queues__put_part_head(const struct bl_queues *queues, int64_t covered, struct bl_buf *out);
void bl_queues__put_queue(const struct bl_queue *queue, struct bl_buf *out);
void bl_queues__put_part_end(const struct bl_queues *queues, struct bl_buf *out);
/* One queue; one that is known already is skipped. */
bl_err bl_queues__take_queue(struct bl_queues *queues, struct bl_cursor *in, uint64_t part);
bool bl_queues__snapshot_step(struct bl_follower *follower, struct bl_snapshot *snapshot);
void bl_queues__snapshot_done(struct bl_follower *follower, const struct bl_snapshot *snapshot,
                              bl_err err);
bool bl_queues__unsettled(struct bl_follower *follower);
/* So that the next start does not read it; blocks. */
void bl_queues__remove_snapshot(struct bl_queues *queues);
bl_err bl_queues__load(struct bl_follower *follower, int64_t *out_covered_offset,
                       struct bl_why *why);

#endif
