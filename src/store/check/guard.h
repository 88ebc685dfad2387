/* A disk to look at files with: it reads what another disk has and changes nothing. What cannot be
 * read (a bad sector, a file that is missing or too short) reads as zeros and is remembered, so
 * that a walk goes on behind it.
 *
 * Thread: one. */
#ifndef BOLIDE_STORE_CHECK_GUARD_H
#define BOLIDE_STORE_CHECK_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "os/disk.h"

#define BL_GUARD_RANGES_MAX 64
#define BL_GUARD_NO_FILE (-1)

struct bl_guard_range {
  int file;
  int64_t from; /* in the file */
  int64_t to;
};

struct bl_guard {
  struct bl_disk disk; /* first: what others are given */
  struct bl_disk *real;
  int64_t pad_to_bytes; /* reads below this are filled up with zeros; 0: reads end with the file */
  int64_t read_bytes;
  struct bl_guard_range unreadable[BL_GUARD_RANGES_MAX]; /* the first ones */
  int unreadable_count;
  int64_t unreadable_bytes;
  void (*on_read)(void *context); /* after each read; may be NULL */
  void *context;
};

/* BORROWS the disk. */
void bl_guard_init(struct bl_guard *guard, struct bl_disk *real);

#endif
