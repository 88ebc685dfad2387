#include <stdlib.h>

#include "base/assert.h"
#include "base/crc32.h"
#include "namesrv/kv.h"
#include "namesrv/namesrv.h"
#include "namesrv/register_body.h"
#include "net/net.h"
#include "remoting/remoting.h"
#include "requests/route/asker.h"
#include "wire/headers.h"

#define CRC_BYTES_PER_STEP 1048576
#define TOPICS_PER_STEP 256
#define SMALL_BODY_BYTES 16384
#define CRC_BITS 0x7fffffffu /* UtilAll#crc32 */

enum stage { STAGE_CRC, STAGE_DECODE, STAGE_APPLY };

struct progress {
  enum stage stage;
  size_t crc_at;
  uint32_t crc;
  struct bl_register_body *body;
  struct bl_namesrv_registration registration;
  struct bl_namesrv_work work;
  uint64_t conn_id;
  struct bl_asker_copy asker_copy;
  struct bl_namesrv_asker asker;
};

static void free_parts(struct progress *progress) {
  bl_namesrv_register_cancel(&progress->work);
  bl_register_body_free(progress->body);
  progress->body = NULL;
}

static enum bl_outcome reply(struct bl_call *call, const struct bl_namesrv_registered *registered) {
  struct bl_namesrv *ns = call->server;
  struct bl_register_broker_reply_header header = {0};
  if (registered->ha_addr.ptr != NULL) {
    BL_SET(&header, register_broker_reply, ha_addr, registered->ha_addr);
  }
  if (registered->master_addr.ptr != NULL) {
    BL_SET(&header, register_broker_reply, master_addr, registered->master_addr);
  }
  struct bl_slice body = bl_slice_text(NULL);
  if (bl_namesrv_settings(ns)->return_order_topic_config_to_broker &&
      bl_namesrv_kv_list(ns, BL_SLICE(BL_NAMESRV_ORDER_NAMESPACE), call->body)) {
    body = bl_buf_slice(call->body);
  }
  struct bl_reply reply = {
      .table = &bl_register_broker_reply_table,
      .header = &header,
      .body = &body,
      .body_count = body.ptr != NULL ? 1 : 0,
  };
  bl_call_reply(call, &reply);
  return BL_DONE;
}

static bool check_crc(const struct bl_call *call, struct progress *progress, bool *out_good) {
  const struct bl_register_broker_header *header = call->header;
  struct bl_slice rest = bl_slice_from(call->command->body, progress->crc_at);
  *out_good = true;
  if (header->body_crc == 0) return true;
  if (rest.len > CRC_BYTES_PER_STEP) rest.len = CRC_BYTES_PER_STEP;
  progress->crc = bl_crc32(progress->crc, rest.ptr, rest.len);
  progress->crc_at += rest.len;
  if (progress->crc_at < call->command->body.len) return false;
  *out_good = (progress->crc & CRC_BITS) == (uint32_t)header->body_crc;
  return true;
}

static void fill(const struct bl_call *call, struct progress *progress) {
  const struct bl_register_broker_header *header = call->header;
  progress->asker = bl_asker_of_copy(&progress->asker_copy);
  progress->registration = (struct bl_namesrv_registration){
      .cluster = header->cluster,
      .broker_addr = header->broker_addr,
      .broker_name = header->broker_name,
      .broker_id = header->broker_id,
      .ha_addr = header->ha_addr,
      .zone = header->zone_name,
      .timeout_ms = header->heartbeat_timeout_ms,
      .knows_acting_master = BL_HAS(header, register_broker, acting_master),
      .acting_master = header->acting_master,
      .conn_id = progress->conn_id,
      .asker = &progress->asker,
  };
  bl_register_body_fill(progress->body, &progress->registration);
}

/* BL_AGAIN: not done, and not answered. */
static enum bl_outcome decode(struct bl_call *call, struct progress *progress) {
  const struct bl_register_broker_header *header = call->header;
  if (progress->body == NULL) {
    struct bl_slice bytes = call->command->body;
    progress->body = bl_register_body_new(
        bytes, bl_register_form_of(call->command->version, header->compressed, bytes));
  }
  struct bl_why why;
  bool done = false;
  bl_err err = bl_register_body_step(progress->body, BL_REGISTER_STEP_COST, &done, &why);
  if (err != BL_OK) {
    return bl_call_fail(call, err, "Failed to decode RegisterBrokerBody: %s", why.text);
  }
  if (!done) return BL_AGAIN;
  if (call->progress == NULL && bl_register_body_topic_count(progress->body) > TOPICS_PER_STEP) {
    return BL_AGAIN;
  }
  /* Its address must not outlive a connection that closed while we read. */
  if (bl_net_conn(bl_remoting_net(call->remoting), progress->conn_id) == NULL) {
    return bl_call_ok(call);
  }
  fill(call, progress);
  err = bl_namesrv_register_begin(call->server, &progress->registration, &progress->work);
  if (err == BL_ERR_SYSTEM) return bl_call_fail(call, err, "register broker failed");
  if (err == BL_ERR_BUSY) {
    return bl_call_fail(call, err, "the name server knows %d brokers and takes no more",
                        BL_NAMESRV_BROKERS_MAX);
  }
  if (err != BL_OK) {
    return bl_call_fail(call, err, "cluster, broker name or address is empty or too long");
  }
  progress->stage = STAGE_APPLY;
  return BL_AGAIN;
}

static enum bl_outcome run(struct bl_call *call, struct progress *progress) {
  bool good;
  if (progress->stage == STAGE_CRC) {
    if (!check_crc(call, progress, &good)) return BL_AGAIN;
    if (!good) return bl_call_fail(call, BL_ERR_SYSTEM, "crc32 not match");
    progress->stage = STAGE_DECODE;
    if (call->progress != NULL && call->command->body.len > SMALL_BODY_BYTES) return BL_AGAIN;
  }
  if (progress->stage == STAGE_DECODE) {
    enum bl_outcome outcome = decode(call, progress);
    if (outcome != BL_AGAIN || progress->stage != STAGE_APPLY || call->progress != NULL) {
      return outcome;
    }
  }
  struct bl_namesrv_registered registered;
  size_t topics = call->progress != NULL ? TOPICS_PER_STEP : SIZE_MAX;
  if (!bl_namesrv_register_step(call->server, &progress->work, topics, &registered))
    return BL_AGAIN;
  return reply(call, &registered);
}

/* What the first call points to is copied before the second, so it keeps nothing: a small
 * registration is done in one go, any other begins with the second call. */
static enum bl_outcome handle(struct bl_call *call) {
  struct progress *progress = call->progress;
  if (progress != NULL) {
    enum bl_outcome outcome = run(call, progress);
    if (outcome == BL_AGAIN) return BL_AGAIN;
    free_parts(progress);
    free(progress);
    call->progress = NULL;
    return outcome;
  }
  struct progress first = {.conn_id = bl_conn_id(call->conn), .asker_copy = bl_asker_copy_of(call)};
  if (call->command->body.len <= SMALL_BODY_BYTES) {
    struct progress now = first;
    enum bl_outcome outcome = run(call, &now);
    free_parts(&now);
    if (outcome != BL_AGAIN) return outcome;
  }
  progress = malloc(sizeof(*progress));
  BL_ASSERT(progress != NULL);
  *progress = first;
  call->progress = progress;
  return BL_AGAIN;
}

const struct bl_request bl_request_register_broker = {
    .code = 103,
    .name = "REGISTER_BROKER",
    .roles = BL_ROLE_NAMESRV,
    .header = &bl_register_broker_table,
    .handle = handle,
};
