/* Makes the disk fail on command, for tests/crash/test_disk_faults.py: loaded into the server with
 * LD_PRELOAD, it stands between the program and the C library. The rules are in a file that both
 * sides map (BOLIDE_FAULTS), an array of struct rule in the machine's byte order; the test switches
 * them on and off while the server runs. Only files whose path contains `part` are touched. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define RULES 8

enum { OP_WRITE = 1, OP_SYNC, OP_READ, OP_OPEN, OP_RENAME, OP_ALLOCATE, OP_CLOCK };

struct rule {
  int32_t op;       /* 0: off */
  int32_t error;    /* errno, or 0 */
  int32_t delay_ms; /* before it is done */
  int32_t brief;    /* reads and writes do a part, every third call says EINTR */
  int64_t from;     /* file offsets of reads and writes; to 0: all. OP_CLOCK: milliseconds ahead */
  int64_t to;
  int32_t hits; /* counted by the shim */
  int32_t pad;
  char part[64];
};

static volatile struct rule *rules;

__attribute__((constructor)) static void map_rules(void) {
  const char *path = getenv("BOLIDE_FAULTS");
  int file = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *memory =
      mmap(NULL, RULES * sizeof(struct rule), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory != MAP_FAILED) rules = memory;
}

static int path_has(int file, const char *path, const char *part) {
  char link[64];
  char target[4096];
  if (path != NULL) return strstr(path, part) != NULL;
  snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
  ssize_t len = readlink(link, target, sizeof(target) - 1);
  if (len < 0) return 0;
  target[len] = 0;
  return strstr(target, part) != NULL;
}

/* RETURNS -1 with errno when the call fails; 1 when it is to be cut short; 0: as it is. */
static int meet(int op, int file, const char *path, int64_t at, int64_t len) {
  int brief = 0;
  for (int i = 0; rules != NULL && i < RULES; i++) {
    volatile struct rule *rule = &rules[i];
    if (rule->op != op) continue;
    if (rule->to > 0 && (at >= rule->to || at + len <= rule->from)) continue;
    if (!path_has(file, path, (const char *)rule->part)) continue;
    int hit = __atomic_add_fetch(&rule->hits, 1, __ATOMIC_RELAXED);
    if (rule->delay_ms > 0) usleep((useconds_t)rule->delay_ms * 1000);
    if (rule->error != 0) {
      errno = rule->error;
      return -1;
    }
    if (rule->brief && hit % 3 == 0) {
      errno = EINTR;
      return -1;
    }
    brief |= rule->brief;
  }
  return brief;
}

static size_t part_of(size_t len) {
  static uint32_t state = 1;
  uint32_t now = __atomic_add_fetch(&state, 2654435761u, __ATOMIC_RELAXED);
  return len > 1 ? 1 + (now >> 8) % len : len;
}

#define REAL(name)                                                                                 \
  static __typeof__(&name) real;                                                                   \
  if (real == NULL) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t pread(int file, void *to, size_t len, off_t at) {
  REAL(pread);
  int met = meet(OP_READ, file, NULL, at, (int64_t)len);
  if (met < 0) return -1;
  return real(file, to, met > 0 ? part_of(len) : len, at);
}

ssize_t preadv2(int file, const struct iovec *parts, int count, off_t at, int flags) {
  REAL(preadv2);
  int met = meet(OP_READ, file, NULL, at, (int64_t)parts[0].iov_len);
  if (met < 0) return -1;
  if (met == 0) return real(file, parts, count, at, flags);
  struct iovec one = {parts[0].iov_base, part_of(parts[0].iov_len)};
  return real(file, &one, 1, at, flags);
}

ssize_t pwrite(int file, const void *from, size_t len, off_t at) {
  REAL(pwrite);
  int met = meet(OP_WRITE, file, NULL, at, (int64_t)len);
  if (met < 0) return -1;
  return real(file, from, met > 0 ? part_of(len) : len, at);
}

/* One with RWF_DSYNC is a sync as well. A direct write is cut at whole blocks. */
ssize_t pwritev2(int file, const struct iovec *parts, int count, off_t at, int flags) {
  REAL(pwritev2);
  int met = meet(OP_WRITE, file, NULL, at, (int64_t)parts[0].iov_len);
  if (met >= 0 && (flags & RWF_DSYNC) != 0 && meet(OP_SYNC, file, NULL, at, 1) < 0) met = -1;
  if (met < 0) return -1;
  if (met == 0) return real(file, parts, count, at, flags);
  size_t blocks = parts[0].iov_len / 4096;
  size_t len = blocks > 1 ? part_of(blocks) * 4096 : parts[0].iov_len;
  struct iovec one = {parts[0].iov_base, len};
  return real(file, &one, 1, at, flags);
}

int fdatasync(int file) {
  REAL(fdatasync);
  return meet(OP_SYNC, file, NULL, 0, 0) < 0 ? -1 : real(file);
}

int fsync(int file) {
  REAL(fsync);
  return meet(OP_SYNC, file, NULL, 0, 0) < 0 ? -1 : real(file);
}

int fallocate(int file, int mode, off_t at, off_t len) {
  REAL(fallocate);
  return meet(OP_ALLOCATE, file, NULL, at, len) < 0 ? -1 : real(file, mode, at, len);
}

int rename(const char *from, const char *to) {
  REAL(rename);
  return meet(OP_RENAME, -1, to, 0, 0) < 0 ? -1 : real(from, to);
}

int open(const char *path, int flags, ...) {
  REAL(open);
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list args;
    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);
    if (meet(OP_OPEN, -1, path, 0, 0) < 0) return -1;
  }
  return real(path, flags, mode);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  REAL(clock_gettime);
  int result = real(clock, now);
  if (result != 0 || rules == NULL) return result;
  if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) return result;
  for (int i = 0; i < RULES; i++) {
    if (rules[i].op != OP_CLOCK) continue;
    now->tv_sec += rules[i].from / 1000;
  }
  return result;
}
