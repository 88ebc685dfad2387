#define _GNU_SOURCE
#include "os/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.h"

#define DISK_ZERO_CHUNK_BYTES ((size_t)256 * 1024)

static bl_err err_of(int number) {
  switch (number) {
    case 0: return BL_OK;
    case ENOENT:
    case ENOTDIR: return BL_ERR_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY: return BL_ERR_EXISTS;
    case ENOSPC:
    case EDQUOT: return BL_ERR_NO_SPACE;
    case EACCES:
    case EPERM:
    case EROFS: return BL_ERR_NO_PERMISSION;
    default: return BL_ERR_IO;
  }
}

static bl_err say(struct bl_why *why, int number, const char *what, const char *path) {
  return bl_why_set(why, err_of(number), "cannot %s %s: %s", what, path, strerror(number));
}

/* What the file system says of its units; one that says nothing (before Linux 6.1) has refused
 * O_DIRECT itself when it cannot, and those that can do with 4096. */
static bool takes_direct_writes(int file) {
#ifdef STATX_DIOALIGN
  struct statx info;
  if (statx(file, "", AT_EMPTY_PATH, STATX_DIOALIGN, &info) == 0 &&
      (info.stx_mask & STATX_DIOALIGN) != 0) {
    return info.stx_dio_offset_align != 0 &&
           BL_DISK_DIRECT_BYTES % info.stx_dio_offset_align == 0 && info.stx_dio_mem_align != 0 &&
           BL_DISK_DIRECT_BYTES % info.stx_dio_mem_align == 0;
  }
#else
  (void)file;
#endif
  return true;
}

static bl_err open_direct(const char *path, int *out_file, struct bl_why *why) {
  int file;
  do {
    file = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
  } while (file < 0 && errno == EINTR);
  if (file < 0 && errno != EINVAL) return say(why, errno, "open", path);
  if (file >= 0 && takes_direct_writes(file)) {
    *out_file = file;
    return BL_OK;
  }
  if (file >= 0) close(file);
  return bl_why_set(why, BL_ERR_PARAMETER, "the file system of %s has no direct writes", path);
}

static bl_err real_open(struct bl_disk *disk, const char *path, unsigned flags, int *out_file,
                        struct bl_why *why) {
  (void)disk;
  if ((flags & BL_OPEN_DIRECT) != 0) return open_direct(path, out_file, why);
  int mode = (flags & BL_OPEN_WRITE) != 0 ? O_RDWR : O_RDONLY;
  if ((flags & BL_OPEN_CREATE) != 0) mode |= O_CREAT;
  if ((flags & BL_OPEN_TRUNCATE) != 0) mode |= O_TRUNC;
  int file;
  do {
    file = open(path, mode | O_CLOEXEC, 0644);
  } while (file < 0 && errno == EINTR);
  if (file < 0) return say(why, errno, (flags & BL_OPEN_CREATE) != 0 ? "create" : "open", path);
  /* Advice: a file system that takes none is as good. */
  if ((flags & BL_OPEN_NO_READ_AHEAD) != 0) (void)posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM);
  *out_file = file;
  return BL_OK;
}

static void real_close(struct bl_disk *disk, int file) {
  (void)disk;
  if (file >= 0) close(file);
}

static bl_err real_read(struct bl_disk *disk, int file, void *to, size_t len, int64_t offset,
                        size_t *out_len) {
  (void)disk;
  size_t got = 0;
  while (got < len) {
    ssize_t n = pread(file, (char *)to + got, len - got, (off_t)offset + (off_t)got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return err_of(errno);
    if (n == 0) break;
    got += (size_t)n;
  }
  *out_len = got;
  return BL_OK;
}

static bl_err real_read_cached(struct bl_disk *disk, int file, void *to, size_t len, int64_t offset,
                               size_t *out_len) {
  size_t got = 0;
  while (got < len) {
    struct iovec part = {(char *)to + got, len - got};
    ssize_t n = preadv2(file, &part, 1, (off_t)offset + (off_t)got, RWF_NOWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return BL_ERR_COLD;
    /* A file system that cannot tell (old tmpfs): reading is all that is left. */
    if (n < 0 && errno == EOPNOTSUPP) return real_read(disk, file, to, len, offset, out_len);
    if (n < 0) return err_of(errno);
    if (n == 0) break;
    got += (size_t)n;
  }
  *out_len = got;
  return BL_OK;
}

static bl_err real_write(struct bl_disk *disk, int file, const void *from, size_t len,
                         int64_t offset) {
  (void)disk;
  size_t put = 0;
  while (put < len) {
    ssize_t n = pwrite(file, (const char *)from + put, len - put, (off_t)offset + (off_t)put);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return err_of(errno);
    if (n == 0) return BL_ERR_IO;
    put += (size_t)n;
  }
  return BL_OK;
}

static bl_err real_sync(struct bl_disk *disk, int file) {
  (void)disk;
  return fdatasync(file) == 0 ? BL_OK : err_of(errno);
}

/* Drops what was written from the front of the parts. RETURNS how many are left. */
static int step_parts(struct iovec *parts, int count, size_t put) {
  int first = 0;
  while (first < count && put >= parts[first].iov_len) put -= parts[first++].iov_len;
  for (int i = first; i < count; i++) parts[i - first] = parts[i];
  if (put > 0) {
    parts[0].iov_base = (char *)parts[0].iov_base + put;
    parts[0].iov_len -= put;
  }
  return count - first;
}

static bl_err real_write_parts(struct bl_disk *disk, int file, const struct bl_slice *parts,
                               int count, int64_t offset, bool durable) {
  struct iovec left[BL_DISK_PARTS_MAX];
  int flags = durable ? RWF_DSYNC : 0;
  BL_ASSERT(count >= 0 && count <= BL_DISK_PARTS_MAX);
  for (int i = 0; i < count; i++)
    left[i] = (struct iovec){(void *)(uintptr_t)parts[i].ptr, parts[i].len};
  while (count > 0) {
    ssize_t n = pwritev2(file, left, count, (off_t)offset, flags);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EOPNOTSUPP && flags != 0) {
      flags = 0;
      continue;
    }
    if (n < 0) return err_of(errno);
    if (n == 0) return BL_ERR_IO;
    offset += n;
    count = step_parts(left, count, (size_t)n);
  }
  return durable && flags == 0 ? real_sync(disk, file) : BL_OK;
}

static bl_err real_start_writeback(struct bl_disk *disk, int file, int64_t offset, int64_t len) {
  (void)disk;
  int failed = sync_file_range(file, offset, len, SYNC_FILE_RANGE_WRITE);
  /* Advice: a file system without it loses nothing. */
  if (failed != 0 && errno != EIO && errno != ENOSPC) return BL_OK;
  return failed == 0 ? BL_OK : err_of(errno);
}

static bl_err write_zeros(struct bl_disk *disk, int file, int64_t from, int64_t to) {
  char *zeros = calloc(1, DISK_ZERO_CHUNK_BYTES);
  BL_ASSERT(zeros != NULL);
  bl_err err = BL_OK;
  while (err == BL_OK && from < to) {
    size_t len = DISK_ZERO_CHUNK_BYTES;
    if ((int64_t)len > to - from) len = (size_t)(to - from);
    err = real_write(disk, file, zeros, len, from);
    from += (int64_t)len;
  }
  free(zeros);
  return err;
}

static bl_err real_allocate(struct bl_disk *disk, int file, int64_t bytes) {
  int failed;
  do {
    failed = fallocate(file, 0, 0, (off_t)bytes);
  } while (failed != 0 && errno == EINTR);
  if (failed == 0) return BL_OK;
  if (errno != EOPNOTSUPP) return err_of(errno);
  struct stat info;
  if (fstat(file, &info) != 0) return err_of(errno);
  return write_zeros(disk, file, info.st_size, bytes);
}

static bl_err real_size(struct bl_disk *disk, int file, int64_t *out_bytes) {
  (void)disk;
  struct stat info;
  if (fstat(file, &info) != 0) return err_of(errno);
  *out_bytes = info.st_size;
  return BL_OK;
}

static bl_err real_next_data(struct bl_disk *disk, int file, int64_t offset, int64_t *out_from,
                             int64_t *out_to) {
  int64_t size = 0;
  bl_err err = real_size(disk, file, &size);
  if (err != BL_OK) return err;
  off_t from = lseek(file, (off_t)offset, SEEK_DATA);
  if (from < 0 && errno == ENXIO) from = size;
  if (from < 0 && (errno == EINVAL || errno == EOPNOTSUPP)) from = offset; /* it cannot tell */
  if (from < 0) return err_of(errno);
  off_t to = from < size ? lseek(file, from, SEEK_HOLE) : size;
  *out_from = from < size ? from : size;
  *out_to = to > from ? to : size;
  return BL_OK;
}

static bl_err real_truncate(struct bl_disk *disk, int file, int64_t bytes) {
  (void)disk;
  return ftruncate(file, (off_t)bytes) == 0 ? BL_OK : err_of(errno);
}

static bl_err real_stat(struct bl_disk *disk, const char *path, struct bl_disk_stat *out_stat) {
  (void)disk;
  struct stat info;
  if (stat(path, &info) != 0) return err_of(errno);
  out_stat->is_dir = S_ISDIR(info.st_mode);
  out_stat->size_bytes = info.st_size;
  out_stat->modified_ms = (int64_t)info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1000000;
  return BL_OK;
}

static bl_err real_rename(struct bl_disk *disk, const char *from, const char *to) {
  (void)disk;
  return rename(from, to) == 0 ? BL_OK : err_of(errno);
}

static bl_err real_remove(struct bl_disk *disk, const char *path) {
  (void)disk;
  return remove(path) == 0 ? BL_OK : err_of(errno);
}

static bl_err real_make_dir(struct bl_disk *disk, const char *path, struct bl_why *why) {
  (void)disk;
  char part[PATH_MAX];
  size_t len = strlen(path);
  if (len == 0 || len >= sizeof(part)) return say(why, ENAMETOOLONG, "make folder", path);
  memcpy(part, path, len + 1);
  for (size_t i = 1; i <= len; i++) {
    if (part[i] != '/' && part[i] != 0) continue;
    char kept = part[i];
    part[i] = 0;
    struct stat info;
    if (mkdir(part, 0755) != 0) {
      int number = errno;
      if (stat(part, &info) != 0) return say(why, number, "make folder", part);
      if (!S_ISDIR(info.st_mode)) return say(why, ENOTDIR, "make folder", part);
    }
    part[i] = kept;
  }
  return BL_OK;
}

static bl_err real_sync_dir(struct bl_disk *disk, const char *path) {
  (void)disk;
  int file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return err_of(errno);
  bl_err err = fsync(file) == 0 ? BL_OK : err_of(errno);
  close(file);
  return err;
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bl_err real_list(struct bl_disk *disk, const char *path, struct bl_arena *arena,
                        const char *const **out_names, size_t *out_count) {
  (void)disk;
  DIR *dir = opendir(path);
  if (dir == NULL) return err_of(errno);
  const char **names = NULL;
  size_t count = 0;
  size_t cap = 0;
  const struct dirent *entry;
  errno = 0;
  while ((entry = readdir(dir)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (count == cap) {
      size_t wider = cap > 0 ? cap * 2 : 32;
      const char **more = bl_arena_take(arena, wider * sizeof(*more));
      if (count > 0) memcpy(more, names, count * sizeof(*more));
      names = more;
      cap = wider;
    }
    names[count++] = bl_arena_copy(arena, bl_slice_text(entry->d_name)).ptr;
    errno = 0;
  }
  bl_err err = err_of(errno);
  closedir(dir);
  if (err != BL_OK) return err;
  if (count > 1) qsort(names, count, sizeof(*names), by_name);
  *out_names = names;
  *out_count = count;
  return BL_OK;
}

/* An open-file-description lock: Java's fcntl lock and this one exclude each other, and unlike the
 * classic kind it is not lost when this process closes another descriptor of the file. */
static bl_err real_lock(struct bl_disk *disk, int file) {
  (void)disk;
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
  if (fcntl(file, F_OFD_SETLK, &lock) == 0) return BL_OK;
  return errno == EAGAIN || errno == EACCES ? BL_ERR_LOCKED : err_of(errno);
}

static bl_err real_space(struct bl_disk *disk, const char *path, int64_t *out_total_bytes,
                         int64_t *out_free_bytes) {
  (void)disk;
  struct statvfs info;
  if (statvfs(path, &info) != 0) return err_of(errno);
  /* Blocks kept for root, or beyond a quota, are neither used nor free: df counts likewise. */
  uint64_t usable = info.f_blocks - info.f_bfree + info.f_bavail;
  *out_total_bytes = (int64_t)usable * (int64_t)info.f_frsize;
  *out_free_bytes = (int64_t)info.f_bavail * (int64_t)info.f_frsize;
  return BL_OK;
}

static const struct bl_disk_ops real_ops = {
    .open = real_open,
    .close = real_close,
    .read = real_read,
    .read_cached = real_read_cached,
    .write = real_write,
    .write_parts = real_write_parts,
    .sync = real_sync,
    .start_writeback = real_start_writeback,
    .allocate = real_allocate,
    .next_data = real_next_data,
    .truncate = real_truncate,
    .size = real_size,
    .stat = real_stat,
    .rename = real_rename,
    .remove = real_remove,
    .make_dir = real_make_dir,
    .sync_dir = real_sync_dir,
    .list = real_list,
    .lock = real_lock,
    .space = real_space,
};

struct bl_disk *bl_disk_real(void) {
  static struct bl_disk disk = {&real_ops};
  return &disk;
}
