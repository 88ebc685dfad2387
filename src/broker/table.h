/* A table of named things with a version, whose snapshot is one of RocketMQ's config files. Thread:
 * core. */
#ifndef BOLIDE_BROKER_TABLE_H
#define BOLIDE_BROKER_TABLE_H

#include <stdbool.h>

#include "base/json.h"
#include "base/map.h"
#include "broker/version.h"

struct bl_table {
  struct bl_map map;
  struct bl_version version;
  const char *member;       /* of the file's object that holds the entries: "topicConfigTable" */
  const char *empty_member; /* one that RocketMQ's file also has, written empty; may be NULL */
  void (*free_value)(void *value);
  void (*write_value)(struct bl_json_writer *w, const void *value);
  bool (*is_kept)(const void *value); /* NULL: every entry goes into the file */
};

/* A heap copy with a NUL behind it; freed by bl_table_disown. */
struct bl_slice bl_table_own(struct bl_slice text);
void bl_table_disown(struct bl_slice text);

/* Frees every value. */
void bl_table_clear(struct bl_table *table);
void bl_table_fini(struct bl_table *table);
/* The write_step of bl_meta_table. */
bool bl_table_write_step(const struct bl_table *table, struct bl_buf *out, void **progress);

#endif
