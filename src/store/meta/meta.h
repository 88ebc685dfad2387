/* Metadata in the log: a change of a topic, a group, an offset is a small record of the system
 * topic rmq_sys_bolide_meta, as durable as messages; tables are followers; config/<name>.json in
 * RocketMQ's form are their snapshots (design 5).
 *
 * A table is registered with its file and its two doors. bolide/meta.covered holds the covered
 * offset and a checksum of every JSON file that we wrote: on start a file that differs was written
 * by someone else (a Java broker) and wins whole: `replace` gets it and the records of that table
 * in the log are not applied. A damaged file is replaced by its .bak plus replay, or rebuilt from
 * the log, never read as "delete".
 *
 * Records are applied while the log is replayed at start, that is, until bl_meta_replay_done. After
 * that the owner of a table changes it first and appends the record then, so on_record does
 * nothing.
 *
 * Record: topic rmq_sys_bolide_meta, queue 0; properties TAGS=<table>, BOLIDE_V=1,
 * BOLIDE_OP=put|delete, BOLIDE_NAME=<name>; body: the entity's JSON as in config/ (empty for
 * delete).
 *
 * Thread: core. */
#ifndef BOLIDE_STORE_META_META_H
#define BOLIDE_STORE_META_META_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "os/disk.h"
#include "store/follower.h"

#define BL_META_TOPIC "rmq_sys_bolide_meta"
#define BL_META_TABLES_MAX 8

struct bl_meta;
struct bl_store;

struct bl_meta_table {
  const char *name;      /* the record's TAGS: "topic", "group", "offset", ... */
  const char *file_name; /* below config/: "topics.json" */
  void *context;
  /* One change, from the log (replay). Idempotent. `json` NULL: delete. log_offset: where it is in
   * the log. */
  void (*apply)(void *context, struct bl_slice name, const struct bl_json *json,
                int64_t log_offset);
  /* The whole table, from a file. `root` NULL: no file, start empty. BL_ERR_FORMAT: refused,
   * nothing changed. */
  bl_err (*replace)(void *context, const struct bl_json *root, struct bl_why *why);
  /* Writes a part of the file's JSON, about 100 us of work; true: call again. *progress is NULL at
   * first and the table's own cursor after that; freed by it at the last step. */
  bool (*write_step)(void *context, struct bl_buf *out, void **progress);
};

/* RETURNS OWNED. dir: the store directory. BORROWS. */
struct bl_meta *bl_meta_new(const char *dir, struct bl_disk *disk);
/* Accepts NULL. */
void bl_meta_free(struct bl_meta *meta);
/* Before the store opens. HOLDS a copy of the struct. */
void bl_meta_register(struct bl_meta *meta, const struct bl_meta_table *table);
struct bl_follower *bl_meta_follower(struct bl_meta *meta);

/* Ends the replay: to be called once after bl_store_open and before the first append and the first
 * snapshot, log_end the mark `appended` at that time. When a foreign file won, it writes
 * bolide/meta.covered (blocking, at start), so that the records of that table that follow count
 * after the next crash. BL_ERR_VERSION: the replay met a record of a later version of this program
 * (`why` names it): do not go on, its change would be lost. BL_ERR_IO and the like. */
BL_MUST_CHECK bl_err bl_meta_replay_done(struct bl_meta *meta, int64_t log_end, struct bl_why *why);

/* Where the tables came from, for the log line at start. */
struct bl_meta_stats {
  int foreign_tables;   /* files of another program that won */
  int recovered_tables; /* damaged or missing: from .bak or from the log */
  int64_t applied_records;
  int64_t skipped_records; /* of unknown tables or operations, or unreadable */
};
void bl_meta_stats(const struct bl_meta *meta, struct bl_meta_stats *out_stats);

/* Builds the record of a change; the caller appends it (with its own queue offset, 0-based, from
 * the queue index) and has applied the change to its table already. FILLS record->topic,
 * properties, body, with slices that BORROW `scratch`. */
void bl_meta_record(struct bl_buf *scratch, struct bl_slice table, struct bl_slice name,
                    bool is_delete, struct bl_slice json, struct bl_record *out_record);

#endif
