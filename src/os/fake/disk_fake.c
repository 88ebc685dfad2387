#include "os/fake/disk_fake.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "os/fake/disk_fake_internal.h"

#define SECTOR BL_DISK_FAKE_SECTOR_BYTES

static struct bl_disk_fake *fake_of(struct bl_disk *disk) {
  return (struct bl_disk_fake *)(void *)disk;
}

/* Takes the mutex, counts, and says whether this call is one that fails. */
static bl_err enter(struct bl_disk_fake *fake, enum bl_disk_fake_op op, const char *path) {
  if (fake->on_op != NULL) fake->on_op(fake->on_op_context, op, path);
  pthread_mutex_lock(&fake->mutex);
  fake->counts[op]++;
  if (fake->off) return BL_ERR_IO;
  struct fake_failure *failure = &fake->failures[op];
  if (failure->countdown < 0 || strstr(path, failure->part) == NULL) return BL_OK;
  if (failure->countdown > 0) {
    failure->countdown--;
    return BL_OK;
  }
  if (failure->times > 0 && --failure->times == 0) failure->countdown = -1;
  return failure->err;
}

static bl_err leave(struct bl_disk_fake *fake, bl_err err) {
  pthread_mutex_unlock(&fake->mutex);
  return err;
}

static const char *path_of(struct bl_disk_fake *fake, int file) {
  BL_ASSERT(file >= 0 && file < FAKE_FILES_MAX && fake->files[file].used);
  return fake->files[file].path;
}

static struct fake_inode *make_inode(struct bl_disk_fake *fake, bool is_dir) {
  struct fake_inode *inode = calloc(1, sizeof(*inode));
  BL_ASSERT(inode != NULL);
  inode->is_dir = is_dir;
  inode->modified_ms = ++fake->ticks;
  inode->next = fake->inodes;
  fake->inodes = inode;
  return inode;
}

static void folder_of(const char *path, char out_folder[FAKE_PATH_BYTES_MAX]) {
  fake_path_copy(out_folder, path);
  char *slash = strrchr(out_folder, '/');
  BL_ASSERT(slash != NULL);
  slash[slash == out_folder ? 1 : 0] = 0;
}

static bool has_folder(struct bl_disk_fake *fake, const char *path) {
  char folder[FAKE_PATH_BYTES_MAX];
  folder_of(path, folder);
  const struct fake_name *name = bl_fake__find(&fake->now, folder);
  return name != NULL && name->inode->is_dir;
}

static void change_names(struct bl_disk_fake *fake, const char *from, const char *to,
                         struct fake_inode *inode) {
  if (fake->change_count == fake->change_cap) {
    fake->change_cap = fake->change_cap > 0 ? fake->change_cap * 2 : 16;
    fake->changes = realloc(fake->changes, fake->change_cap * sizeof(*fake->changes));
    BL_ASSERT(fake->changes != NULL);
  }
  struct fake_change *change = &fake->changes[fake->change_count++];
  fake_path_copy(change->from, from);
  fake_path_copy(change->to, to);
  change->inode = inode;
  bl_fake__apply(&fake->now, change);
}

static void *grow_zero(void *old, size_t old_bytes, size_t bytes) {
  char *memory = realloc(old, bytes);
  BL_ASSERT(memory != NULL);
  memset(memory + old_bytes, 0, bytes - old_bytes);
  return memory;
}

static void need_cap(struct fake_inode *inode, int64_t bytes) {
  int64_t cap = (bytes + SECTOR - 1) / SECTOR * SECTOR;
  if (cap <= inode->cap) return;
  if (cap < inode->cap * 2) cap = inode->cap * 2;
  size_t before = (size_t)inode->cap;
  inode->now = grow_zero(inode->now, before, (size_t)cap);
  inode->durable = grow_zero(inode->durable, before, (size_t)cap);
  inode->state = grow_zero(inode->state, before / SECTOR, (size_t)cap / SECTOR);
  inode->warm = grow_zero(inode->warm, before / SECTOR, (size_t)cap / SECTOR);
  inode->cap = cap;
}

static bl_err set_size(struct bl_disk_fake *fake, struct fake_inode *inode, int64_t size) {
  int64_t more = size - inode->size;
  if (more > 0 && fake->free_bytes >= 0) {
    if (more > fake->free_bytes) return BL_ERR_NO_SPACE;
    fake->free_bytes -= more;
  } else if (more < 0 && fake->free_bytes >= 0) {
    fake->free_bytes -= more;
  }
  need_cap(inode, size);
  if (size < inode->size) {
    memset(inode->now + size, 0, (size_t)(inode->size - size));
    for (int64_t i = size / SECTOR; i * SECTOR < inode->size; i++) inode->state[i] = SECTOR_DIRTY;
  }
  inode->size = size;
  inode->modified_ms = ++fake->ticks;
  return BL_OK;
}

static bl_err fake_open(struct bl_disk *disk, const char *path, unsigned flags, int *out_file,
                        struct bl_why *why) {
  struct bl_disk_fake *fake = fake_of(disk);
  bl_err err = enter(fake, BL_FAKE_OPEN, path);
  BL_ASSERT(strlen(path) < FAKE_PATH_BYTES_MAX);
  const struct fake_name *name = bl_fake__find(&fake->now, path);
  if (err == BL_OK && name == NULL && ((flags & BL_OPEN_CREATE) == 0 || !has_folder(fake, path)))
    err = BL_ERR_NOT_FOUND;
  if (err == BL_OK && name != NULL && name->inode->is_dir) err = BL_ERR_IO;
  bool direct = (flags & BL_OPEN_DIRECT) != 0;
  if (err == BL_OK && direct && fake->no_direct) err = BL_ERR_PARAMETER;
  int file = 0;
  while (file < FAKE_FILES_MAX && fake->files[file].used) file++;
  BL_ASSERT(file < FAKE_FILES_MAX);
  if (err != BL_OK) {
    bl_why_set(why, err, "cannot open %s: %s", path, bl_err_text(err));
    return leave(fake, err);
  }
  struct fake_inode *inode = name != NULL ? name->inode : make_inode(fake, false);
  if (name == NULL) change_names(fake, "", path, inode);
  if ((flags & BL_OPEN_TRUNCATE) != 0) err = set_size(fake, inode, 0);
  fake->files[file] = (struct fake_open){.inode = inode, .used = true, .direct = direct};
  fake_path_copy(fake->files[file].path, path);
  *out_file = file;
  return leave(fake, err);
}

static void fake_close(struct bl_disk *disk, int file) {
  if (file < 0) return;
  struct bl_disk_fake *fake = fake_of(disk);
  pthread_mutex_lock(&fake->mutex);
  BL_ASSERT(file < FAKE_FILES_MAX && fake->files[file].used);
  fake->files[file].used = false;
  fake->files[file].locked = false;
  pthread_mutex_unlock(&fake->mutex);
}

static bool is_warm(const struct bl_disk_fake *fake, const struct fake_inode *inode, int64_t offset,
                    int64_t end) {
  if (!fake->cold) return true;
  for (int64_t i = offset / SECTOR; i * SECTOR < end; i++) {
    if (inode->warm[i] == 0) return false;
  }
  return true;
}

static void warm(struct fake_inode *inode, int64_t offset, int64_t end) {
  for (int64_t i = offset / SECTOR; i * SECTOR < end; i++) inode->warm[i] = 1;
}

static bl_err read_any(struct bl_disk *disk, int file, void *to, size_t len, int64_t offset,
                       size_t *out_len, bool wait) {
  struct bl_disk_fake *fake = fake_of(disk);
  bl_err err = enter(fake, BL_FAKE_READ, path_of(fake, file));
  struct fake_open *open = &fake->files[file];
  if (err == BL_OK && open->direct) err = BL_ERR_IO;
  if (err != BL_OK) return leave(fake, err);
  struct fake_inode *inode = open->inode;
  int64_t end = offset + (int64_t)len;
  if (end > inode->size) end = inode->size;
  *out_len = end > offset ? (size_t)(end - offset) : 0;
  if (!wait && !is_warm(fake, inode, offset, end)) return leave(fake, BL_ERR_COLD);
  if (end > offset) {
    memcpy(to, inode->now + offset, *out_len);
    warm(inode, offset, end);
  }
  return leave(fake, BL_OK);
}

static bl_err fake_read(struct bl_disk *disk, int file, void *to, size_t len, int64_t offset,
                        size_t *out_len) {
  return read_any(disk, file, to, len, offset, out_len, true);
}

static bl_err fake_read_cached(struct bl_disk *disk, int file, void *to, size_t len, int64_t offset,
                               size_t *out_len) {
  return read_any(disk, file, to, len, offset, out_len, false);
}

static void put(struct bl_disk_fake *fake, const struct fake_open *open, struct bl_slice bytes,
                int64_t offset) {
  struct fake_inode *inode = open->inode;
  int64_t end = offset + (int64_t)bytes.len;
  memcpy(inode->now + offset, bytes.ptr, bytes.len);
  for (int64_t i = offset / SECTOR; i * SECTOR < end; i++) {
    inode->state[i] = SECTOR_DIRTY;
    inode->warm[i] = !open->direct;
  }
  inode->modified_ms = ++fake->ticks;
}

static bl_err fake_write(struct bl_disk *disk, int file, const void *from, size_t len,
                         int64_t offset) {
  struct bl_disk_fake *fake = fake_of(disk);
  bl_err err = enter(fake, BL_FAKE_WRITE, path_of(fake, file));
  const struct fake_open *open = &fake->files[file];
  int64_t end = offset + (int64_t)len;
  if (err == BL_OK && open->direct) err = BL_ERR_IO;
  if (err == BL_OK && end > open->inode->size) err = set_size(fake, open->inode, end);
  if (err == BL_OK && len > 0) put(fake, open, bl_slice_of(from, len), offset);
  return leave(fake, err);
}

static bool is_aligned(const struct bl_slice *parts, int count, int64_t offset) {
  uintptr_t bits = (uintptr_t)offset;
  for (int i = 0; i < count; i++) bits |= (uintptr_t)parts[i].ptr | (uintptr_t)parts[i].len;
  return bits % BL_DISK_DIRECT_BYTES == 0;
}

/* A broken disk: bl_disk_fake_lie. */
static bool lies(const struct bl_disk_fake *fake, int file) {
  return fake->lie[0] != 0 && strstr(fake->files[file].path, fake->lie) != NULL;
}

/* [from, to), whole sectors, is on the disk now, or never will be. */
static void settle_range(struct fake_inode *inode, int64_t from, int64_t to, bool synced) {
  for (int64_t i = from / SECTOR; i * SECTOR < to; i++) {
    if (inode->state[i] != SECTOR_DIRTY) continue;
    inode->state[i] = synced ? SECTOR_CLEAN : SECTOR_LOST;
    if (synced) memcpy(inode->durable + i * SECTOR, inode->now + i * SECTOR, SECTOR);
  }
  if (synced) inode->durable_size = inode->size;
}

static bl_err fake_write_parts(struct bl_disk *disk, int file, const struct bl_slice *parts,
                               int count, int64_t offset, bool durable) {
  struct bl_disk_fake *fake = fake_of(disk);
  BL_ASSERT(count >= 0 && count <= BL_DISK_PARTS_MAX);
  bl_err err = enter(fake, BL_FAKE_WRITE, path_of(fake, file));
  const struct fake_open *open = &fake->files[file];
  if (err == BL_OK && open->direct && !is_aligned(parts, count, offset)) err = BL_ERR_IO;
  int64_t end = offset;
  for (int i = 0; i < count; i++) end += (int64_t)parts[i].len;
  if (err == BL_OK && end > offset && end > open->inode->size)
    err = set_size(fake, open->inode, end);
  if (err != BL_OK) return leave(fake, err);
  int64_t at = offset;
  for (int i = 0; i < count; i++) {
    if (parts[i].len > 0) put(fake, open, parts[i], at);
    at += (int64_t)parts[i].len;
  }
  leave(fake, BL_OK);
  if (!durable) return BL_OK;
  err = enter(fake, BL_FAKE_SYNC, path_of(fake, file));
  if (!fake->off && !lies(fake, file)) settle_range(open->inode, offset, end, err == BL_OK);
  return leave(fake, err);
}

static bl_err fake_sync(struct bl_disk *disk, int file) {
  struct bl_disk_fake *fake = fake_of(disk);
  bl_err err = enter(fake, BL_FAKE_SYNC, path_of(fake, file));
  struct fake_inode *inode = fake->files[file].inode;
  if (!fake->off && !lies(fake, file)) settle_range(inode, 0, inode->cap, err == BL_OK);
  return leave(fake, err);
}

static bl_err fake_start_writeback(struct bl_disk *disk, int file, int64_t offset, int64_t len) {
  (void)disk;
  (void)file;
  (void)offset;
  (void)len;
  return BL_OK;
}

static bl_err fake_allocate(struct bl_disk *disk, int file, int64_t bytes) {
  struct bl_disk_fake *fake = fake_of(disk);
  bl_err err = enter(fake, BL_FAKE_ALLOCATE, path_of(fake, file));
  struct fake_inode *inode = fake->files[file].inode;
  if (err == BL_OK && bytes > inode->size) err = set_size(fake, inode, bytes);
  return leave(fake, err);
}

static bl_err fake_next_data(struct bl_disk *disk, int file, int64_t offset, int64_t *out_from,
                             int64_t *out_to) {
  struct bl_disk_fake *fake = fake_of(disk);
  (void)path_of(fake, file);
  pthread_mutex_lock(&fake->mutex);
  if (fake->off) return leave(fake, BL_ERR_IO);
  const struct fake_inode *inode = fake->files[file].inode;
  while (offset < inode->size && inode->now[offset] == 0) offset++;
  *out_from = offset < inode->size ? offset : inode->size;
  /* As far as the sector goes: what follows is asked for again. */
  int64_t to = (offset / SECTOR + 1) * SECTOR;
  *out_to = to < inode->size ? to : inode->size;
  return leave(fake, BL_OK);
}

static bl_err fake_truncate(struct bl_disk *disk, int file, int64_t bytes) {
  struct bl_disk_fake *fake = fake_of(disk);
  bl_err err = enter(fake, BL_FAKE_TRUNCATE, path_of(fake, file));
  if (err == BL_OK) err = set_size(fake, fake->files[file].inode, bytes);
  return leave(fake, err);
}

static bl_err fake_size(struct bl_disk *disk, int file, int64_t *out_bytes) {
  struct bl_disk_fake *fake = fake_of(disk);
  (void)path_of(fake, file);
  pthread_mutex_lock(&fake->mutex);
  if (fake->off) return leave(fake, BL_ERR_IO);
  *out_bytes = fake->files[file].inode->size;
  return leave(fake, BL_OK);
}

static bl_err fake_stat(struct bl_disk *disk, const char *path, struct bl_disk_stat *out_stat) {
  struct bl_disk_fake *fake = fake_of(disk);
  pthread_mutex_lock(&fake->mutex);
  if (fake->off) return leave(fake, BL_ERR_IO);
  const struct fake_name *name = bl_fake__find(&fake->now, path);
  if (name == NULL) return leave(fake, BL_ERR_NOT_FOUND);
  *out_stat =
      (struct bl_disk_stat){name->inode->is_dir, name->inode->size, name->inode->modified_ms};
  return leave(fake, BL_OK);
}

static bl_err fake_rename(struct bl_disk *disk, const char *from, const char *to) {
  struct bl_disk_fake *fake = fake_of(disk);
  bl_err err = enter(fake, BL_FAKE_RENAME, from);
  const struct fake_name *name = bl_fake__find(&fake->now, from);
  if (err == BL_OK && (name == NULL || !has_folder(fake, to))) err = BL_ERR_NOT_FOUND;
  if (err != BL_OK) return leave(fake, err);
  struct fake_inode *inode = name->inode;
  change_names(fake, from, to, inode);
  for (int i = 0; i < FAKE_FILES_MAX; i++) {
    if (fake->files[i].used && fake->files[i].inode == inode)
      fake_path_copy(fake->files[i].path, to);
  }
  return leave(fake, BL_OK);
}

static bool is_below(const char *path, const char *folder) {
  size_t len = strlen(folder);
  if (strcmp(folder, "/") == 0) return path[1] != 0;
  return strncmp(path, folder, len) == 0 && path[len] == '/';
}

static bl_err fake_remove(struct bl_disk *disk, const char *path) {
  struct bl_disk_fake *fake = fake_of(disk);
  bl_err err = enter(fake, BL_FAKE_REMOVE, path);
  const struct fake_name *name = bl_fake__find(&fake->now, path);
  if (err == BL_OK && name == NULL) err = BL_ERR_NOT_FOUND;
  for (size_t i = 0; err == BL_OK && name->inode->is_dir && i < fake->now.count; i++) {
    if (is_below(fake->now.items[i].path, path)) err = BL_ERR_EXISTS;
  }
  if (err != BL_OK) return leave(fake, err);
  if (fake->free_bytes >= 0) fake->free_bytes += name->inode->size;
  change_names(fake, path, "", name->inode);
  return leave(fake, BL_OK);
}

static bl_err fake_make_dir(struct bl_disk *disk, const char *path, struct bl_why *why) {
  struct bl_disk_fake *fake = fake_of(disk);
  pthread_mutex_lock(&fake->mutex);
  if (fake->off) return leave(fake, BL_ERR_IO);
  char part[FAKE_PATH_BYTES_MAX];
  size_t len = strlen(path);
  BL_ASSERT(len < sizeof(part));
  for (size_t i = 1; i <= len; i++) {
    if (path[i] != '/' && path[i] != 0) continue;
    memcpy(part, path, i);
    part[i] = 0;
    const struct fake_name *name = bl_fake__find(&fake->now, part);
    if (name == NULL) {
      change_names(fake, "", part, make_inode(fake, true));
    } else if (!name->inode->is_dir) {
      bl_why_set(why, BL_ERR_NOT_FOUND, "cannot make folder %s: it is a file", part);
      return leave(fake, BL_ERR_NOT_FOUND);
    }
  }
  return leave(fake, BL_OK);
}

static bool touches(const char *path, const char *folder) {
  if (path[0] == 0) return false;
  char of[FAKE_PATH_BYTES_MAX];
  folder_of(path, of);
  return strcmp(of, folder) == 0;
}

/* Syncing a folder makes its names durable, a rename out of it or into it whole, and the folder's
 * own name: that is what journals do. */
static bl_err fake_sync_dir(struct bl_disk *disk, const char *path) {
  struct bl_disk_fake *fake = fake_of(disk);
  bl_err err = enter(fake, BL_FAKE_SYNC_DIR, path);
  if (err == BL_OK && bl_fake__find(&fake->now, path) == NULL) err = BL_ERR_NOT_FOUND;
  if (err != BL_OK) return leave(fake, err);
  size_t kept = 0;
  for (size_t i = 0; i < fake->change_count; i++) {
    struct fake_change *change = &fake->changes[i];
    const char *to = change->to[0] != 0 ? change->to : change->from;
    bool own = change->inode->is_dir && (strcmp(to, path) == 0 || is_below(path, to));
    if (own || touches(to, path) || touches(change->from, path)) {
      bl_fake__apply(&fake->durable, change);
    } else {
      if (kept != i) fake->changes[kept] = *change;
      kept++;
    }
  }
  fake->change_count = kept;
  return leave(fake, BL_OK);
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bl_err fake_list(struct bl_disk *disk, const char *path, struct bl_arena *arena,
                        const char *const **out_names, size_t *out_count) {
  struct bl_disk_fake *fake = fake_of(disk);
  pthread_mutex_lock(&fake->mutex);
  if (fake->off) return leave(fake, BL_ERR_IO);
  const struct fake_name *folder = bl_fake__find(&fake->now, path);
  if (folder == NULL || !folder->inode->is_dir) return leave(fake, BL_ERR_NOT_FOUND);
  const char **names = bl_arena_take(arena, (fake->now.count + 1) * sizeof(*names));
  size_t count = 0;
  for (size_t i = 0; i < fake->now.count; i++) {
    const char *name = fake->now.items[i].path;
    if (strcmp(name, "/") == 0 || !touches(name, path)) continue;
    names[count++] = bl_arena_copy(arena, bl_slice_text(strrchr(name, '/') + 1)).ptr;
  }
  if (count > 1) qsort(names, count, sizeof(*names), by_name);
  *out_names = names;
  *out_count = count;
  return leave(fake, BL_OK);
}

static bl_err fake_lock(struct bl_disk *disk, int file) {
  struct bl_disk_fake *fake = fake_of(disk);
  (void)path_of(fake, file);
  pthread_mutex_lock(&fake->mutex);
  if (fake->off) return leave(fake, BL_ERR_IO);
  for (int i = 0; i < FAKE_FILES_MAX; i++) {
    const struct fake_open *other = &fake->files[i];
    if (i != file && other->used && other->locked && other->inode == fake->files[file].inode)
      return leave(fake, BL_ERR_LOCKED);
  }
  fake->files[file].locked = true;
  return leave(fake, BL_OK);
}

static bl_err fake_space(struct bl_disk *disk, const char *path, int64_t *out_total_bytes,
                         int64_t *out_free_bytes) {
  (void)path;
  struct bl_disk_fake *fake = fake_of(disk);
  pthread_mutex_lock(&fake->mutex);
  int64_t used = 0;
  for (size_t i = 0; i < fake->now.count; i++) used += fake->now.items[i].inode->size;
  *out_free_bytes = fake->free_bytes >= 0 ? fake->free_bytes : (int64_t)1 << 40;
  *out_total_bytes = used + *out_free_bytes;
  return leave(fake, BL_OK);
}

static const struct bl_disk_ops fake_ops = {
    .open = fake_open,
    .close = fake_close,
    .read = fake_read,
    .read_cached = fake_read_cached,
    .write = fake_write,
    .write_parts = fake_write_parts,
    .sync = fake_sync,
    .start_writeback = fake_start_writeback,
    .allocate = fake_allocate,
    .next_data = fake_next_data,
    .truncate = fake_truncate,
    .size = fake_size,
    .stat = fake_stat,
    .rename = fake_rename,
    .remove = fake_remove,
    .make_dir = fake_make_dir,
    .sync_dir = fake_sync_dir,
    .list = fake_list,
    .lock = fake_lock,
    .space = fake_space,
};

struct bl_disk_fake *bl_disk_fake_new(void) {
  struct bl_disk_fake *fake = calloc(1, sizeof(*fake));
  BL_ASSERT(fake != NULL);
  fake->disk.ops = &fake_ops;
  fake->free_bytes = -1;
  for (int i = 0; i < BL_FAKE_OP_COUNT; i++) fake->failures[i].countdown = -1;
  pthread_mutex_init(&fake->mutex, NULL);
  struct fake_inode *root = make_inode(fake, true);
  bl_fake__put(&fake->now, "/", root);
  bl_fake__put(&fake->durable, "/", root);
  return fake;
}

void bl_disk_fake_free(struct bl_disk_fake *fake) {
  if (fake == NULL) return;
  while (fake->inodes != NULL) {
    struct fake_inode *inode = fake->inodes;
    fake->inodes = inode->next;
    free(inode->now);
    free(inode->durable);
    free(inode->state);
    free(inode->warm);
    free(inode);
  }
  free(fake->now.items);
  free(fake->durable.items);
  free(fake->changes);
  pthread_mutex_destroy(&fake->mutex);
  free(fake);
}

struct bl_disk *bl_disk_fake_disk(struct bl_disk_fake *fake) {
  return &fake->disk;
}
