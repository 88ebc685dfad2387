#include "producer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "consumer_calls.h"
#include "message.h"

/* Answers that say that nothing was stored (apache/rocketmq ResponseCode). */
static bool is_refusal(int32_t code) {
  return code == 2 || code == 13 || code == 14 || code == 16 || code == 17;
}

static void record(struct bl_storm_producer *producer, const struct bl_storm_call *call,
                   enum bl_hist_result result, int64_t offset, int64_t end_us) {
  struct bl_storm_world *world = producer->world;
  if (world->history == NULL) return;
  bl_hist_put(world->history, &(struct bl_hist_record){.kind = BL_HIST_SEND,
                                                       .result = (uint8_t)result,
                                                       .message = (uint64_t)call->value,
                                                       .queue = call->queue % world->queue_count,
                                                       .key = call->queue + 1,
                                                       .offset = offset,
                                                       .begin_us = call->begin_us,
                                                       .end_us = end_us});
}

static void free_key(struct bl_storm_producer *producer, uint32_t key) {
  uint32_t at = (producer->free_from + producer->free_count++) % producer->key_count;
  producer->free_keys[at] = key;
}

static void on_frame(struct bl_storm_link *link, const struct bl_storm_frame *frame,
                     const struct bl_storm_call *call) {
  struct bl_storm_producer *producer = link->owner;
  int64_t now_us = bl_storm_now_us();
  if (call == NULL) return;
  uint32_t queue = call->queue % producer->world->queue_count;
  if (now_us - call->begin_us > producer->slowest_us)
    producer->slowest_us = now_us - call->begin_us;
  free_key(producer, call->queue);
  if (frame->code == 0) {
    int64_t offset = bl_storm_field(frame, "queueOffset", -1);
    producer->acked++;
    if (offset >= producer->ends[queue]) producer->ends[queue] = offset + 1;
    record(producer, call, BL_HIST_ACKED, offset, now_us);
    return;
  }
  bl_storm__odd(producer->world, frame->code);
  if (is_refusal(frame->code)) {
    producer->refused++;
    record(producer, call, BL_HIST_REFUSED, 0, now_us);
  } else {
    producer->unknown++;
    record(producer, call, BL_HIST_UNKNOWN, 0, BL_HIST_NEVER_US);
  }
}

void bl_storm_producer_init(struct bl_storm_producer *producer, struct bl_storm_world *world,
                            uint32_t keys, uint32_t body_bytes, uint32_t rate) {
  memset(producer, 0, sizeof(*producer));
  producer->world = world;
  producer->key_count = keys;
  producer->free_keys = calloc(keys, sizeof(*producer->free_keys));
  producer->body_bytes =
      body_bytes < BL_STORM_BODY_BYTES_MIN ? BL_STORM_BODY_BYTES_MIN : body_bytes;
  producer->body = malloc(producer->body_bytes);
  producer->ends = calloc(world->queue_count, sizeof(*producer->ends));
  if (producer->free_keys == NULL || producer->body == NULL || producer->ends == NULL)
    bl_storm_die("no memory");
  producer->per_us = rate / 1e6;
  for (uint32_t key = 0; key < keys; key++) free_key(producer, key);
  for (int i = 0; i < BL_STORM_PRODUCER_LINKS; i++) {
    producer->links[i] = (struct bl_storm_link){.fd = -1, .owner = producer, .on_frame = on_frame};
    bl_storm_link_open(world->loop, &producer->links[i]);
  }
}

void bl_storm_producer_fini(struct bl_storm_producer *producer) {
  for (int i = 0; i < BL_STORM_PRODUCER_LINKS; i++) {
    bl_storm_link_close(&producer->links[i]);
    free(producer->links[i].calls);
  }
  free(producer->free_keys);
  free(producer->body);
  free(producer->ends);
}

void bl_storm_producer_start(struct bl_storm_producer *producer, int64_t now_us) {
  producer->start_us = now_us;
}

static void send_one(struct bl_storm_producer *producer, uint32_t key) {
  struct bl_storm_world *world = producer->world;
  struct bl_storm_link *link = &producer->links[key % BL_STORM_PRODUCER_LINKS];
  struct bl_storm_request request;
  struct bl_storm_call *call = bl_storm_ask(link, &request, BL_STORM_SEND, BL_STORM_SEND);
  call->queue = key;
  call->value = (int64_t)producer->made;
  bl_storm_body_make(producer->body, producer->body_bytes, world->mark, producer->made);
  producer->made++;
  bl_storm_text(&request, "a", "PG_STORM");
  bl_storm_text(&request, "b", world->topic);
  bl_storm_text(&request, "c", "TBW102");
  bl_storm_number(&request, "d", 4);
  bl_storm_number(&request, "e", key % world->queue_count);
  bl_storm_number(&request, "f", 0);
  bl_storm_number(&request, "g", (int64_t)time(NULL) * 1000);
  bl_storm_number(&request, "h", 0);
  bl_storm_text(&request, "i", "WAIT\001true\002");
  bl_storm_number(&request, "j", 0);
  bl_storm_text(&request, "k", "false");
  bl_storm_text(&request, "m", "false");
  bl_storm_end(&request, producer->body, producer->body_bytes);
}

void bl_storm_producer_pump(struct bl_storm_producer *producer, int64_t now_us) {
  uint64_t due = (uint64_t)((double)(now_us - producer->start_us) * producer->per_us);
  while (producer->made < due && producer->free_count > 0) {
    uint32_t key = producer->free_keys[producer->free_from];
    producer->free_from = (producer->free_from + 1) % producer->key_count;
    producer->free_count--;
    send_one(producer, key);
  }
}

void bl_storm_producer_give_up(struct bl_storm_producer *producer) {
  for (int i = 0; i < BL_STORM_PRODUCER_LINKS; i++) {
    struct bl_storm_link *link = &producer->links[i];
    for (uint32_t k = 0; k < link->call_count; k++) {
      producer->unknown++;
      record(producer, &link->calls[k], BL_HIST_UNKNOWN, 0, BL_HIST_NEVER_US);
    }
    link->call_count = 0;
  }
}
