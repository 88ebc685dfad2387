/* Files. One table of functions, real and fake, so that crash tests and simulations run the store
 * on a disk that loses what was not synced.
 *
 * Thread: every function may be called from any thread; one file is written by one thread at a
 * time. Errors: BL_ERR_NOT_FOUND, BL_ERR_EXISTS, BL_ERR_NO_SPACE, BL_ERR_NO_PERMISSION,
 * BL_ERR_LOCKED, BL_ERR_IO. `why`, where there is one, gets a sentence with the path and the
 * system's reason; may be NULL. */
#ifndef BOLIDE_OS_DISK_H
#define BOLIDE_OS_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

enum bl_open_flags {
  BL_OPEN_READ = 1,
  BL_OPEN_WRITE = 2,
  BL_OPEN_CREATE = 4,   /* create when missing */
  BL_OPEN_TRUNCATE = 8, /* cut to nothing */
  /* For write_parts and sync alone: bytes go past the page cache (O_DIRECT). BL_ERR_PARAMETER: the
   * file system cannot do that, or not in units of BL_DISK_DIRECT_BYTES. */
  BL_OPEN_DIRECT = 16,
  /* The system reads what is asked for and guesses nothing: else read_cached, on the thread that
   * must not wait, begins reads of many megabytes when it misses. */
  BL_OPEN_NO_READ_AHEAD = 32,
};

/* Offsets, lengths and addresses of direct writes are multiples of it. */
#define BL_DISK_DIRECT_BYTES 4096
#define BL_DISK_PARTS_MAX 4

struct bl_disk_stat {
  bool is_dir;
  int64_t size_bytes;
  int64_t modified_ms;
};

struct bl_disk;
struct bl_disk_ops {
  bl_err (*open)(struct bl_disk *disk, const char *path, unsigned flags, int *out_file,
                 struct bl_why *why);
  void (*close)(struct bl_disk *disk, int file); /* accepts -1 */
  /* FILLS up to len bytes; *out_len is shorter only at the end of the file. */
  bl_err (*read)(struct bl_disk *disk, int file, void *to, size_t len, int64_t offset,
                 size_t *out_len);
  /* The same without waiting for the disk: BL_ERR_COLD when not all is in memory (preadv2
   * RWF_NOWAIT). */
  bl_err (*read_cached)(struct bl_disk *disk, int file, void *to, size_t len, int64_t offset,
                        size_t *out_len);
  /* All or an error. */
  bl_err (*write)(struct bl_disk *disk, int file, const void *from, size_t len, int64_t offset);
  /* Writes the parts (BL_DISK_PARTS_MAX at most) one behind another: all or an error. durable: they
   * are on the disk when it returns, as after a sync of just these bytes (RWF_DSYNC). */
  bl_err (*write_parts)(struct bl_disk *disk, int file, const struct bl_slice *parts, int count,
                        int64_t offset, bool durable);
  bl_err (*sync)(struct bl_disk *disk, int file); /* fdatasync */
  bl_err (*start_writeback)(struct bl_disk *disk, int file, int64_t offset, int64_t len);
  bl_err (*allocate)(struct bl_disk *disk, int file,
                     int64_t bytes); /* space is there, reads zero */
  /* FILLS the first range at or behind `offset` that may hold other bytes than zero: holes and
   * space that was allocated but never written are skipped. Empty at the file's end when there is
   * none. Reading a file can make the system forget what was never written: ask for all ranges
   * first. */
  bl_err (*next_data)(struct bl_disk *disk, int file, int64_t offset, int64_t *out_from,
                      int64_t *out_to);
  bl_err (*truncate)(struct bl_disk *disk, int file, int64_t bytes);
  bl_err (*size)(struct bl_disk *disk, int file, int64_t *out_bytes);
  bl_err (*stat)(struct bl_disk *disk, const char *path, struct bl_disk_stat *out_stat);
  bl_err (*rename)(struct bl_disk *disk, const char *from, const char *to);
  bl_err (*remove)(struct bl_disk *disk, const char *path); /* a file or an empty folder */
  bl_err (*make_dir)(struct bl_disk *disk, const char *path,
                     struct bl_why *why); /* with parents; fine when there */
  bl_err (*sync_dir)(struct bl_disk *disk, const char *path);
  /* FILLS an array of names in the arena, sorted, without "." and "..". */
  bl_err (*list)(struct bl_disk *disk, const char *path, struct bl_arena *arena,
                 const char *const **out_names, size_t *out_count);
  /* POSIX write lock on byte 0, as Java's FileChannel.lock takes it; held until the file is closed.
   */
  bl_err (*lock)(struct bl_disk *disk, int file);
  /* FILLS what we may use of the file system: total = used + free, as df has it. */
  bl_err (*space)(struct bl_disk *disk, const char *path, int64_t *out_total_bytes,
                  int64_t *out_free_bytes);
};

struct bl_disk {
  const struct bl_disk_ops *ops;
};

/* The machine's file system; static storage. */
struct bl_disk *bl_disk_real(void);

/* Helpers on any disk (disk_files.c). */

/* FILLS the whole file into the arena (NUL behind it); BL_ERR_FULL beyond max_bytes. */
BL_MUST_CHECK bl_err bl_disk_read_file(struct bl_disk *disk, const char *path, size_t max_bytes,
                                       struct bl_arena *arena, struct bl_slice *out_bytes);
/* Replaces `path` so that a crash leaves the old or the new content whole: new file, sync, rename,
 * folder sync. keep_previous: the old one stays as path + ".bak". */
BL_MUST_CHECK bl_err bl_disk_replace_file(struct bl_disk *disk, const char *path,
                                          struct bl_slice bytes, bool keep_previous,
                                          struct bl_why *why);

#endif
