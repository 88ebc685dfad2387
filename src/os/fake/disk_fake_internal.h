/* Inside of the fake disk: what the operations (disk_fake.c) and the failures (disk_fake_crash.c)
 * share. */
#ifndef BOLIDE_OS_FAKE_DISK_FAKE_INTERNAL_H
#define BOLIDE_OS_FAKE_DISK_FAKE_INTERNAL_H

#include <pthread.h>
#include <string.h>

#include "base/assert.h"
#include "os/fake/disk_fake.h"

#define FAKE_PATH_BYTES_MAX 600
#define FAKE_FILES_MAX 1024

enum fake_sector { SECTOR_CLEAN, SECTOR_DIRTY, SECTOR_LOST };

struct fake_inode {
  bool is_dir;
  int64_t modified_ms;
  int64_t size;
  int64_t durable_size;
  int64_t cap; /* bytes of the two images; whole sectors */
  char *now;   /* zero beyond size */
  char *durable;
  uint8_t *state;          /* enum fake_sector, per sector */
  uint8_t *warm;           /* per sector: read_cached may answer */
  struct fake_inode *next; /* all inodes, freed with the disk */
  struct fake_inode *copy; /* in the disk that is being made by bl_disk_fake_clone */
};

struct fake_name {
  char path[FAKE_PATH_BYTES_MAX];
  struct fake_inode *inode;
};
struct fake_names {
  struct fake_name *items; /* in no order */
  size_t count;
  size_t cap;
};

/* One change of names that is not durable yet: `from` goes (when not empty), `to` comes (when not
 * empty). */
struct fake_change {
  char from[FAKE_PATH_BYTES_MAX];
  char to[FAKE_PATH_BYTES_MAX];
  struct fake_inode *inode;
};

struct fake_open {
  struct fake_inode *inode;
  bool used;
  bool locked;
  bool direct;
  char path[FAKE_PATH_BYTES_MAX];
};

struct fake_failure {
  char part[FAKE_PATH_BYTES_MAX];
  int64_t countdown; /* -1: off */
  int64_t times;
  bl_err err;
};

struct bl_disk_fake {
  struct bl_disk disk;
  pthread_mutex_t mutex;
  struct fake_inode *inodes;
  struct fake_names now;
  struct fake_names durable;
  struct fake_change *changes;
  size_t change_count;
  size_t change_cap;
  struct fake_open files[FAKE_FILES_MAX];
  struct fake_failure failures[BL_FAKE_OP_COUNT];
  int64_t counts[BL_FAKE_OP_COUNT];
  int64_t free_bytes; /* -1: unlimited */
  int64_t ticks;      /* stands for modification time */
  bool cold;
  bool no_direct;                /* BL_OPEN_DIRECT is refused */
  char lie[FAKE_PATH_BYTES_MAX]; /* syncs of such files do nothing; empty: of none */
  bool names_loose;
  bool off; /* after a kill or a power loss, until restart */
  void (*on_op)(void *context, enum bl_disk_fake_op op, const char *path);
  void *on_op_context;
};

struct fake_name *bl_fake__find(struct fake_names *names, const char *path);
void bl_fake__put(struct fake_names *names, const char *path, struct fake_inode *inode);
void bl_fake__drop(struct fake_names *names, const char *path);
void bl_fake__apply(struct fake_names *names, const struct fake_change *change);

/* The path must fit: it was checked where it came in. */
static inline void fake_path_copy(char to[FAKE_PATH_BYTES_MAX], const char *from) {
  size_t len = strlen(from);
  BL_ASSERT(len < FAKE_PATH_BYTES_MAX);
  memcpy(to, from, len + 1);
}

#endif
