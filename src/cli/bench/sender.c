#include "cli/bench/sender.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "cli/bench/reply.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "os/process.h"

#define STAGE_BYTES 131072 /* about what a socket takes at once; more would leave the cache */
#define STAGE_FRAMES_MAX 128
#define SLOT_BITS 15
#define SLOT_MASK ((1u << SLOT_BITS) - 1)
#define GENERATION_MASK ((1u << (BL_BENCH_OPAQUE_BITS - SLOT_BITS)) - 1)

_Static_assert(BL_BENCH_WINDOW_MAX <= 1 << SLOT_BITS, "an opaque has room for the slot");

/* Bytes that do not compress, the same for the same seed. */
static char *make_body(uint64_t seed, size_t len) {
  char *body = malloc(len);
  BL_ASSERT(body != NULL);
  uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  for (size_t i = 0; i < len; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    body[i] = (char)(state >> 32);
  }
  return body;
}

static const struct bl_bench_frame *frame_for(struct bl_bench_sender *sender, uint32_t topic,
                                              uint32_t queue) {
  const struct bl_bench_plan *plan = sender->plan;
  uint32_t topic_digits = bl_bench_digits(topic), queue_digits = bl_bench_digits(queue);
  struct bl_bench_frame *frame = &sender->frames[topic_digits - 1][queue_digits - 1];
  if (frame->messages > 0) return frame;
  struct bl_bench_frame_spec spec = {.codec = plan->codec,
                                     .broker_name = bl_slice_text(sender->target->broker_name),
                                     .topic = bl_slice_text(plan->topic),
                                     .numbered_topic = plan->topics > 1,
                                     .topic_digits = topic_digits,
                                     .queue_digits = queue_digits,
                                     .default_queues = (uint32_t)plan->queues,
                                     .batch = (uint32_t)plan->batch,
                                     .body_bytes = (uint32_t)plan->size,
                                     .property_bytes = (uint32_t)plan->property_bytes,
                                     .key = sender->keys.first,
                                     .body = sender->body};
  bl_bench_frame_make(&spec, frame);
  return frame;
}

static void make_stage(struct bl_bench_sender *sender) {
  const struct bl_bench_plan *plan = sender->plan;
  size_t largest =
      frame_for(sender, (uint32_t)plan->topics - 1, (uint32_t)plan->queues - 1)->bytes.len;
  size_t frames = STAGE_BYTES / largest;
  if (frames > STAGE_FRAMES_MAX) frames = STAGE_FRAMES_MAX;
  if (frames == 0) frames = 1;
  sender->stage_frames = (uint32_t)frames;
  sender->stage_bytes = frames * largest;
  sender->stage = malloc(sender->stage_bytes);
  BL_ASSERT(sender->stage != NULL);
  if (plan->topics > 1 || plan->queues > 10) return;
  sender->only_frame = frame_for(sender, 0, 0);
  for (size_t i = 0; i < frames; i++)
    memcpy(sender->stage + i * largest, sender->only_frame->bytes.data, largest);
}

static bl_err open_lane(struct bl_bench_sender *sender, uint32_t index, struct bl_why *why) {
  struct bl_bench_lane *lane = &sender->lanes[index];
  uint32_t window = (uint32_t)sender->plan->window;
  struct bl_why cause = {""};
  bl_err err = bl_bench_conn_open(sender->loop, &sender->target->address, &lane->conn, &cause);
  if (err != BL_OK)
    return bl_why_set(why, err, "connection %u of %lld to %s failed: %s", index + 1,
                      (long long)sender->plan->connections, sender->target->server, cause.text);
  lane->conn.index = index;
  lane->slots = calloc(window, sizeof(*lane->slots));
  lane->spare = calloc(window, sizeof(*lane->spare));
  BL_ASSERT(lane->slots != NULL && lane->spare != NULL);
  for (uint32_t i = 0; i < window; i++) lane->spare[i] = (uint16_t)(window - 1 - i);
  lane->spare_count = window;
  sender->lanes_alive++;
  return BL_OK;
}

bl_err bl_bench_sender_open(const struct bl_bench_plan *plan, const struct bl_bench_target *target,
                            struct bl_bench_loop *loop, struct bl_bench_result *result,
                            struct bl_bench_sender *out_sender, struct bl_why *why) {
  struct bl_bench_sender *sender = out_sender;
  uint8_t addr[4];
  memset(sender, 0, sizeof(*sender));
  sender->plan = plan;
  sender->target = target;
  sender->loop = loop;
  sender->result = result;
  sender->frame_messages = plan->batch > 0 ? (uint32_t)plan->batch : 1;
  sender->interval_ns = plan->rate > 0 ? 1e9 * sender->frame_messages / (double)plan->rate : 0;
  sender->left = plan->count > 0
                     ? (uint64_t)(plan->count + sender->frame_messages - 1) / sender->frame_messages
                     : UINT64_MAX;
  bl_process_host_ipv4(addr);
  bl_bench_keys_init(&sender->keys, addr, (uint16_t)bl_process_pid(), (uint32_t)bl_entropy_u64(),
                     bl_clock_wall_ms(bl_clock_real()));
  sender->run_mark = bl_entropy_u64() & ~1ull;
  sender->body = make_body((uint64_t)plan->seed, (size_t)plan->size);
  make_stage(sender);
  sender->lanes = calloc((size_t)plan->connections, sizeof(*sender->lanes));
  sender->ring = calloc((size_t)plan->connections, sizeof(*sender->ring));
  BL_ASSERT(sender->lanes != NULL && sender->ring != NULL);
  for (int64_t i = 0; i < plan->connections; i++) sender->lanes[i].conn.fd = -1;
  bl_err err = BL_OK;
  sender->lane_count = (uint32_t)plan->connections;
  for (uint32_t i = 0; err == BL_OK && i < sender->lane_count; i++) err = open_lane(sender, i, why);
  return err;
}

void bl_bench_sender_close(struct bl_bench_sender *sender) {
  for (uint32_t i = 0; i < sender->lane_count; i++) {
    bl_bench_conn_close(&sender->lanes[i].conn);
    free(sender->lanes[i].slots);
    free(sender->lanes[i].spare);
  }
  for (uint32_t i = 0; i < BL_BENCH_TOPIC_DIGITS_MAX; i++) {
    for (uint32_t j = 0; j < BL_BENCH_QUEUE_DIGITS_MAX; j++)
      bl_bench_frame_fini(&sender->frames[i][j]);
  }
  free(sender->lanes);
  free(sender->ring);
  free(sender->stage);
  free(sender->body);
}

static void lose_lane(struct bl_bench_sender *sender, struct bl_bench_lane *lane) {
  uint64_t under_way = (uint64_t)sender->plan->window - lane->spare_count;
  uint64_t messages = under_way * sender->frame_messages;
  bl_bench_result_error(sender->result, BL_BENCH_CODE_LOST, messages, (struct bl_slice){NULL, 0});
  sender->outstanding -= under_way;
  lane->spare_count = 0;
  bl_bench_conn_close(&lane->conn);
  sender->lanes_alive--;
}

static uint32_t take_slot(struct bl_bench_lane *lane, int64_t due_ns, bool measured) {
  uint32_t place = lane->spare[--lane->spare_count];
  struct bl_bench_slot *slot = &lane->slots[place];
  slot->opaque = (lane->generation++ & GENERATION_MASK) << SLOT_BITS | place;
  slot->due_ns = due_ns;
  slot->busy = true;
  slot->measured = measured;
  return slot->opaque;
}

static int64_t due_at(const struct bl_bench_sender *sender, uint64_t number) {
  return sender->start_ns + (int64_t)((double)number * sender->interval_ns);
}

/* Puts the next request into the stage. RETURNS its bytes. */
static size_t stage_one(struct bl_bench_sender *sender, struct bl_bench_lane *lane, char *at,
                        int64_t now_ns) {
  const struct bl_bench_frame *frame = sender->only_frame;
  bool open_loop = sender->interval_ns > 0;
  int64_t due_ns = open_loop ? due_at(sender, sender->made) : now_ns;
  bool measured = due_ns >= sender->measure_from_ns && due_ns < sender->end_ns;
  uint32_t opaque = take_slot(lane, due_ns, measured);
  if (frame == NULL) {
    frame = frame_for(sender, sender->topic, sender->queue);
    memcpy(at, frame->bytes.data, frame->bytes.len);
  }
  bl_bench_frame_stamp(frame, at, opaque, sender->topic, sender->queue, &sender->keys);
  if (sender->mark_bodies) {
    char *body = at + frame->body_at;
    for (uint32_t i = 0; i < frame->messages; i++, body += frame->body_stride) {
      bl_store_u64(body, (uint64_t)due_ns);
      bl_store_u64(body + 8, sender->run_mark + measured);
    }
  }
  sender->made++;
  if (++sender->queue == (uint32_t)sender->plan->queues) {
    sender->queue = 0;
    if (++sender->topic == (uint32_t)sender->plan->topics) sender->topic = 0;
  }
  return frame->bytes.len;
}

/* Sends so many requests, or fewer when the socket is full. RETURNS false when the lane was lost.
 */
static bool send_some(struct bl_bench_sender *sender, struct bl_bench_lane *lane, uint32_t count,
                      int64_t now_ns) {
  if (count > lane->spare_count) count = lane->spare_count;
  if (count > sender->left) count = (uint32_t)sender->left;
  while (count > 0 && !lane->conn.wants_write) {
    uint32_t some = count < sender->stage_frames ? count : sender->stage_frames;
    size_t bytes = 0;
    for (uint32_t i = 0; i < some; i++)
      bytes += stage_one(sender, lane, sender->stage + bytes, now_ns);
    count -= some;
    sender->left -= some;
    sender->outstanding += some;
    sender->result->sent_total += (uint64_t)some * sender->frame_messages;
    if (bl_bench_conn_write(&lane->conn, bl_slice_of(sender->stage, bytes)) != BL_OK) {
      lose_lane(sender, lane);
      return false;
    }
  }
  return true;
}

static void take_answer(struct bl_bench_sender *sender, struct bl_bench_lane *lane,
                        struct bl_slice frame, int64_t now_ns) {
  struct bl_bench_result *result = sender->result;
  struct bl_bench_head head;
  struct bl_bench_slot *slot = NULL;
  uint32_t opaque = 0;
  if (bl_bench_head_read(frame, &head) == BL_OK) {
    if ((head.flag & BL_FLAG_RESPONSE) == 0) return; /* a request of the server */
    opaque = (uint32_t)head.opaque - BL_BENCH_OPAQUE_BASE;
    uint32_t place = opaque & SLOT_MASK;
    if (place < (uint32_t)sender->plan->window) slot = &lane->slots[place];
  }
  if (slot == NULL || !slot->busy || slot->opaque != opaque) {
    bl_bench_result_error(result, BL_BENCH_CODE_STRANGE, 1, (struct bl_slice){NULL, 0});
    return;
  }
  slot->busy = false;
  lane->spare[lane->spare_count++] = (uint16_t)(opaque & SLOT_MASK);
  sender->outstanding--;
  sender->answered += sender->frame_messages;
  if (head.code != 0) {
    bl_bench_result_error_of(result, head.code, sender->frame_messages, frame);
    return;
  }
  result->good_total += sender->frame_messages;
  bool counts = sender->interval_ns > 0 ? slot->measured : sender->measuring;
  if (!counts) return;
  result->messages += sender->frame_messages;
  result->frames++;
  bl_hist_add_many(&result->latency, now_ns - slot->due_ns, 1);
}

static void set_ready(struct bl_bench_sender *sender, struct bl_bench_lane *lane) {
  if (lane->ready || lane->spare_count == 0 || lane->conn.wants_write) return;
  uint32_t place = sender->ring_from + sender->ring_count++;
  if (place >= sender->lane_count) place -= sender->lane_count;
  sender->ring[place] = lane;
  lane->ready = true;
}

/* The lane may have room: sends at once, or waits for what is due. */
static void go_on(struct bl_bench_sender *sender, struct bl_bench_lane *lane, int64_t now_ns) {
  if (sender->interval_ns > 0)
    set_ready(sender, lane);
  else
    send_some(sender, lane, lane->spare_count, now_ns);
}

void bl_bench_sender_start(struct bl_bench_sender *sender, int64_t now_ns, int64_t measure_from_ns,
                           int64_t end_ns) {
  sender->start_ns = now_ns;
  sender->measure_from_ns = measure_from_ns;
  sender->end_ns = end_ns;
  for (uint32_t i = 0; i < sender->lane_count; i++) go_on(sender, &sender->lanes[i], now_ns);
}

void bl_bench_sender_event(struct bl_bench_sender *sender, struct bl_bench_lane *lane,
                           uint32_t events) {
  if (lane->conn.fd < 0) return;
  bl_err err = BL_OK;
  if (events & EPOLLOUT) err = bl_bench_conn_flush(&lane->conn);
  if (err == BL_OK && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
    err = bl_bench_conn_read(&lane->conn);
  int64_t now_ns = bl_bench_now_ns();
  bl_bench_keys_set_time(&sender->keys, sender->loop->wall_less_mono_ms + now_ns / 1000000);
  struct bl_slice frame;
  bl_err found = bl_bench_conn_frame(&lane->conn, &frame);
  for (; found == BL_OK; found = bl_bench_conn_frame(&lane->conn, &frame))
    take_answer(sender, lane, frame, now_ns);
  if ((err != BL_OK && err != BL_ERR_SHORT) || found == BL_ERR_FORMAT)
    lose_lane(sender, lane);
  else
    go_on(sender, lane, now_ns);
}

/* How many requests were due by then. */
static uint64_t due_until(const struct bl_bench_sender *sender, int64_t now_ns) {
  int64_t passed_ns = (now_ns < sender->end_ns ? now_ns : sender->end_ns - 1) - sender->start_ns;
  return (uint64_t)((double)passed_ns / sender->interval_ns) + 1;
}

int64_t bl_bench_sender_pump(struct bl_bench_sender *sender, int64_t now_ns) {
  if (sender->interval_ns <= 0 || sender->left == 0) return INT64_MAX;
  bl_bench_keys_set_time(&sender->keys, sender->loop->wall_less_mono_ms + now_ns / 1000000);
  uint64_t due = due_until(sender, now_ns);
  while (due > sender->made && sender->ring_count > 0 && sender->left > 0) {
    struct bl_bench_lane *lane = sender->ring[sender->ring_from];
    /* Evenly over the lanes, but what goes to one lane in one write. */
    uint64_t share = (due - sender->made + sender->ring_count - 1) / sender->ring_count;
    if (++sender->ring_from == sender->lane_count) sender->ring_from = 0;
    sender->ring_count--;
    lane->ready = false;
    if (lane->conn.fd < 0) continue;
    if (share > lane->spare_count) share = lane->spare_count;
    if (send_some(sender, lane, (uint32_t)share, now_ns)) set_ready(sender, lane);
  }
  /* Without room an answer comes first. */
  return sender->ring_count == 0 ? INT64_MAX : due_at(sender, sender->made);
}

void bl_bench_sender_end(struct bl_bench_sender *sender, bool now) {
  uint64_t rest = 0;
  if (!now && sender->interval_ns > 0) rest = due_until(sender, sender->end_ns) - sender->made;
  if (rest < sender->left) sender->left = rest;
}

void bl_bench_sender_give_up(struct bl_bench_sender *sender) {
  uint64_t requests = sender->outstanding + sender->left;
  if (requests > 0)
    bl_bench_result_error(sender->result, BL_BENCH_CODE_UNANSWERED,
                          requests * sender->frame_messages, (struct bl_slice){NULL, 0});
}
