/* One send request and its answer. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "client/producer_internal.h"
#include "wire/headers.h"

#define REQUEST_SEND_MESSAGE_V2 310
#define REQUEST_SEND_BATCH_MESSAGE 320

void bl_shipment__free(struct bl_shipment *shipment) {
  bl_remoting_cancel(&shipment->call);
  bl_timer_cancel(shipment->lane->producer->client->timers, &shipment->retry);
  bl_list_remove(&shipment->node);
  bl_pack_fini(&shipment->pack);
  free(shipment);
}

/* Codes after which RocketMQ's producer tries again (DefaultMQProducer#retryResponseCodes). */
static bool worth_another_try(int32_t code) {
  static const int32_t codes[] = {1, 2, 14, 16, 17, 204, 205, 1500};
  for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
    if (codes[i] == code) return true;
  }
  return false;
}

static const char *next_step(int32_t code) {
  switch (code) {
    case 2: return "; it has more to do than it can: send slower or later";
    case 13: return "; make the message or its properties smaller";
    case 14: return "; look at its disk and its role";
    case 16: return "; allow writing to the topic, or use another one";
    case 17: return "; create the topic first";
    default: return "";
  }
}

static bl_err err_of(int32_t code) {
  for (int i = 0; i < BL_ERR_COUNT; i++) {
    if (bl_err_code((bl_err)i) == code) return (bl_err)i;
  }
  return BL_ERR_SYSTEM;
}

static void refused(struct bl_shipment *shipment, const struct bl_command *response) {
  struct bl_why why;
  struct bl_slice remark = bl_client__first_line(response->remark);
  bl_why_set(&why, BL_ERR_SYSTEM, "broker %.*s refused it with code %d: %.*s%s",
             BL_FMT(shipment->queue->broker_name), response->code, BL_FMT(remark),
             next_step(response->code));
  bl_err err = err_of(response->code);
  if (worth_another_try(response->code)) {
    bl_lane__again(shipment, err, response->code, why.text);
    return;
  }
  shipment->queue->busy = false;
  struct bl_lane *lane = shipment->lane;
  bl_lane__fail(shipment, err, response->code, why.text);
  bl_lane__pump(lane);
}

static void stored(struct bl_shipment *shipment, const struct bl_send_reply_header *header,
                   int32_t code) {
  struct bl_lane *lane = shipment->lane;
  struct bl_producer *producer = lane->producer;
  struct bl_slice ids = header->msg_id;
  struct bl_send_result result = {.err = BL_OK,
                                  .code = code,
                                  .topic = lane->topic,
                                  .broker_name = shipment->queue->broker_name,
                                  .queue_id = header->queue_id};
  shipment->queue->busy = false;
  bl_list_remove(&shipment->node);
  bl_producer__settle(producer, shipment);
  for (uint32_t i = 0; i < shipment->pack.count; i++) {
    result.token = shipment->pack.items[i].token;
    result.queue_offset = header->queue_offset + i;
    result.msg_id = bl_slice_of(shipment->pack.items[i].uniq_key, 32);
    result.offset_msg_id = ids.ptr != NULL ? bl_slice_cut(&ids, ',') : ids;
    producer->settings.on_result(producer->settings.context, &result);
  }
  bl_shipment__free(shipment);
  bl_lane__pump(lane);
}

static void on_answer(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct bl_shipment *shipment = BL_CONTAINER(call, struct bl_shipment, call);
  struct bl_why why;
  struct bl_send_reply_header header;
  if (err == BL_OK && response->code != 0 && (response->code < 10 || response->code > 12)) {
    refused(shipment, response);
    return;
  }
  if (err == BL_OK) err = bl_header_decode(&bl_send_reply_table, response, &header, &why);
  if (err == BL_OK) {
    stored(shipment, &header, response->code);
    return;
  }
  bl_why_set(&why, err, "broker %.*s did not answer (%s); it may have stored the message or not",
             BL_FMT(shipment->queue->broker_name), bl_err_text(err));
  bl_lane__again(shipment, err, 0, why.text);
}

static void fill_header(const struct bl_shipment *shipment,
                        struct bl_send_message_v2_header *header) {
  const struct bl_lane *lane = shipment->lane;
  *header = (struct bl_send_message_v2_header){
      .producer_group = lane->producer->part.group,
      .topic = lane->topic,
      .default_topic = BL_SLICE(BL_CLIENT_DEFAULT_TOPIC),
      .default_queues = BL_CLIENT_DEFAULT_QUEUES,
      .queue_id = shipment->queue->id,
      .sys_flag = shipment->sys_flag,
      .born_ms = shipment->born_ms,
  };
  BL_SET(header, send_message_v2, reconsume_times, 0);
  BL_SET(header, send_message_v2, unit_mode, false);
  BL_SET(header, send_message_v2, batch, shipment->pack.count > 1);
  BL_SET(header, send_message_v2, broker_name, shipment->queue->broker_name);
}

void bl_shipment__send(struct bl_shipment *shipment, struct bl_lane_queue *queue) {
  struct bl_client *client = shipment->lane->producer->client;
  struct bl_send_message_v2_header header;
  struct bl_outgoing outgoing = {
      .code = REQUEST_SEND_BATCH_MESSAGE, .table = &bl_send_message_v2_table, .header = &header};
  shipment->queue = queue;
  shipment->tries++;
  queue->busy = true;
  fill_header(shipment, &header);
  if (shipment->pack.count > 1) {
    outgoing.body = bl_buf_slice(&shipment->pack.bytes);
  } else {
    outgoing.code = REQUEST_SEND_MESSAGE_V2;
    struct bl_slice properties;
    bl_pack_entry(&shipment->pack, 0, &properties, &outgoing.body);
    BL_SET(&header, send_message_v2, properties, properties);
    header.flag = bl_pack_entry_flag(&shipment->pack, 0);
  }
  shipment->call.done = on_answer;
  struct bl_slice address = bl_client__master(client, queue->broker_name);
  bl_err err = BL_ERR_CLOSED;
  if (address.ptr != NULL) {
    err = bl_remoting_call_address(client->remoting, address, &outgoing, BL_CLIENT_CALL_MS,
                                   &shipment->call);
  }
  if (err == BL_OK) return;
  struct bl_why why;
  bl_why_set(&why, err, "broker %.*s cannot be reached (%s)", BL_FMT(queue->broker_name),
             bl_err_text(err));
  bl_lane__again(shipment, err, 0, why.text);
}
