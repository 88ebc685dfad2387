/* Names, injected failures and the end of the power. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "os/fake/disk_fake_internal.h"

struct fake_name *bl_fake__find(struct fake_names *names, const char *path) {
  for (size_t i = 0; i < names->count; i++) {
    if (strcmp(names->items[i].path, path) == 0) return &names->items[i];
  }
  return NULL;
}

void bl_fake__put(struct fake_names *names, const char *path, struct fake_inode *inode) {
  struct fake_name *old = bl_fake__find(names, path);
  if (old != NULL) {
    old->inode = inode;
    return;
  }
  if (names->count == names->cap) {
    names->cap = names->cap > 0 ? names->cap * 2 : 32;
    names->items = realloc(names->items, names->cap * sizeof(*names->items));
    BL_ASSERT(names->items != NULL);
  }
  struct fake_name *name = &names->items[names->count++];
  BL_ASSERT(strlen(path) < sizeof(name->path));
  fake_path_copy(name->path, path);
  name->inode = inode;
}

void bl_fake__drop(struct fake_names *names, const char *path) {
  struct fake_name *name = bl_fake__find(names, path);
  if (name == NULL) return;
  names->count--;
  if (name != &names->items[names->count]) *name = names->items[names->count];
}

static void move_below(struct fake_names *names, const char *from, const char *to) {
  size_t len = strlen(from);
  for (size_t i = 0; i < names->count; i++) {
    char *path = names->items[i].path;
    if (strncmp(path, from, len) != 0 || path[len] != '/') continue;
    char moved[2 * FAKE_PATH_BYTES_MAX];
    int moved_len = snprintf(moved, sizeof(moved), "%s%s", to, path + len);
    BL_ASSERT(moved_len >= 0 && moved_len < FAKE_PATH_BYTES_MAX);
    fake_path_copy(path, moved);
  }
}

void bl_fake__apply(struct fake_names *names, const struct fake_change *change) {
  const struct fake_name *old = change->from[0] != 0 ? bl_fake__find(names, change->from) : NULL;
  if (old != NULL && old->inode == change->inode) bl_fake__drop(names, change->from);
  if (change->to[0] == 0) return;
  bl_fake__put(names, change->to, change->inode);
  if (change->from[0] != 0 && change->inode->is_dir) move_below(names, change->from, change->to);
}

void bl_disk_fake_fail(struct bl_disk_fake *fake, enum bl_disk_fake_op op, const char *part,
                       int64_t countdown, int64_t times, bl_err err) {
  pthread_mutex_lock(&fake->mutex);
  struct fake_failure *failure = &fake->failures[op];
  BL_ASSERT(strlen(part) < sizeof(failure->part));
  fake_path_copy(failure->part, part);
  failure->countdown = countdown;
  failure->times = times;
  failure->err = err;
  pthread_mutex_unlock(&fake->mutex);
}

void bl_disk_fake_set_free(struct bl_disk_fake *fake, int64_t bytes) {
  pthread_mutex_lock(&fake->mutex);
  fake->free_bytes = bytes;
  pthread_mutex_unlock(&fake->mutex);
}

static void make_cold(struct bl_disk_fake *fake) {
  for (struct fake_inode *at = fake->inodes; at != NULL; at = at->next) {
    if (at->cap > 0) memset(at->warm, 0, (size_t)(at->cap / BL_DISK_FAKE_SECTOR_BYTES));
  }
}

void bl_disk_fake_set_cold(struct bl_disk_fake *fake) {
  pthread_mutex_lock(&fake->mutex);
  fake->cold = true;
  make_cold(fake);
  pthread_mutex_unlock(&fake->mutex);
}

void bl_disk_fake_set_direct(struct bl_disk_fake *fake, bool taken) {
  pthread_mutex_lock(&fake->mutex);
  fake->no_direct = !taken;
  pthread_mutex_unlock(&fake->mutex);
}

void bl_disk_fake_on_op(struct bl_disk_fake *fake,
                        void (*on_op)(void *context, enum bl_disk_fake_op op, const char *path),
                        void *context) {
  fake->on_op = on_op;
  fake->on_op_context = context;
}

int64_t bl_disk_fake_count(const struct bl_disk_fake *fake, enum bl_disk_fake_op op) {
  return fake->counts[op];
}

static void turn_off(struct bl_disk_fake *fake) {
  fake->off = true;
  for (int i = 0; i < FAKE_FILES_MAX; i++) fake->files[i].locked = false;
}

void bl_disk_fake_restart(struct bl_disk_fake *fake) {
  pthread_mutex_lock(&fake->mutex);
  fake->off = false;
  pthread_mutex_unlock(&fake->mutex);
}

void bl_disk_fake_kill(struct bl_disk_fake *fake) {
  pthread_mutex_lock(&fake->mutex);
  turn_off(fake);
  pthread_mutex_unlock(&fake->mutex);
}

static uint64_t next_random(uint64_t *state) {
  uint64_t z = (*state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/* Each unsynced sector is old or new; so is the size. How likely new is, differs from crash to
 * crash, so that "nearly all" and "nearly none" are seen too. */
static void settle(struct fake_inode *inode, uint64_t *random, unsigned new_of_16) {
  if (inode->is_dir) return;
  int64_t sectors = inode->cap / BL_DISK_FAKE_SECTOR_BYTES;
  for (int64_t i = 0; i < sectors; i++) {
    char *now = inode->now + i * BL_DISK_FAKE_SECTOR_BYTES;
    char *durable = inode->durable + i * BL_DISK_FAKE_SECTOR_BYTES;
    if (inode->state[i] == SECTOR_CLEAN) continue;
    if (next_random(random) % 16 < new_of_16) {
      memcpy(durable, now, BL_DISK_FAKE_SECTOR_BYTES);
    } else {
      memcpy(now, durable, BL_DISK_FAKE_SECTOR_BYTES);
    }
    inode->state[i] = SECTOR_CLEAN;
  }
  if (inode->size != inode->durable_size && next_random(random) % 16 >= new_of_16)
    inode->size = inode->durable_size;
  inode->durable_size = inode->size;
  if (inode->cap > inode->size) {
    memset(inode->now + inode->size, 0, (size_t)(inode->cap - inode->size));
    memset(inode->durable + inode->size, 0, (size_t)(inode->cap - inode->size));
  }
}

void bl_disk_fake_lie(struct bl_disk_fake *fake, const char *part) {
  pthread_mutex_lock(&fake->mutex);
  fake_path_copy(fake->lie, part != NULL ? part : "");
  pthread_mutex_unlock(&fake->mutex);
}

void bl_disk_fake_set_names_loose(struct bl_disk_fake *fake, bool loose) {
  fake->names_loose = loose;
}

void bl_disk_fake_write_back(struct bl_disk_fake *fake, uint64_t seed) {
  pthread_mutex_lock(&fake->mutex);
  for (struct fake_inode *at = fake->inodes; at != NULL; at = at->next) {
    for (int64_t i = 0; i < at->cap / BL_DISK_FAKE_SECTOR_BYTES; i++) {
      int64_t from = i * BL_DISK_FAKE_SECTOR_BYTES;
      if (at->state[i] != SECTOR_DIRTY || next_random(&seed) % 2 == 0) continue;
      memcpy(at->durable + from, at->now + from, BL_DISK_FAKE_SECTOR_BYTES);
    }
  }
  pthread_mutex_unlock(&fake->mutex);
}

/* A name below a folder that is not there is not there. */
static void drop_orphans(struct fake_names *names) {
  for (size_t i = 0; i < names->count;) {
    char folder[FAKE_PATH_BYTES_MAX];
    fake_path_copy(folder, names->items[i].path);
    char *slash = strrchr(folder, '/');
    slash[slash == folder ? 1 : 0] = 0;
    if (bl_fake__find(names, folder) != NULL) {
      i++;
      continue;
    }
    names->items[i] = names->items[--names->count];
    i = 0; /* it may have been a folder */
  }
}

static void settle_names(struct bl_disk_fake *fake, uint64_t *random) {
  size_t count = fake->change_count;
  size_t kept = count > 0 ? next_random(random) % (count + 1) : 0;
  for (size_t i = 0; i < count; i++) {
    if (fake->names_loose ? next_random(random) % (count + 1) < kept : i < kept)
      bl_fake__apply(&fake->durable, &fake->changes[i]);
  }
  fake->change_count = 0;
  drop_orphans(&fake->durable);
}

void bl_disk_fake_power_loss(struct bl_disk_fake *fake, uint64_t seed) {
  pthread_mutex_lock(&fake->mutex);
  uint64_t random = seed;
  unsigned new_of_16 = (unsigned)(next_random(&random) % 17);
  settle_names(fake, &random);
  fake->now.count = 0;
  for (size_t i = 0; i < fake->durable.count; i++)
    bl_fake__put(&fake->now, fake->durable.items[i].path, fake->durable.items[i].inode);
  for (struct fake_inode *at = fake->inodes; at != NULL; at = at->next)
    settle(at, &random, new_of_16);
  if (fake->cold) make_cold(fake);
  turn_off(fake);
  pthread_mutex_unlock(&fake->mutex);
}

static void *copy_of(const void *from, size_t bytes) {
  if (bytes == 0) return NULL;
  void *to = malloc(bytes);
  BL_ASSERT(to != NULL);
  return memcpy(to, from, bytes);
}

static struct fake_inode *clone_inode(struct bl_disk_fake *to, struct fake_inode *from) {
  if (from->copy != NULL) return from->copy;
  struct fake_inode *inode = copy_of(from, sizeof(*from));
  size_t cap = (size_t)from->cap;
  inode->now = copy_of(from->now, cap);
  inode->durable = copy_of(from->durable, cap);
  inode->state = copy_of(from->state, cap / BL_DISK_FAKE_SECTOR_BYTES);
  inode->warm = copy_of(from->warm, cap / BL_DISK_FAKE_SECTOR_BYTES);
  inode->next = to->inodes;
  inode->copy = NULL;
  to->inodes = inode;
  from->copy = inode;
  return inode;
}

static void clone_names(struct bl_disk_fake *to, struct fake_names *into,
                        const struct fake_names *from) {
  for (size_t i = 0; i < from->count; i++)
    bl_fake__put(into, from->items[i].path, clone_inode(to, from->items[i].inode));
}

struct bl_disk_fake *bl_disk_fake_clone(const struct bl_disk_fake *fake) {
  struct bl_disk_fake *to = bl_disk_fake_new();
  for (struct fake_inode *at = fake->inodes; at != NULL; at = at->next) at->copy = NULL;
  clone_names(to, &to->now, &fake->now);
  clone_names(to, &to->durable, &fake->durable);
  to->changes = copy_of(fake->changes, fake->change_count * sizeof(*fake->changes));
  to->change_count = fake->change_count;
  to->change_cap = fake->change_count;
  for (size_t i = 0; i < to->change_count; i++)
    to->changes[i].inode = clone_inode(to, fake->changes[i].inode);
  to->free_bytes = fake->free_bytes;
  to->ticks = fake->ticks;
  to->cold = fake->cold;
  to->names_loose = fake->names_loose;
  fake_path_copy(to->lie, fake->lie);
  return to;
}
