/* Damage to files, one at a time, on a fake disk: torn tails at every byte, flipped bits in every
 * kind of file, files of the tables and of the indexes that are empty, cut, or gone. Rows are those
 * of the table of faults in docs/testing.md. SEED=n repeats a run.
 * time limit: 280 s */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "world_testlib.h"

#define PATHS_MAX 64
#define NOTES_BYTES 65536

static uint64_t seed_of_run;
static int case_number;
static int notes_file = -1; /* what the broker says on standard error */

static int report(const char *name, const char *trouble) {
  printf("%sok %d - %s\n", trouble[0] != 0 ? "not " : "", ++case_number, name);
  if (trouble[0] != 0) printf("# SEED=%llu: %s\n", (unsigned long long)seed_of_run, trouble);
  fflush(stdout);
  return trouble[0] != 0;
}

static void forget_notes(void) {
  if (ftruncate(notes_file, 0) != 0 || lseek(notes_file, 0, SEEK_SET) != 0) abort();
}

static bool notes_say(const char *word) {
  static char text[NOTES_BYTES];
  ssize_t len = pread(notes_file, text, sizeof(text) - 1, 0);
  text[len > 0 ? len : 0] = 0;
  return strstr(text, word) != NULL;
}

/* ---- files ---- */

struct paths {
  char items[PATHS_MAX][300];
  int count;
};

static void list_below(struct bl_disk *disk, const char *folder, struct paths *paths) {
  struct bl_arena arena;
  bl_arena_init(&arena);
  const char *const *names = NULL;
  size_t count = 0;
  bl_err err = disk->ops->list(disk, folder, &arena, &names, &count);
  for (size_t i = 0; err == BL_OK && i < count; i++) {
    char path[300];
    struct bl_disk_stat info;
    snprintf(path, sizeof(path), "%.200s/%.90s", folder, names[i]);
    if (disk->ops->stat(disk, path, &info) != BL_OK) continue;
    if (info.is_dir) {
      list_below(disk, path, paths);
    } else if (paths->count < PATHS_MAX) {
      memcpy(paths->items[paths->count++], path, sizeof(path));
    }
  }
  bl_arena_fini(&arena);
}

static int64_t size_of(struct bl_disk *disk, const char *path) {
  struct bl_disk_stat info;
  return disk->ops->stat(disk, path, &info) == BL_OK ? info.size_bytes : -1;
}

static void overwrite(struct bl_disk *disk, const char *path, int64_t at, const char *bytes,
                      size_t len) {
  int file = -1;
  bl_err err = disk->ops->open(disk, path, BL_OPEN_READ | BL_OPEN_WRITE, &file, NULL);
  if (err == BL_OK) err = disk->ops->write(disk, file, bytes, len, at);
  if (err == BL_OK) err = disk->ops->sync(disk, file);
  BL_ASSERT(err == BL_OK);
  disk->ops->close(disk, file);
}

static void cut(struct bl_disk *disk, const char *path, int64_t bytes) {
  int file = -1;
  bl_err err = disk->ops->open(disk, path, BL_OPEN_READ | BL_OPEN_WRITE, &file, NULL);
  if (err == BL_OK) err = disk->ops->truncate(disk, file, bytes);
  if (err == BL_OK) err = disk->ops->sync(disk, file);
  BL_ASSERT(err == BL_OK);
  disk->ops->close(disk, file);
}

static void flip(struct bl_disk *disk, const char *path, int64_t at, int bit) {
  int file = -1;
  char byte = 0;
  size_t got = 0;
  bl_err err = disk->ops->open(disk, path, BL_OPEN_READ | BL_OPEN_WRITE, &file, NULL);
  if (err == BL_OK) err = disk->ops->read(disk, file, &byte, 1, at, &got);
  byte = (char)(byte ^ (1 << bit));
  if (err == BL_OK) err = disk->ops->write(disk, file, &byte, 1, at);
  if (err == BL_OK) err = disk->ops->sync(disk, file);
  BL_ASSERT(err == BL_OK && got == 1);
  disk->ops->close(disk, file);
}

static void remove_below(struct bl_disk *disk, const char *folder) {
  struct paths paths = {.count = 0};
  list_below(disk, folder, &paths);
  for (int i = 0; i < paths.count; i++) (void)!disk->ops->remove(disk, paths.items[i]);
}

/* ---- a store with some of everything ---- */

static void make_base(struct world *world, bool clean) {
  static const struct world_settings wishes = {BL_FLUSH_SYNC, false, 0};
  world_init(world, &wishes, seed_of_run);
  if (!world_open(world)) return;
  for (int i = 0; i < 3; i++) {
    (void)!world_put_topic(world, i);
    (void)!world_put_group(world, i);
    for (int q = 0; q < 12; q++) (void)!world_send(world, i, i, 300);
  }
  (void)bl_broker_group(world->broker, BL_SLICE("TOOLS_CONSUMER"));
  world_settle(world);
  world_pass(world, 6000); /* snapshots, and generations before them */
  for (int i = 0; i < 40; i++) world_step(world);
  world_settle(world);
  world_pass(world, 6000);
  if (clean) {
    world_close(world);
  } else {
    for (int i = 0; i < 10; i++) world_step(world);
    world_settle(world);
    world_kill(world);
  }
}

/* ---- pulls, as consumers do them ---- */

static const struct world_message *message_at(const struct world *world,
                                              const struct bl_record *record) {
  for (int i = 0; i < world->message_count; i++) {
    if (world->messages[i].log_offset == record->log_offset) return &world->messages[i];
  }
  return NULL;
}

static void check_pulled(struct world *world, struct bl_slice bytes, bool *seen) {
  while (bytes.len > 0) {
    struct bl_record record;
    static char body[50000];
    bl_err err = bl_record_decode(bytes, BL_RECORD_UNCHECKED, &record);
    const struct world_message *message = err == BL_OK ? message_at(world, &record) : NULL;
    if (message == NULL) {
      world_complain(world, "a pull gives what is no record of ours: %s", bl_err_name(err));
      return;
    }
    world_body(message, body);
    char key[40];
    snprintf(key, sizeof(key), "KEYS\001k%016llx\002TAGS\001A\002",
             (unsigned long long)message->id);
    if (record.body.len != message->body_bytes ||
        memcmp(record.body.ptr, body, message->body_bytes) != 0 ||
        record.queue_offset != message->queue_offset || record.queue_id != message->queue ||
        !bl_slice_starts(record.properties, bl_slice_text(key)))
      world_complain(world, "a pull gives a damaged record, log offset %lld",
                     (long long)message->log_offset);
    seen[message - world->messages] = true;
    bytes = bl_slice_from(bytes, record.size_bytes);
  }
}

static void pull_queue(struct world *world, int topic, int queue, bool *seen) {
  char name[24];
  world_topic_name(topic, name);
  struct bl_pull pull = {.group = BL_SLICE("TOOLS_CONSUMER"),
                         .topic = bl_slice_text(name),
                         .queue_id = queue,
                         .max_count = 32,
                         .sys_flag = BL_PULL_SUBSCRIPTION,
                         .subscription = BL_SLICE("*"),
                         .expression_type = BL_SLICE("TAG"),
                         .peer = "test"};
  struct bl_arena arena;
  bl_arena_init(&arena);
  for (int tries = 0; tries < 500; tries++) {
    struct bl_pulled pulled;
    struct bl_cold_place cold;
    struct bl_why why = {""};
    bl_arena_reset(&arena);
    bl_err err = bl_broker_pull(world->broker, &pull, true, &arena, &pulled, &cold, &why);
    if (err != BL_OK) {
      world_complain(world, "a pull fails: %s", bl_err_name(err));
      break;
    }
    for (uint32_t i = 0; i < pulled.body_count; i++) check_pulled(world, pulled.bodies[i], seen);
    if (!pulled.counted || pulled.next_offset <= pull.offset) break;
    pull.offset = pulled.next_offset;
  }
  bl_arena_fini(&arena);
}

/* FILLS which messages of the ledger consumers get. */
static void pull_all(struct world *world, bool *seen) {
  memset(seen, 0, (size_t)world->message_count * sizeof(*seen));
  for (int i = 0; i < WORLD_TOPICS * WORLD_QUEUES; i++) {
    if (world_has_topic(world, i / WORLD_QUEUES))
      pull_queue(world, i / WORLD_QUEUES, i % WORLD_QUEUES, seen);
  }
}

/* ---- row 4 ---- */

/* `last` is torn behind `kept` bytes; garbage or zeros follow. */
static void tear(struct world *base, const struct world_message *last, int64_t kept, char fill) {
  struct world world;
  char path[300];
  static char bytes[4096];
  int64_t size = last->end - last->log_offset;
  world_clone(&world, base);
  int64_t in_file = last->log_offset % world.settings.segment_bytes;
  snprintf(path, sizeof(path), WORLD_DIR "/commitlog/%020lld",
           (long long)(last->log_offset - in_file));
  memset(bytes, fill, sizeof(bytes));
  overwrite(bl_disk_fake_disk(world.fake), path, in_file + kept, bytes, (size_t)(size - kept));
  world.message_count--;
  world.flushed = last->log_offset;
  if (world_open(&world)) {
    if (world.end != last->log_offset)
      world_complain(&world, "the log ends at %lld, not %lld", (long long)world.end,
                     (long long)last->log_offset);
    world_check(&world);
    (void)!world_send(&world, last->topic, last->queue, 50);
    world_settle(&world);
    world_check(&world);
  }
  if (world.trouble[0] != 0)
    world_complain(base, "torn behind %lld of %lld bytes, then %d: %s", (long long)kept,
                   (long long)size, fill, world.trouble);
  world_fini(&world);
}

static int torn_tail(void) {
  static const struct world_settings wishes = {BL_FLUSH_SYNC, false, 0};
  struct world base;
  world_init(&base, &wishes, seed_of_run);
  if (world_open(&base)) {
    (void)!world_put_topic(&base, 0);
    for (int i = 0; i < 5; i++) (void)!world_send(&base, 0, i % WORLD_QUEUES, 400);
    world_settle(&base);
    world_pass(&base, 1500); /* the checkpoint is here */
    for (int i = 0; i < 2; i++) (void)!world_send(&base, 0, 0, 40);
    world_settle(&base);
    world_kill(&base);
    const struct world_message last = base.messages[base.message_count - 1];
    for (int64_t kept = 0; kept < last.end - last.log_offset && base.trouble[0] == 0; kept++) {
      tear(&base, &last, kept, 0);
      /* In the properties garbage instead of zeros is no power loss, but damage; the checksum that
       * would show it lies in them. */
      if (kept < 88 + 40 + 1 + 6 + 2) tear(&base, &last, kept, (char)0xa5);
    }
    printf(
        "# a record of %lld bytes, torn behind each, with zeros; without its properties also with "
        "garbage\n",
        (long long)(last.end - last.log_offset));
  }
  int failed = report("row 4: the last record torn at every byte", base.trouble);
  world_fini(&base);
  return failed;
}

/* ---- row 5 ---- */

static bool covers(const struct world_message *message, int64_t at) {
  return at >= message->log_offset && at < message->end;
}

/* What is damaged is given to nobody, and said; the others are there. */
static void check_log_flip(struct world *world, int64_t at) {
  bool *seen = calloc((size_t)world->message_count + 1, sizeof(bool));
  bool *whole = calloc((size_t)world->message_count + 1, sizeof(bool));
  pull_all(world, seen);
  for (int i = 0; i < world->message_count; i++) {
    const struct world_message *message = &world->messages[i];
    bool live = world_has_topic(world, message->topic);
    for (int c = 0; c < world->change_count; c++) {
      const struct world_change *change = &world->changes[c];
      if (!change->is_group && change->name == message->topic && change->queues == 0 &&
          change->at >= message->end)
        live = false;
    }
    if (!live) continue;
    if (covers(message, at) && !seen[i] && !notes_say("store.damage") &&
        !notes_say("store.shorter")) /* the last record */
      world_complain(world, "damage at %lld is not named", (long long)at);
    if (covers(message, at) && seen[i])
      world_complain(world, "the damaged record at %lld is served", (long long)message->log_offset);
    if (!covers(message, at) && !seen[i])
      world_complain(world, "the record at %lld is not damaged, and not served",
                     (long long)message->log_offset);
  }
  free(seen);
  free(whole);
}

struct kind {
  const char *part;
  const char *named; /* what the log of the program says */
  int flips;
  int done;
  int silent;  /* nothing said, nothing lost */
  int refused; /* the start is refused, with the file's name */
  int foreign; /* still good JSON: it counts as somebody else's word */
};

static struct kind kinds[] = {
    {"/commitlog/", "store.", 150, 0, 0, 0, 0},
    {"/bolide/queues", "queues.", 60, 0, 0, 0, 0},
    {"/bolide/index/", "queues.", 40, 0, 0, 0, 0},
    {"/bolide/keys.snapshot", "keys.snapshot", 40, 0, 0, 0, 0},
    {"/bolide/meta.covered.bak", "meta.covered", 15, 0, 0, 0, 0},
    {"/bolide/meta.covered", "meta.covered", 30, 0, 0, 0, 0},
    {"/bolide/log.checkpoint", "checkpoint", 30, 0, 0, 0, 0},
    {"/bolide/identity", "identity", 15, 0, 0, 0, 0},
    {".json.bak", "json", 15, 0, 0, 0, 0},
    {"/config/", "json", 40, 0, 0, 0, 0},
};

static bool is_foreign(const struct world *world) {
  struct bl_meta_stats stats;
  bl_meta_stats(world->broker->meta, &stats);
  return stats.foreign_tables > 0;
}

static void flip_one(struct world *base, struct kind *kind, const char *path) {
  struct world world;
  world_clone(&world, base);
  struct bl_disk *disk = bl_disk_fake_disk(world.fake);
  bool is_log = strcmp(kind->part, "/commitlog/") == 0;
  int64_t first = is_log ? strtoll(strrchr(path, '/') + 1, NULL, 10) : 0;
  int64_t size = size_of(disk, path);
  if (is_log && first + size > world.flushed) size = world.flushed - first;
  int64_t at = size > 0 ? (int64_t)(world_random(base) % (uint64_t)size) : 0;
  if (strstr(path, "log.checkpoint") != NULL) at = at % 2 * 4096 + at / 2 % 52; /* its slots */
  int bit = (int)(world_random(base) % 8);
  struct bl_why why = {""};
  if (size > 0) flip(disk, path, at, bit);
  forget_notes();
  bl_err err = world_try_open(&world, &why);
  kind->done++;
  if (err != BL_OK) {
    kind->refused++;
    const char *name = strrchr(path, '/') + 1;
    if (strstr(why.text, name) == NULL)
      world_complain(&world, "the start is refused and the file not named: %s", why.text);
  } else if (is_log) {
    check_log_flip(&world, first + at);
  } else if (is_foreign(&world)) {
    kind->foreign++;
    if (!notes_say("meta.file.foreign"))
      world_complain(&world, "it is taken for another program's file, and nothing is said");
  } else {
    world_check(&world);
    kind->silent += !notes_say(kind->named);
  }
  if (world.trouble[0] != 0)
    world_complain(base, "bit %d of byte %lld of %s: %s", bit, (long long)at, path, world.trouble);
  world_fini(&world);
}

static int flipped_bits(bool clean) {
  struct world base;
  struct paths paths = {.count = 0};
  make_base(&base, clean);
  list_below(bl_disk_fake_disk(base.fake), WORLD_DIR, &paths);
  for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
    struct kind *kind = &kinds[k];
    bool is_log = k == 0;
    kind->done = kind->silent = kind->refused = kind->foreign = 0;
    for (int i = 0; i < paths.count * kind->flips && kind->done < kind->flips; i++) {
      const char *path = paths.items[i % paths.count];
      bool mine = strstr(path, kind->part) != NULL;
      for (size_t other = 0; other < k; other++)
        mine = mine && strstr(path, kinds[other].part) == NULL;
      if (!mine || base.trouble[0] != 0) continue;
      if (is_log && !clean) continue; /* without the checkpoint it is a torn tail: row 4 */
      if (is_log && strtoll(strrchr(path, '/') + 1, NULL, 10) >= base.flushed) continue;
      flip_one(&base, kind, path);
    }
    printf(
        "# %s: %d flips: %d harmless and not said, %d refused the start, %d taken for another "
        "program's\n",
        kind->part, kind->done, kind->silent, kind->refused, kind->foreign);
  }
  int failed = report(clean ? "row 5: a flipped bit in every kind of file, after a clean stop"
                            : "row 5: a flipped bit in every kind of file, after kill -9",
                      base.trouble);
  world_fini(&base);
  return failed;
}

/* ---- rows 7 and 8 ---- */

static void open_and_check(struct world *base, struct world *world, const char *what) {
  if (world_open(world)) {
    world_check(world);
    for (int i = 0; i < WORLD_TOPICS; i++) {
      if (world_has_topic(world, i)) (void)!world_send(world, i, 0, 100);
    }
    world_settle(world);
    world_check(world);
    world_close(world);
    if (world_open(world)) world_check(world);
  }
  if (world->trouble[0] != 0) world_complain(base, "%s: %s", what, world->trouble);
  world_fini(world);
}

enum { CUT_ALL, CUT_HALF, CUT_ONE, FILL_ZERO, REMOVE, WAYS };

static void spoil(struct bl_disk *disk, const char *path, int way) {
  int64_t size = size_of(disk, path);
  if (size < 0) return;
  if (way == CUT_ALL) cut(disk, path, 0);
  if (way == CUT_HALF) cut(disk, path, size / 2);
  if (way == CUT_ONE && size > 0) cut(disk, path, size - 1);
  if (way == FILL_ZERO) {
    char *zeros = calloc((size_t)size + 1, 1);
    overwrite(disk, path, 0, zeros, (size_t)size);
    free(zeros);
  }
  if (way == REMOVE) (void)!disk->ops->remove(disk, path);
}

static int spoiled_tables(void) {
  struct world base;
  struct paths paths = {.count = 0};
  make_base(&base, true);
  list_below(bl_disk_fake_disk(base.fake), WORLD_DIR "/config", &paths);
  int count = 0;
  for (int i = 0; i < paths.count; i++) {
    for (int way = 0; way < 2 * WAYS && base.trouble[0] == 0; way++) {
      struct world world;
      char what[400];
      world_clone(&world, &base);
      struct bl_disk *disk = bl_disk_fake_disk(world.fake);
      spoil(disk, paths.items[i], way % WAYS);
      if (way >= WAYS) { /* the generation before it, too */
        char previous[310];
        snprintf(previous, sizeof(previous), "%s.bak", paths.items[i]);
        spoil(disk, previous, way % WAYS);
      }
      snprintf(what, sizeof(what), "%s spoiled in way %d", paths.items[i], way);
      open_and_check(&base, &world, what);
      count++;
    }
  }
  printf("# %d files of config/ spoiled, alone and with their .bak\n", count);
  int failed = report("row 7: config/*.json empty, cut, zeroed, gone", base.trouble);
  world_fini(&base);
  return failed;
}

static int spoiled_indexes(void) {
  struct world base;
  struct paths paths = {.count = 0};
  make_base(&base, false);
  list_below(bl_disk_fake_disk(base.fake), WORLD_DIR "/bolide", &paths);
  int count = 0;
  for (int i = 0; i < paths.count; i++) {
    bool derived = strstr(paths.items[i], "/bolide/queues") != NULL ||
                   strstr(paths.items[i], "/index/") != NULL ||
                   strstr(paths.items[i], "/keys") != NULL ||
                   strstr(paths.items[i], "meta.covered.bak") != NULL;
    for (int way = 0; derived && way < WAYS && base.trouble[0] == 0; way++) {
      struct world world;
      char what[400];
      world_clone(&world, &base);
      spoil(bl_disk_fake_disk(world.fake), paths.items[i], way);
      snprintf(what, sizeof(what), "%s spoiled in way %d", paths.items[i], way);
      open_and_check(&base, &world, what);
      count++;
    }
  }
  static const char *const folders[] = {WORLD_DIR "/bolide/index", WORLD_DIR "/bolide/keys"};
  for (int i = 0; i < 4; i++) {
    struct world world;
    world_clone(&world, &base);
    struct bl_disk *disk = bl_disk_fake_disk(world.fake);
    if (i != 1) remove_below(disk, folders[0]);
    if (i != 0) remove_below(disk, folders[1]);
    if (i == 3) {
      spoil(disk, WORLD_DIR "/bolide/queues.snapshot", REMOVE);
      remove_below(disk, WORLD_DIR "/bolide/queues");
      spoil(disk, WORLD_DIR "/bolide/keys.snapshot", REMOVE);
      spoil(disk, WORLD_DIR "/bolide/log.checkpoint", REMOVE);
    }
    open_and_check(&base, &world, "indexes deleted");
    count++;
  }
  printf("# indexes spoiled in %d ways\n", count);
  int failed = report("row 8: indexes deleted, empty, half written: rebuilt", base.trouble);
  world_fini(&base);
  return failed;
}

int main(void) {
  const char *text = getenv("SEED");
  seed_of_run = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL) % 1000000;
  printf("# SEED=%llu\n", (unsigned long long)seed_of_run);
  char path[300];
  snprintf(path, sizeof(path), "%.200s/bolide-notes-%d",
           getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp", (int)getpid());
  notes_file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (notes_file < 0) return 1;
  unlink(path);
  if (getenv("VERBOSE") == NULL) dup2(notes_file, 2);
  bl_log_set_level(BL_LOG_WARN);
  int failed = torn_tail();
  failed += flipped_bits(true);
  failed += flipped_bits(false);
  failed += spoiled_tables();
  failed += spoiled_indexes();
  printf("1..%d\n", case_number);
  return failed > 0 ? 1 : 0;
}
