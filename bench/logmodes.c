/* Measures how the log is written, with nothing else around it: the disk's calls alone, an append,
 * and the store with waiting clients in each mode. Writes Markdown tables to standard output.
 *
 *   logmodes DIR calls|append|clients|streams [SECONDS [ROUNDS]]
 *
 * DIR is on the disk to be measured; a folder is made in it and removed. Each case runs SECONDS
 * (1), in each of ROUNDS (1) in turn with the others; printed is its best round, by messages,
 * because what else runs on a machine only ever slows one down. CPU is that of the whole process,
 * all threads, without what stands for the network. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "os/clock.h"
#include "store/store.h"

#define CLIENTS_MAX 8192
#define SAMPLES_MAX 2000000
#define SEGMENT_BYTES ((int64_t)1 << 30)
/* What one request costs the core besides the store, and how long an answered client is away. */
#define REQUEST_NS 4000
#define AWAY_NS 60000

static double seconds = 1;
static int rounds = 1;
static int64_t samples[SAMPLES_MAX];
static int sample_count;

static int64_t now_ns(void) {
  return bl_clock_mono_ns(bl_clock_real());
}

static double cpu_us(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void die(const char *what) {
  fprintf(stderr, "logmodes: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int by_size(const void *a, const void *b) {
  const int64_t *x = a;
  const int64_t *y = b;
  return *x < *y ? -1 : *x > *y;
}

static double sample_us(double share) {
  if (sample_count == 0) return 0;
  return (double)samples[(int)((double)(sample_count - 1) * share)] / 1000;
}

static void note_sample(int64_t ns) {
  if (sample_count < SAMPLES_MAX) samples[sample_count++] = ns;
}

static void sort_samples(void) {
  if (sample_count > 1) qsort(samples, (size_t)sample_count, sizeof(samples[0]), by_size);
}

static void remove_tree(const char *path) {
  struct bl_disk *disk = bl_disk_real();
  struct bl_arena arena;
  bl_arena_init(&arena);
  const char *const *names;
  size_t count = 0;
  if (disk->ops->list(disk, path, &arena, &names, &count) == BL_OK) {
    for (size_t i = 0; i < count; i++)
      remove_tree(bl_arena_printf(&arena, "%s/%s", path, names[i]).ptr);
  }
  (void)disk->ops->remove(disk, path);
  bl_arena_fini(&arena);
}

/* ---- the disk's calls ---- */

enum fill { FILL_ALLOCATED, FILL_ZEROS };

static void make_file(const char *path, enum fill fill, int64_t bytes) {
  struct bl_disk *disk = bl_disk_real();
  int file = -1;
  unsigned flags = BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE | BL_OPEN_TRUNCATE;
  if (disk->ops->open(disk, path, flags, &file, NULL) != BL_OK) die(path);
  if (disk->ops->allocate(disk, file, bytes) != BL_OK) die("allocate");
  char *zeros = calloc(1, 1 << 20);
  for (int64_t at = 0; fill == FILL_ZEROS && at < bytes; at += 1 << 20) {
    if (disk->ops->write(disk, file, zeros, 1 << 20, at) != BL_OK) die("write");
  }
  free(zeros);
  if (disk->ops->sync(disk, file) != BL_OK) die("sync");
  disk->ops->close(disk, file);
}

struct call {
  const char *name;
  bool direct;
  bool durable;
  bool sync;
};

struct call_result {
  double per_s;
  double p50_us;
  double p99_us;
  double cpu_us;
  double mb_per_s;
};

static struct call_result measure_call(const char *path, enum fill fill, const struct call *call,
                                       size_t bytes, const char *memory) {
  struct bl_disk *disk = bl_disk_real();
  int64_t size = (int64_t)256 << 20;
  make_file(path, fill, size);
  int file = -1;
  unsigned flags = BL_OPEN_WRITE | (call->direct ? BL_OPEN_DIRECT : 0u);
  if (disk->ops->open(disk, path, flags, &file, NULL) != BL_OK) die("open");
  sample_count = 0;
  int64_t offset = 0;
  double cpu_before = cpu_us();
  int64_t start = now_ns();
  while ((double)(now_ns() - start) < seconds * 1e9 &&
         offset + (int64_t)bytes + BL_DISK_DIRECT_BYTES <= size) {
    int64_t before = now_ns();
    int64_t from = offset;
    int64_t to = offset + (int64_t)bytes;
    if (call->direct) {
      from -= from % BL_DISK_DIRECT_BYTES;
      to = (to + BL_DISK_DIRECT_BYTES - 1) / BL_DISK_DIRECT_BYTES * BL_DISK_DIRECT_BYTES;
    }
    struct bl_slice part = bl_slice_of(memory, (size_t)(to - from));
    if (disk->ops->write_parts(disk, file, &part, 1, from, call->durable) != BL_OK) die("write");
    if (call->sync && disk->ops->sync(disk, file) != BL_OK) die("sync");
    note_sample(now_ns() - before);
    offset += (int64_t)bytes;
  }
  double took_s = (double)(now_ns() - start) / 1e9;
  double cpu = (cpu_us() - cpu_before) / sample_count;
  sort_samples();
  disk->ops->close(disk, file);
  return (struct call_result){sample_count / took_s, sample_us(0.5), sample_us(0.99), cpu,
                              (double)offset / took_s / 1e6};
}

static void measure_calls(const char *dir) {
  static const struct call calls[] = {{"pwrite, fdatasync", false, false, true},
                                      {"direct, fdatasync", true, false, true},
                                      {"direct, RWF_DSYNC", true, true, false},
                                      {"direct", true, false, false}};
  static const size_t sizes[] = {1024, 4096, 16384, 65536, 262144, 1048576};
  char path[600];
  snprintf(path, sizeof(path), "%s/calls", dir);
  char *memory = aligned_alloc(4096, 2 << 20);
  memset(memory, 7, 2 << 20);
  printf("| file | calls | bytes | /s | p50 µs | p99 µs | CPU µs | MB/s |\n");
  printf("|---|---|---:|---:|---:|---:|---:|---:|\n");
  for (int fill = 0; fill < 2; fill++) {
    for (size_t c = 0; c < sizeof(calls) / sizeof(calls[0]); c++) {
      for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        struct call_result best = {0};
        for (int round = 0; round < rounds; round++) {
          struct call_result r = measure_call(path, (enum fill)fill, &calls[c], sizes[s], memory);
          if (r.per_s > best.per_s) best = r;
        }
        printf("| %s | %s | %zu | %.0f | %.0f | %.0f | %.0f | %.0f |\n",
               fill == FILL_ZEROS ? "zeros" : "allocated", calls[c].name, sizes[s], best.per_s,
               best.p50_us, best.p99_us, best.cpu_us, best.mb_per_s);
        fflush(stdout);
      }
    }
  }
  free(memory);
}

/* ---- the store ---- */

struct client {
  struct bl_store_waiter waiter;
  int64_t sent_ns;
  int64_t back_ns; /* may send again; INT64_MAX: waits for an answer */
};

struct run {
  struct bl_store_settings settings;
  struct bl_timers timers;
  struct bl_worker *flush;
  struct bl_worker *pool;
  struct bl_store *store;
  int wake_file;
  int clients;
  int64_t request_ns;
  int64_t away_ns;
  int64_t acked;
  int64_t burnt_ns;
  struct client client[CLIENTS_MAX];
};

static struct run run;
static char body_bytes[4096];

static void wake(void *context) {
  const struct run *self = context;
  uint64_t one = 1;
  ssize_t n = write(self->wake_file, &one, sizeof(one));
  (void)n;
}

static void open_run(const char *dir, enum bl_write_mode write_mode, enum bl_flush_mode flush_mode,
                     int64_t zero_ahead_bytes, bool with_crc) {
  remove_tree(dir);
  memset(&run, 0, sizeof(run));
  run.wake_file = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  bl_timers_init(&run.timers);
  run.flush = bl_worker_new("flush", 1, false, wake, &run);
  run.pool = bl_worker_new("pool", 2, false, wake, &run);
  run.settings = (struct bl_store_settings){.dir = dir,
                                            .segment_bytes = SEGMENT_BYTES,
                                            .ring_bytes = 64 << 20,
                                            .flush_mode = flush_mode,
                                            .write_mode = write_mode,
                                            .zero_ahead_bytes = zero_ahead_bytes,
                                            .flush_interval_ms = 500,
                                            .flush_bytes = 256 << 20,
                                            .snapshot_interval_ms = 3600000,
                                            .snapshot_bytes = INT64_MAX,
                                            .append_crc = with_crc};
  struct bl_why why = {""};
  static struct bl_follower *none[1];
  bl_err err = bl_store_open(&run.settings, bl_disk_real(), bl_clock_real(), &run.timers, run.flush,
                             run.pool, none, 0, &run.store, &why);
  if (err != BL_OK) die(why.text);
}

static void close_run(const char *dir) {
  bl_store_close(run.store);
  bl_worker_free(run.flush);
  bl_worker_free(run.pool);
  bl_timers_fini(&run.timers);
  close(run.wake_file);
  remove_tree(dir);
}

static void on_ack(struct bl_store_waiter *waiter, bl_err err) {
  struct client *client = (struct client *)(void *)waiter;
  if (err != BL_OK) die("the store refused");
  int64_t at_ns = now_ns();
  note_sample(at_ns - client->sent_ns);
  client->back_ns = at_ns + run.away_ns;
  run.acked++;
}

static struct bl_record make_record(uint32_t body) {
  return (struct bl_record){
      .queue_id = 3,
      .queue_offset = run.acked,
      .born_ms = 5,
      .born_host = {{127, 0, 0, 1}, 4, 1000},
      .store_host = {{127, 0, 0, 1}, 4, 10911},
      .topic = BL_SLICE("BenchmarkTest"),
      .body = bl_slice_of(body_bytes, body),
      .properties = BL_SLICE("UNIQ_KEY\001AC1100020A6E18B4AAC2718AC4C60000\002WAIT\001true\002"
                             "TAGS\001TagA\002CLUSTER\001DefaultCluster\002"),
  };
}

static void burn(int64_t until_ns) {
  while (now_ns() < until_ns) continue;
}

/* false: the store has no room now. */
static bool send_one(struct client *client, uint32_t body, int64_t at_ns) {
  struct bl_record record = make_record(body);
  bl_err err = bl_store_append(run.store, &record);
  if (err == BL_ERR_BUSY) return false;
  if (err != BL_OK) die("append");
  client->sent_ns = at_ns;
  client->back_ns = INT64_MAX;
  client->waiter = (struct bl_store_waiter){.done = on_ack};
  bl_store_wait(run.store, &client->waiter, record.log_offset + record.size_bytes);
  if (run.request_ns > 0) {
    burn(at_ns + run.request_ns);
    run.burnt_ns += run.request_ns;
  }
  return true;
}

/* A turn takes the clients that were there when it began. RETURNS false when the store is full. */
static bool send_turn(uint32_t body) {
  int64_t turn_ns = now_ns();
  int64_t at_ns = turn_ns;
  for (int i = 0; i < run.clients; i++) {
    struct client *client = &run.client[i];
    if (client->back_ns > turn_ns) continue;
    if (run.request_ns > 0) at_ns = now_ns();
    if (!send_one(client, body, at_ns)) return false;
  }
  return true;
}

static int64_t next_back_ns(void) {
  int64_t next_ns = INT64_MAX;
  for (int i = 0; i < run.clients; i++) {
    if (run.client[i].back_ns < next_ns) next_ns = run.client[i].back_ns;
  }
  return next_ns;
}

static void sleep_until(int64_t until_ns) {
  struct pollfd poll_file = {run.wake_file, POLLIN, 0};
  uint64_t count;
  int64_t left_ns = until_ns - now_ns();
  struct timespec wait = {1, 0};
  if (left_ns <= 0) left_ns = 0;
  if (left_ns < 1000000000) wait = (struct timespec){0, (long)left_ns};
  if (ppoll(&poll_file, 1, &wait, NULL) > 0) {
    ssize_t n = read(run.wake_file, &count, sizeof(count));
    (void)n;
  }
}

static void drive(uint32_t body, double for_s) {
  int64_t end_ns = now_ns() + (int64_t)(for_s * 1e9);
  while (now_ns() < end_ns) {
    bool has_room = send_turn(body);
    bool more = bl_store_end_turn(run.store);
    size_t did = bl_worker_drain(run.flush) + bl_worker_drain(run.pool);
    bl_timers_run(&run.timers, bl_clock_mono_ms(bl_clock_real()), 10);
    if (did > 0) more = bl_store_end_turn(run.store) || more;
    int64_t next_ns = has_room ? next_back_ns() : now_ns() + 1000000;
    if (!more && next_ns > now_ns()) sleep_until(next_ns);
  }
}

struct way {
  const char *name;
  enum bl_write_mode write_mode;
  enum bl_flush_mode flush_mode;
  int64_t zero_ahead_bytes;
};
static const struct way ways[] = {
    {"SYNC, buffered", BL_WRITE_BUFFERED, BL_FLUSH_SYNC, 0},
    {"SYNC, direct, no zeros ahead", BL_WRITE_DIRECT, BL_FLUSH_SYNC, 0},
    {"SYNC, direct", BL_WRITE_DIRECT, BL_FLUSH_SYNC, 4 << 20},
    {"ASYNC, buffered", BL_WRITE_BUFFERED, BL_FLUSH_ASYNC, 0},
    {"ASYNC, direct", BL_WRITE_DIRECT, BL_FLUSH_ASYNC, 0},
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

struct result {
  double messages_per_s;
  double syncs_per_s;
  double messages_per_sync;
  double us_per_sync;
  double cpu_us;
  double p50_us;
  double p99_us;
  double p999_us;
};

static struct result measure_store(const char *dir, const struct way *way, int clients,
                                   uint32_t body, bool stream) {
  open_run(dir, way->write_mode, way->flush_mode, way->zero_ahead_bytes, true);
  run.clients = clients;
  run.request_ns = stream ? 0 : REQUEST_NS;
  run.away_ns = stream ? 0 : AWAY_NS;
  drive(body, seconds / 3);
  struct bl_store_stats before;
  struct bl_store_stats after;
  bl_store_stats(run.store, &before);
  run.acked = 0;
  run.burnt_ns = 0;
  sample_count = 0;
  double cpu_before = cpu_us();
  int64_t start_ns = now_ns();
  drive(body, seconds);
  double took_s = (double)(now_ns() - start_ns) / 1e9;
  double cpu = cpu_us() - cpu_before - (double)run.burnt_ns / 1000;
  bl_store_stats(run.store, &after);
  double syncs = (double)(after.syncs - before.syncs);
  sort_samples();
  struct result result = {.messages_per_s = (double)run.acked / took_s,
                          .syncs_per_s = syncs / took_s};
  if (syncs > 0) result.messages_per_sync = (double)run.acked / syncs;
  if (syncs > 0) result.us_per_sync = (double)(after.sync_us_total - before.sync_us_total) / syncs;
  if (run.acked > 0) result.cpu_us = cpu / (double)run.acked;
  result.p50_us = sample_us(0.5);
  result.p99_us = sample_us(0.99);
  result.p999_us = sample_us(0.999);
  close_run(dir);
  return result;
}

static void measure_ways(const char *dir, int clients, uint32_t body, bool stream) {
  struct result best[WAYS] = {{0}};
  for (int round = 0; round < rounds; round++) {
    for (size_t way = 0; way < WAYS; way++) {
      struct result result = measure_store(dir, &ways[way], clients, body, stream);
      if (result.messages_per_s > best[way].messages_per_s) best[way] = result;
    }
  }
  for (size_t way = 0; way < WAYS; way++) {
    const struct result *r = &best[way];
    printf("| %s | %d | %u | %.0f | %.0f | %.1f | %.0f | %.2f | %.0f | %.0f | %.0f |\n",
           ways[way].name, clients, body, r->messages_per_s, r->syncs_per_s, r->messages_per_sync,
           r->us_per_sync, r->cpu_us, r->p50_us, r->p99_us, r->p999_us);
  }
  fflush(stdout);
}

static void head(void) {
  printf(
      "| way | clients | body | messages/s | syncs/s | messages/sync | µs/sync | CPU "
      "µs/message | p50 µs | p99 µs | p99.9 µs |\n");
  printf("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
}

static void measure_clients(const char *dir) {
  static const int clients[] = {1, 16, 64, 256};
  head();
  for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++)
    measure_ways(dir, clients[i], 1024, false);
}

static void measure_streams(const char *dir) {
  static const uint32_t bodies[] = {128, 1024};
  head();
  for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
    measure_ways(dir, 4096, bodies[i], true);
}

/* ---- one append ---- */

static void measure_append(const char *dir) {
  static const uint32_t bodies[] = {128, 1024};
  printf("| body | record | property CRC | ns/append |\n|---:|---:|---|---:|\n");
  for (size_t i = 0; i < 2; i++) {
    for (int crc = 0; crc < 2; crc++) {
      open_run(dir, BL_WRITE_BUFFERED, BL_FLUSH_ASYNC, 0, crc == 1);
      int64_t best_ns = INT64_MAX;
      uint32_t record_bytes = 0;
      for (int round = 0; round < 600; round++) { /* the ring goes round some times */
        int64_t before = now_ns();
        for (int k = 0; k < 1000; k++) {
          struct bl_record record = make_record(bodies[i]);
          if (bl_store_append(run.store, &record) != BL_OK) die("append");
          record_bytes = record.size_bytes;
        }
        int64_t took = (now_ns() - before) / 1000;
        if (took < best_ns) best_ns = took;
        bl_store_end_turn(run.store);
        bl_worker_finish(run.flush);
        bl_worker_finish(run.pool);
      }
      printf("| %u | %u | %s | %d |\n", bodies[i], record_bytes, crc == 1 ? "yes" : "no",
             (int)best_ns);
      close_run(dir);
    }
  }
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: logmodes DIR calls|append|clients|streams [SECONDS [ROUNDS]]\n");
    return 2;
  }
  if (argc > 3) seconds = strtod(argv[3], NULL);
  if (argc > 4) rounds = (int)strtol(argv[4], NULL, 10);
  char dir[500];
  snprintf(dir, sizeof(dir), "%s/logmodes-XXXXXX", argv[1]);
  if (mkdtemp(dir) == NULL) die(argv[1]);
  char store[550];
  snprintf(store, sizeof(store), "%s/store", dir);
  memset(body_bytes, 'x', sizeof(body_bytes));
  if (strcmp(argv[2], "calls") == 0) measure_calls(dir);
  if (strcmp(argv[2], "append") == 0) measure_append(store);
  if (strcmp(argv[2], "clients") == 0) measure_clients(store);
  if (strcmp(argv[2], "streams") == 0) measure_streams(store);
  remove_tree(dir);
  return 0;
}
