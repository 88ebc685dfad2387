/* A store of names and numbers for the tests of metadata: three tables, a log in memory, a fake
 * disk. */
#ifndef BOLIDE_STORE_META_META_TESTLIB_H
#define BOLIDE_STORE_META_META_TESTLIB_H

#include "os/fake/disk_fake.h"
#include "store/meta/meta_internal.h"

enum { MT_NAMES = 6, MT_TABLES = 3, MT_RECORDS_MAX = 4096, MT_RECORD_BYTES = 100 };

struct mt_table {
  int64_t value[MT_NAMES];
  int cursors; /* of write_step that are not freed */
};

struct mt {
  struct bl_disk_fake *fake;
  struct bl_disk *disk;
  struct bl_meta *meta;
  struct bl_follower *follower;
  struct mt_table tables[MT_TABLES];
  struct { /* the log */
    int table;
    int name;
    int64_t value;
    const char *version;
  } log[MT_RECORDS_MAX];
  int log_count;
};

/* Setup and teardown of a cmocka test; *state is a struct mt. Not started. */
int mt_setup(void **state);
int mt_teardown(void **state);
void mt_open_meta(struct mt *f);
int64_t mt_log_end(const struct mt *f);
/* Shows number i of the log. */
void mt_show(struct mt *f, int i);
/* Load, replay, done, as the store and its user do it. */
bl_err mt_start(struct mt *f, struct bl_why *why);
/* Frees and starts again; fails the test on an error. */
void mt_restart(struct mt *f);
/* A change as a live server makes it: the table, then the log, then the followers. value 0: delete.
 */
void mt_change(struct mt *f, int table, int name, int64_t value);
bl_err mt_snapshot(struct mt *f);
struct bl_meta_stats mt_stats_of(struct mt *f);
void mt_write_file(struct mt *f, const char *path, const char *text);

#endif
