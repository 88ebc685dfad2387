#include "world_testlib.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define SEGMENT_BYTES (256 << 10)
#define RING_BYTES (1 << 20)
#define START_MS 1700000000000

struct waiter {
  struct bl_store_waiter waiter;
  struct world *world;
  int index;
  bool is_change;
};

uint64_t world_random(struct world *world) {
  uint64_t z = (world->random += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

static uint32_t below(struct world *world, uint32_t limit) {
  return (uint32_t)(world_random(world) % limit);
}

void world_complain(struct world *world, const char *format, ...) {
  if (world->trouble[0] != 0) return;
  va_list args;
  va_start(args, format);
  vsnprintf(world->trouble, sizeof(world->trouble), format, args);
  va_end(args);
}

/* ---- life ---- */

static void init_machine(struct world *world, struct bl_disk_fake *fake) {
  world->fake = fake;
  memset(&world->settings, 0, sizeof(world->settings));
  bl_timers_init(&world->timers);
  world->flush = bl_worker_new_inline();
  world->pool = bl_worker_new_inline();
  bl_options_init(&bl_broker_options, &world->settings);
  bl_err err = bl_options_set(&bl_broker_options, &world->settings, BL_SLICE("storePathRootDir"),
                              BL_SLICE(WORLD_DIR), BL_OPTION_AT_START, NULL);
  BL_ASSERT(err == BL_OK);
  world->settings.segment_bytes = SEGMENT_BYTES;
  world->settings.ring_bytes = RING_BYTES;
  world->settings.snapshot_interval_ms = 5000;
  world->settings.flush_mode = (int32_t)world->wishes.flush_mode;
  world->settings.log_write_mode = world->wishes.buffered ? BL_WRITE_BUFFERED : BL_WRITE_DIRECT;
  world->settings.retention_bytes = world->wishes.retention_bytes;
  world->settings.clean_interval_ms = 1000;
}

void world_init(struct world *world, const struct world_settings *wishes, uint64_t seed) {
  memset(world, 0, sizeof(*world));
  world->wishes = *wishes;
  init_machine(world, bl_disk_fake_new());
  bl_clock_fake_init(&world->clock, START_MS);
  world->random = seed;
}

static void forget_machine(struct world *world) {
  bl_worker_free(world->flush);
  bl_worker_free(world->pool);
  bl_timers_fini(&world->timers);
  bl_options_fini(&bl_broker_options, &world->settings);
  bl_disk_fake_free(world->fake);
}

void world_fini(struct world *world) {
  if (world->broker != NULL) world_kill(world);
  forget_machine(world);
  free(world->messages);
  free(world->changes);
  free(world->commits);
  free(world->logged);
  memset(world, 0, sizeof(*world));
}

static void *copy_of(const void *from, int count, size_t each) {
  if (count == 0) return NULL;
  void *to = malloc((size_t)count * each);
  BL_ASSERT(to != NULL);
  return memcpy(to, from, (size_t)count * each);
}

static void note_marks(struct world *world) {
  if (world->broker == NULL) return;
  struct bl_store_marks marks = bl_store_marks(world->broker->store);
  world->flushed = marks.flushed;
  /* The removal of the next file may be under way. */
  world->min_offset = marks.min_offset + (world->wishes.retention_bytes > 0 ? SEGMENT_BYTES : 0);
}

void world_clone(struct world *to, const struct world *from) {
  *to = *from;
  note_marks(to);
  to->broker = NULL;
  init_machine(to, bl_disk_fake_clone(from->fake));
  to->messages = copy_of(from->messages, from->message_count, sizeof(*from->messages));
  to->message_cap = from->message_count;
  to->changes = copy_of(from->changes, from->change_count, sizeof(*from->changes));
  to->change_cap = from->change_count;
  to->commits = copy_of(from->commits, from->commit_count, sizeof(*from->commits));
  to->commit_cap = from->commit_count;
  to->logged = copy_of(from->logged, from->logged_count, sizeof(*from->logged));
  to->logged_cap = from->logged_count;
}

bl_err world_try_open(struct world *world, struct bl_why *why) {
  struct bl_broker_world parts = {.settings = &world->settings,
                                  .clock = &world->clock.clock,
                                  .timers = &world->timers,
                                  .disk = bl_disk_fake_disk(world->fake),
                                  .flush_worker = world->flush,
                                  .pool = world->pool,
                                  .seed = 1};
  struct bl_broker *broker = NULL;
  bl_err err = bl_broker_open(&parts, &broker, why);
  if (err != BL_OK) return err;
  const struct bl_host host = {{127, 0, 0, 1}, 4, 10911};
  bl_broker_set_address(broker, &host);
  world->broker = broker;
  world->end = bl_store_marks(broker->store).flushed;
  return BL_OK;
}

bool world_open(struct world *world) {
  struct bl_why why = {""};
  bl_err err = world_try_open(world, &why);
  if (err != BL_OK) world_complain(world, "it does not start: %s: %s", bl_err_name(err), why.text);
  return err == BL_OK;
}

void world_close(struct world *world) {
  struct bl_broker *broker = world->broker;
  note_marks(world);
  world->broker = NULL; /* marks are not to be asked for while it goes */
  bl_broker_close(broker);
}

void world_power_loss(struct world *world, uint64_t seed) {
  note_marks(world);
  bl_disk_fake_power_loss(world->fake, seed);
  if (world->broker != NULL) world_close(world);
  bl_disk_fake_restart(world->fake);
}

void world_kill(struct world *world) {
  note_marks(world);
  bl_disk_fake_kill(world->fake);
  if (world->broker != NULL) world_close(world);
  bl_disk_fake_restart(world->fake);
}

static void note_gone(struct world *world) {
  if (world->wishes.retention_bytes == 0) return;
  for (int i = 0; i < WORLD_TOPICS * WORLD_QUEUES; i++) {
    char name[24];
    world_topic_name(i / WORLD_QUEUES, name);
    const struct bl_queue *queue =
        bl_queues_find(world->broker->queues, bl_slice_text(name), i % WORLD_QUEUES);
    if (queue != NULL) world->gone[i / WORLD_QUEUES][i % WORLD_QUEUES] = bl_queue_min_offset(queue);
  }
}

bool world_turn(struct world *world) {
  bool more = bl_broker_turn(world->broker);
  note_gone(world);
  return more;
}

void world_settle(struct world *world) {
  for (;;) {
    size_t did = world_turn(world) ? 1 : 0;
    did += bl_worker_drain(world->flush);
    did += bl_worker_drain(world->pool);
    if (did == 0) return;
  }
}

void world_pass(struct world *world, int64_t ms) {
  world->clock.now_mono_ns += ms * 1000000;
  world->clock.now_wall_ms += ms;
  bl_timers_run(&world->timers, bl_clock_mono_ms(&world->clock.clock), 100);
  world_settle(world);
}

/* ---- what is done to it ---- */

static void on_done(struct bl_store_waiter *waiter, bl_err err) {
  struct waiter *self = BL_CONTAINER(waiter, struct waiter, waiter);
  struct world *world = self->world;
  if (err != BL_OK) {
    world->refused++;
    world->refused_code = err;
  } else if (self->is_change) {
    world->changes[self->index].acked = true;
  } else {
    world->messages[self->index].acked = true;
  }
  free(self);
}

static void wait_for(struct world *world, int64_t end, int index, bool is_change) {
  struct waiter *self = calloc(1, sizeof(*self));
  BL_ASSERT(self != NULL);
  *self = (struct waiter){{.done = on_done}, world, index, is_change};
  bl_store_wait(world->broker->store, &self->waiter, end);
}

static void *grown(void *items, int count, int *cap, size_t each) {
  if (count < *cap) return items;
  *cap = *cap > 0 ? *cap * 2 : 64;
  items = realloc(items, (size_t)*cap * each);
  BL_ASSERT(items != NULL);
  return items;
}

static struct world_message *add_message(struct world *world) {
  world->messages =
      grown(world->messages, world->message_count, &world->message_cap, sizeof(*world->messages));
  struct world_message *message = &world->messages[world->message_count++];
  memset(message, 0, sizeof(*message));
  message->id = world_random(world);
  return message;
}

static void add_commit(struct world *world, int topic, int group, int queue, int64_t offset) {
  world->commits =
      grown(world->commits, world->commit_count, &world->commit_cap, sizeof(*world->commits));
  world->commits[world->commit_count++] = (struct world_commit){topic, group, queue, offset};
}

/* When the table says that all is in the log. */
static void note_logged(struct world *world) {
  if (!bl_list_empty(&world->broker->offsets.changed)) return;
  if (world->logged_count > 0 &&
      world->logged[world->logged_count - 1].commits == world->commit_count)
    return;
  world->logged =
      grown(world->logged, world->logged_count, &world->logged_cap, sizeof(*world->logged));
  world->logged[world->logged_count++] =
      (struct world_logged){bl_store_marks(world->broker->store).appended, world->commit_count};
}

void world_topic_name(int topic, char out_name[24]) {
  snprintf(out_name, 24, "Topic%d", topic);
}

void world_body(const struct world_message *message, char *body) {
  uint64_t at = message->id;
  for (uint32_t i = 0; i < message->body_bytes; i++) {
    at = at * 6364136223846793005ull + 1442695040888963407ull;
    body[i] = (char)('a' + (at >> 33) % 26);
  }
}

static struct bl_slice properties_of(const struct world_message *message, char text[64]) {
  snprintf(text, 64, "KEYS\001k%016llx\002TAGS\001A\002", (unsigned long long)message->id);
  return bl_slice_text(text);
}

static bl_err try_send(struct world *world, struct bl_send *send, struct bl_sent *sent) {
  struct bl_why why = {""};
  bl_err err = BL_ERR_BUSY;
  for (int i = 0; i < 5 && err == BL_ERR_BUSY; i++) {
    err = bl_broker_send(world->broker, send, sent, &why);
    if (err == BL_ERR_BUSY) world_settle(world);
  }
  return err;
}

bl_err world_send(struct world *world, int topic, int queue, uint32_t body_bytes) {
  struct world_message *message = add_message(world);
  int index = world->message_count - 1;
  char name[24];
  char properties[64];
  char *body = malloc(body_bytes + 1);
  BL_ASSERT(body != NULL);
  world_topic_name(topic, name);
  message->topic = topic;
  message->queue = queue;
  message->body_bytes = body_bytes;
  world_body(message, body);
  struct bl_send send = {.topic = bl_slice_text(name),
                         .queue_id = queue,
                         .properties = properties_of(message, properties),
                         .body = bl_slice_of(body, body_bytes),
                         .max_reconsume_times = -1,
                         .born_host = {{127, 0, 0, 1}, 4, 5000},
                         .peer = "test"};
  struct bl_sent sent;
  world->message_count--; /* it counts when it is taken */
  bl_err err = try_send(world, &send, &sent);
  free(body);
  if (err != BL_OK) return err;
  world->message_count++;
  message->queue_offset = sent.queue_offset;
  message->log_offset = sent.log_offset;
  message->end = sent.end_offset;
  wait_for(world, sent.end_offset, index, false);
  return BL_OK;
}

/* The encoding of MessageDecoder#encodeMessages. */
static void put_batch_item(struct bl_buf *out, const struct world_message *message) {
  char text[64];
  char body[256];
  struct bl_slice properties = properties_of(message, text);
  world_body(message, body);
  bl_buf_put_u32(out, 22 + message->body_bytes + (uint32_t)properties.len);
  for (int i = 0; i < 3; i++) bl_buf_put_u32(out, 0); /* magic, CRC, flag */
  bl_buf_put_u32(out, message->body_bytes);
  bl_buf_put(out, body, message->body_bytes);
  bl_buf_put_u16(out, (uint16_t)properties.len);
  bl_buf_put_slice(out, properties);
}

bl_err world_send_batch(struct world *world, int topic, int queue, int count) {
  struct bl_buf body;
  bl_buf_init(&body, 0);
  char name[24];
  world_topic_name(topic, name);
  int first = world->message_count;
  for (int i = 0; i < count; i++) {
    struct world_message *message = add_message(world);
    message->topic = topic;
    message->queue = queue;
    message->body_bytes = 10 + below(world, 200);
    put_batch_item(&body, message);
  }
  world->message_count = first;
  struct bl_send send = {.topic = bl_slice_text(name),
                         .queue_id = queue,
                         .batch = true,
                         .body = bl_buf_slice(&body),
                         .max_reconsume_times = -1,
                         .born_host = {{127, 0, 0, 1}, 4, 5000},
                         .peer = "test"};
  struct bl_sent sent;
  bl_err err = try_send(world, &send, &sent);
  bl_buf_fini(&body);
  if (err != BL_OK) return err;
  world->message_count = first + count;
  for (int i = 0; i < count; i++) {
    struct world_message *message = &world->messages[first + i];
    message->queue_offset = sent.queue_offset + i;
    message->log_offset = sent.log_offsets[i];
    message->end = i + 1 < count ? sent.log_offsets[i + 1] : sent.end_offset;
    wait_for(world, sent.end_offset, first + i, false);
  }
  return BL_OK;
}

static void add_change(struct world *world, struct world_change change) {
  if (change.end == 0) return; /* nothing changed */
  world->changes =
      grown(world->changes, world->change_count, &world->change_cap, sizeof(*world->changes));
  world->changes[world->change_count++] = change;
  wait_for(world, change.end, world->change_count - 1, true);
}

static int64_t appended(const struct world *world) {
  return bl_store_marks(world->broker->store).appended;
}

bl_err world_put_topic(struct world *world, int topic) {
  char name[24];
  world_topic_name(topic, name);
  int queues = WORLD_QUEUES + (int)below(world, 3);
  struct bl_topic_change change = {.name = bl_slice_text(name),
                                   .read_queues = queues,
                                   .write_queues = queues,
                                   .perm = BL_PERM_READ | BL_PERM_WRITE};
  struct bl_topic *made;
  int64_t at = appended(world);
  int64_t end = 0;
  bl_err err = BL_ERR_BUSY;
  for (int i = 0; i < 5 && err == BL_ERR_BUSY; i++) {
    err = bl_broker_put_topic(world->broker, &change, &made, &end);
    if (err == BL_ERR_BUSY) world_settle(world);
  }
  if (err == BL_OK) add_change(world, (struct world_change){false, topic, queues, at, end, false});
  return err;
}

bl_err world_delete_topic(struct world *world, int topic) {
  char name[24];
  world_topic_name(topic, name);
  int64_t end = 0;
  int64_t at = appended(world);
  bl_err err = bl_broker_delete_topic(world->broker, bl_slice_text(name), &end);
  if (err != BL_OK) return err;
  for (int i = 0; i < WORLD_GROUPS * WORLD_QUEUES; i++)
    add_commit(world, topic, i / WORLD_QUEUES, i % WORLD_QUEUES, BL_OFFSET_NONE);
  add_change(world, (struct world_change){false, topic, 0, at, end, false});
  return BL_OK;
}

static struct bl_slice group_name(int group, char name[24]) {
  snprintf(name, 24, "Group%d", group);
  return bl_slice_text(name);
}

bl_err world_put_group(struct world *world, int group) {
  char name[24];
  struct bl_group like;
  struct bl_group *made;
  int64_t end = 0;
  int64_t at = appended(world);
  bl_group_default(&like, group_name(group, name));
  int queues = 1 + (int)below(world, 5);
  like.retry_queues = queues;
  bl_err err = bl_broker_put_group(world->broker, &like, &made, &end);
  if (err == BL_OK) add_change(world, (struct world_change){true, group, queues, at, end, false});
  return err;
}

bl_err world_delete_group(struct world *world, int group) {
  char name[24];
  int64_t end = 0;
  int64_t at = appended(world);
  bl_err err = bl_broker_delete_group(world->broker, group_name(group, name), true, &end);
  if (err != BL_OK) return err;
  for (int i = 0; i < WORLD_TOPICS * WORLD_QUEUES; i++)
    add_commit(world, i / WORLD_QUEUES, group, i % WORLD_QUEUES, BL_OFFSET_NONE);
  add_change(world, (struct world_change){true, group, 0, at, end, false});
  return BL_OK;
}

void world_commit_offset(struct world *world, int topic, int group, int queue, int64_t offset) {
  char topic_name[24];
  char name[24];
  world_topic_name(topic, topic_name);
  bl_err err = bl_offsets_commit(&world->broker->offsets, bl_slice_text(topic_name),
                                 group_name(group, name), queue, offset);
  if (err == BL_OK) add_commit(world, topic, group, queue, offset);
}

void world_take_offsets(struct world *world) {
  world->commit_count = 0;
  world->logged_count = 0;
  for (int i = 0; i < WORLD_TOPICS * WORLD_GROUPS * WORLD_QUEUES; i++) {
    int topic = i / (WORLD_GROUPS * WORLD_QUEUES);
    int group = i / WORLD_QUEUES % WORLD_GROUPS;
    char topic_name[24];
    char name[24];
    world_topic_name(topic, topic_name);
    int64_t offset = bl_offsets_committed(&world->broker->offsets, bl_slice_text(topic_name),
                                          group_name(group, name), i % WORLD_QUEUES);
    if (offset != BL_OFFSET_NONE) add_commit(world, topic, group, i % WORLD_QUEUES, offset);
  }
  note_logged(world);
}

bool world_has_topic(const struct world *world, int topic) {
  for (int i = world->change_count - 1; i >= 0; i--) {
    if (!world->changes[i].is_group && world->changes[i].name == topic)
      return world->changes[i].queues > 0;
  }
  return false;
}

static void change_something(struct world *world) {
  int topic = (int)below(world, WORLD_TOPICS);
  int group = (int)below(world, WORLD_GROUPS);
  bl_err err = BL_OK;
  switch (below(world, 6)) {
    case 0:
    case 1:
    case 2: err = world_put_topic(world, topic); break;
    case 3: err = world_delete_topic(world, topic); break;
    case 4: err = world_put_group(world, group); break;
    default: err = world_delete_group(world, group); break;
  }
  if (err != BL_OK && err != BL_ERR_NO_TOPIC && err != BL_ERR_BUSY)
    world_complain(world, "a change is refused: %s", bl_err_name(err));
}

static void send_something(struct world *world) {
  int topic = (int)below(world, WORLD_TOPICS);
  int queue = (int)below(world, WORLD_QUEUES);
  if (!world_has_topic(world, topic)) return;
  bl_err err;
  if (below(world, 6) == 0) {
    err = world_send_batch(world, topic, queue, 2 + (int)below(world, 5));
  } else {
    uint32_t longest = below(world, 2) == 0 ? 40000 : 1500;
    err = world_send(world, topic, queue, 1 + below(world, longest));
  }
  if (err != BL_OK) world_complain(world, "a send is refused: %s", bl_err_name(err));
}

void world_step(struct world *world) {
  uint32_t dice = below(world, 100);
  if (dice < 62) {
    send_something(world);
  } else if (dice < 72) {
    change_something(world);
  } else if (dice < 82) {
    int topic = (int)below(world, WORLD_TOPICS);
    if (world_has_topic(world, topic))
      world_commit_offset(world, topic, (int)below(world, WORLD_GROUPS),
                          (int)below(world, WORLD_QUEUES), below(world, 1000));
  } else if (dice < 86) {
    bl_store_snapshot_now(world->broker->store);
  } else if (dice < 92) {
    world_pass(world, 50 + below(world, 1500));
  }
  switch (below(world, 6)) {
    case 0: break;
    case 1: world_turn(world); break;
    case 2:
      world_turn(world);
      bl_worker_drain(world->pool);
      break;
    case 3:
      world_turn(world);
      bl_worker_drain(world->flush);
      break;
    default: world_settle(world); break;
  }
  note_logged(world);
}
