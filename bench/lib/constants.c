/* The machine's own constants, one "name value" a line: what no broker here can beat. Run with a
 * file on the disk that holds the stores; it is made, written (256 MiB) and left for the caller to
 * remove. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
  SYNCS = 200,
  TRIPS = 4000,
  BLOCK_BYTES = 1 << 20,
  LARGE_BYTES = 64 << 20,
  FILE_BLOCKS = 256
};

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void fail(const char *what) {
  fprintf(stderr, "constants: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void memory(void) {
  static const size_t sizes[] = {128, 1024, LARGE_BYTES};
  static const char *const names[] = {"memcpy_128_ns", "memcpy_1k_ns", "memcpy_64m_gbps"};
  char *from = malloc(LARGE_BYTES), *to = malloc(LARGE_BYTES);
  if (!from || !to) fail("malloc");
  memset(from, 1, LARGE_BYTES);
  memset(to, 1, LARGE_BYTES);
  for (int i = 0; i < 3; i++) {
    long rounds = i == 2 ? 20 : 10000000;
    double begin = now_s();
    for (long n = 0; n < rounds; n++) {
      memcpy(to, from, sizes[i]);
      __asm__ volatile("" : : "r"(to), "r"(from) : "memory");
    }
    double took = now_s() - begin;
    printf("%s %.2f\n", names[i],
           i == 2 ? (double)sizes[i] * (double)rounds / took / 1e9 : took / (double)rounds * 1e9);
  }
  free(from);
  free(to);
}

static void system_call(void) {
  enum { CALLS = 1000000 };
  double begin = now_s();
  for (int i = 0; i < CALLS; i++) syscall(SYS_getppid);
  printf("syscall_ns %.0f\n", (now_s() - begin) / CALLS * 1e9);
}

static int pair[2];

static void *echo_bytes(void *arg) {
  char byte;
  (void)arg;
  while (read(pair[1], &byte, 1) == 1) {
    if (write(pair[1], &byte, 1) != 1) break;
  }
  return NULL;
}

static void on_core(pthread_t thread, int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  (void)pthread_setaffinity_np(thread, sizeof set, &set); /* one core only: then both stay there */
}

/* One byte there and back between two threads that sleep: the price of waking the other. */
static void hand_over(int other_core, const char *name) {
  pthread_t thread;
  char byte = 1;
  double *took = calloc(TRIPS, sizeof *took);
  if (!took || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) fail("socketpair");
  if (pthread_create(&thread, NULL, echo_bytes, NULL) != 0) fail("pthread_create");
  on_core(pthread_self(), 0);
  on_core(thread, other_core);
  for (int i = 0; i < TRIPS; i++) {
    double begin = now_s();
    if (write(pair[0], &byte, 1) != 1 || read(pair[0], &byte, 1) != 1) fail(name);
    took[i] = (now_s() - begin) * 1e6;
  }
  close(pair[0]);
  pthread_join(thread, NULL);
  close(pair[1]);
  qsort(took, TRIPS, sizeof *took, by_value);
  printf("%s %.1f\n", name, took[TRIPS / 2]);
  free(took);
}

static void *block(void) {
  void *bytes = NULL;
  if (posix_memalign(&bytes, 4096, BLOCK_BYTES) != 0) fail("posix_memalign");
  memset(bytes, 7, BLOCK_BYTES);
  return bytes;
}

/* A small write and the sync behind it, over space that is there: what a commit costs. */
static void syncs(const char *path, int flags, const char *name) {
  double took[SYNCS];
  void *bytes = block();
  int file = open(path, O_RDWR | flags);
  if (file < 0) fail(path);
  for (int i = 0; i < SYNCS; i++) {
    double begin = now_s();
    if (pwrite(file, bytes, 4096, (off_t)i * 4096) != 4096) fail("pwrite");
    if (!(flags & O_DSYNC) && fdatasync(file) != 0) fail("fdatasync");
    took[i] = (now_s() - begin) * 1e6;
  }
  close(file);
  free(bytes);
  qsort(took, SYNCS, sizeof *took, by_value);
  printf("%s_p50_us %.0f\n%s_p99_us %.0f\n", name, took[SYNCS / 2], name, took[SYNCS * 99 / 100]);
}

static void stream(const char *path, int flags, int reading, const char *name) {
  void *bytes = block();
  int file = open(path, O_RDWR | O_CREAT | flags, 0644);
  if (file < 0) fail(path);
  double begin = now_s();
  for (int i = 0; i < FILE_BLOCKS; i++) {
    off_t at = (off_t)i * BLOCK_BYTES;
    ssize_t done =
        reading ? pread(file, bytes, BLOCK_BYTES, at) : pwrite(file, bytes, BLOCK_BYTES, at);
    if (done != BLOCK_BYTES) fail(name);
  }
  if (!reading && fdatasync(file) != 0) fail("fdatasync");
  printf("%s %.0f\n", name, (double)FILE_BLOCKS * BLOCK_BYTES / (now_s() - begin) / 1e6);
  close(file);
  free(bytes);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: constants FILE\n");
    return 2;
  }
  memory();
  system_call();
  hand_over(0, "handover_same_core_us");
  hand_over(1, "handover_other_core_us");
  stream(argv[1], 0, 0, "write_buffered_mbps");
  stream(argv[1], O_DIRECT, 0, "write_direct_mbps");
  stream(argv[1], O_DIRECT, 1, "read_direct_mbps");
  syncs(argv[1], 0, "fdatasync");
  syncs(argv[1], O_DIRECT | O_DSYNC, "direct_dsync");
  return 0;
}
