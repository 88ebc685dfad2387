/* A disk in memory that fails on command. Content of a file is 512-byte sectors: at a power loss
 * each sector that no completed sync covers is old or new, as the seed decides, in any combination;
 * a file size and a name that was not synced (its folder) likewise, names in the order in which
 * they were changed, or in any with bl_disk_fake_set_names_loose.
 *
 * Thread: any (one mutex). Sizes are real memory: use small segments. */
#ifndef BOLIDE_OS_FAKE_DISK_FAKE_H
#define BOLIDE_OS_FAKE_DISK_FAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "os/disk.h"

#define BL_DISK_FAKE_SECTOR_BYTES 512

enum bl_disk_fake_op {
  BL_FAKE_OPEN,
  BL_FAKE_READ,  /* also read_cached */
  BL_FAKE_WRITE, /* also write_parts; a durable one counts as a sync, too */
  BL_FAKE_SYNC,
  BL_FAKE_ALLOCATE,
  BL_FAKE_TRUNCATE,
  BL_FAKE_RENAME,
  BL_FAKE_REMOVE,
  BL_FAKE_SYNC_DIR,
  BL_FAKE_OP_COUNT
};

struct bl_disk_fake;

/* RETURNS OWNED an empty disk with only "/". */
struct bl_disk_fake *bl_disk_fake_new(void);
/* Accepts NULL. */
void bl_disk_fake_free(struct bl_disk_fake *fake);
struct bl_disk *bl_disk_fake_disk(struct bl_disk_fake *fake);

/* After `countdown` more successful calls of `op` on files whose path contains `part` ("" is all),
 * the next `times` (-1: all that follow) fail with err, having done nothing. A failed sync leaves
 * its sectors unsynced for ever unless written again, as Linux marks them clean. countdown -1: stop
 * failing. */
void bl_disk_fake_fail(struct bl_disk_fake *fake, enum bl_disk_fake_op op, const char *part,
                       int64_t countdown, int64_t times, bl_err err);
/* Bytes that allocate, write and truncate may still add to files; -1 (at first): without limit. */
void bl_disk_fake_set_free(struct bl_disk_fake *fake, int64_t bytes);
/* read_cached answers COLD except where bytes were read or written since. */
void bl_disk_fake_set_cold(struct bl_disk_fake *fake);
/* Whether BL_OPEN_DIRECT is taken (at first: yes). Misaligned direct writes and direct reads fail
 * with BL_ERR_IO, and direct writes leave nothing for read_cached. */
void bl_disk_fake_set_direct(struct bl_disk_fake *fake, bool taken);
/* Called before every operation, without the mutex: a slow disk moves the clock here. */
void bl_disk_fake_on_op(struct bl_disk_fake *fake,
                        void (*on_op)(void *context, enum bl_disk_fake_op op, const char *path),
                        void *context);
/* Syncs of files whose path contains `part` say that they worked and do nothing: a broken disk, for
 * tests of tests. NULL: honest again. */
void bl_disk_fake_lie(struct bl_disk_fake *fake, const char *part);
/* At a power loss each change of a name that was not synced is kept or lost by itself. */
void bl_disk_fake_set_names_loose(struct bl_disk_fake *fake, bool loose);
/* The system writes some of what is not synced yet, as the seed decides. */
void bl_disk_fake_write_back(struct bl_disk_fake *fake, uint64_t seed);
/* RETURNS OWNED another disk with the same content, durable and not, and no open files. Not while
 * another thread uses this one. */
struct bl_disk_fake *bl_disk_fake_clone(const struct bl_disk_fake *fake);
/* How often the operation was called. */
int64_t bl_disk_fake_count(const struct bl_disk_fake *fake, enum bl_disk_fake_op op);

/* The process dies: open files and locks are gone, everything written is there. After this and
 * after a power loss the disk is off: every operation fails with BL_ERR_IO and changes nothing, so
 * that the objects of the dead process can be freed by their closing functions; then restart turns
 * it on. */
void bl_disk_fake_kill(struct bl_disk_fake *fake);
/* The power goes: as above, and what was not synced is old or new. */
void bl_disk_fake_power_loss(struct bl_disk_fake *fake, uint64_t seed);
void bl_disk_fake_restart(struct bl_disk_fake *fake);

#endif
