#include "client/producer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "client/producer_internal.h"

void bl_producer_settings_default(struct bl_producer_settings *settings) {
  *settings = (struct bl_producer_settings){.window_count = 20000, .window_bytes = 32 << 20};
}

struct bl_producer *bl_producer_new(struct bl_client *client,
                                    const struct bl_producer_settings *settings) {
  struct bl_producer *producer = calloc(1, sizeof(*producer));
  BL_ASSERT(producer != NULL);
  producer->client = client;
  producer->settings = *settings;
  bl_map_init(&producer->lanes);
  producer->part.group = bl_client__copy(settings->group);
  bl_client__add_part(client, &producer->part);
  return producer;
}

void bl_producer_free(struct bl_producer *producer) {
  if (producer == NULL) return;
  bl_client__leave_cancel(&producer->leave);
  bl_client__remove_part(producer->client, &producer->part);
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&producer->lanes, &cursor)) != NULL) bl_lane__free(entry->value);
  bl_map_fini(&producer->lanes);
  free((char *)producer->part.group.ptr);
  free(producer);
}

static struct bl_lane *lane_of(struct bl_producer *producer, struct bl_slice topic,
                               int32_t queue_id) {
  struct bl_lane *last = producer->last_lane;
  if (last != NULL && last->queue_id == queue_id && bl_slice_eq(last->topic, topic)) return last;
  struct bl_buf *key = &producer->client->scratch;
  bl_buf_clear(key);
  bl_buf_put_slice(key, topic);
  bl_buf_put_char(key, '@');
  bl_buf_put_i64_text(key, queue_id);
  struct bl_lane *lane = bl_map_get(&producer->lanes, bl_buf_slice(key));
  if (lane == NULL) {
    lane = bl_lane__new(producer, topic, queue_id);
    bl_map_put(&producer->lanes, bl_buf_slice(key), lane);
  }
  producer->last_lane = lane;
  return lane;
}

static bl_err check(const struct bl_send *send, struct bl_why *why) {
  if (send->body.len > BL_PRODUCER_BODY_BYTES_MAX) {
    return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                      "the message has %zu bytes; a message has at most %d", send->body.len,
                      BL_PRODUCER_BODY_BYTES_MAX);
  }
  if (send->body.len == 0) return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL, "the message is empty");
  if (send->properties.len > BL_PRODUCER_PROPERTIES_BYTES_MAX) {
    return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                      "the properties have %zu bytes; they have at most %d", send->properties.len,
                      BL_PRODUCER_PROPERTIES_BYTES_MAX);
  }
  return BL_OK;
}

bool bl_producer_has_room(const struct bl_producer *producer) {
  return producer->pending_count < producer->settings.window_count &&
         producer->pending_bytes < producer->settings.window_bytes;
}

bl_err bl_producer_send(struct bl_producer *producer, const struct bl_send *send,
                        struct bl_why *why) {
  bl_err err = check(send, why);
  if (err != BL_OK) return err;
  if (!bl_producer_has_room(producer))
    return bl_why_set(why, BL_ERR_BUSY, "too many messages wait for answers");
  bl_lane__put(lane_of(producer, send->topic, send->queue_id), send);
  return BL_OK;
}

uint32_t bl_producer_pending(const struct bl_producer *producer) {
  return producer->pending_count;
}

void bl_producer__settle(struct bl_producer *producer, const struct bl_shipment *shipment) {
  BL_ASSERT(producer->pending_count >= shipment->pack.count);
  producer->pending_count -= shipment->pack.count;
  producer->pending_bytes -= (int64_t)shipment->pack.bytes.len;
}

static void on_left(struct bl_leave *leave) {
  struct bl_producer *producer = BL_CONTAINER(leave, struct bl_producer, leave);
  producer->left(producer->left_context);
}

void bl_producer_leave(struct bl_producer *producer, void (*done)(void *context), void *context) {
  producer->left = done;
  producer->left_context = context;
  producer->leave.done = on_left;
  bl_client__remove_part(producer->client, &producer->part);
  bl_client__leave(producer->client, &producer->part, &producer->leave);
}

const char *bl_send_status(int32_t code) {
  switch (code) {
    case 0: return "SEND_OK";
    case 10: return "FLUSH_DISK_TIMEOUT";
    case 11: return "SLAVE_NOT_AVAILABLE";
    case 12: return "FLUSH_SLAVE_TIMEOUT";
    default: return "FAILED";
  }
}
