/* The letters of one answer: chosen, sent, settled. */
#include <stdlib.h>

#include "base/assert.h"
#include "client/redrive_internal.h"
#include "wire/properties.h"

/* MessageSysFlag: how a body is compressed, which goes on as it is. */
#define SYS_COMPRESSION (BL_SYS_COMPRESSED | 0x700)

static void tell(struct bl_redrive *redrive, const struct bl_redrive_parcel *parcel,
                 const struct bl_send_result *result) {
  const struct bl_redrive_settings *settings = &redrive->settings;
  const struct bl_record *record = &parcel->record;
  if (settings->on_letter == NULL) return;
  struct bl_redrive_letter letter = {
      .broker_name = bl_redrive__queue(redrive)->broker_name,
      .queue_id = bl_redrive__queue(redrive)->id,
      .queue_offset = record->queue_offset,
      .store_ms = record->store_ms,
      .reconsume_times = record->reconsume_times,
      .msg_id = bl_properties_get(record->properties, BL_PROP_UNIQ_KEY),
      .origin_id = bl_properties_get(record->properties, BL_PROP_ORIGIN_MESSAGE_ID),
      .keys = bl_properties_get(record->properties, BL_PROP_KEYS),
      .tags = bl_properties_get(record->properties, BL_PROP_TAGS),
      .to = parcel->to,
      .body_bytes = record->body.len,
      .result = result};
  settings->on_letter(settings->context, &letter);
}

static void add_parcel(struct bl_redrive *redrive, const struct bl_record *record) {
  if (redrive->parcel_count == redrive->parcel_cap) {
    redrive->parcel_cap = redrive->parcel_cap == 0 ? 64 : redrive->parcel_cap * 2;
    redrive->parcels = realloc(redrive->parcels, redrive->parcel_cap * sizeof(*redrive->parcels));
    BL_ASSERT(redrive->parcels != NULL);
  }
  struct bl_slice to = redrive->settings.to;
  redrive->parcels[redrive->parcel_count++] = (struct bl_redrive_parcel){
      .record = *record, .to = to.ptr != NULL ? to : bl_redrive__origin(record)};
}

static bool at_limit(const struct bl_redrive *redrive) {
  return redrive->settings.limit > 0 &&
         redrive->counts.matched >= (uint64_t)redrive->settings.limit;
}

/* The letters that the filter takes; batch_next follows. */
static bl_err choose(struct bl_redrive *redrive, struct bl_slice body, int64_t next_offset) {
  struct bl_redrive_queue *queue = bl_redrive__queue(redrive);
  const struct bl_redrive_filter *filter = &redrive->settings.filter;
  redrive->batch_next = queue->next_offset;
  while (body.len > 0) {
    struct bl_record record;
    bl_err err = bl_record_decode(body, BL_RECORD_CHECKED, &record);
    if (err != BL_OK) return err;
    body = bl_slice_from(body, record.size_bytes);
    if (record.queue_offset < queue->next_offset) continue;
    /* Store times never go back in a queue: what follows is later still. */
    bool late = filter->until_ms > 0 && record.store_ms >= filter->until_ms;
    if (record.queue_offset >= queue->end_offset || late) {
      redrive->batch_next = queue->end_offset;
      return BL_OK;
    }
    if (bl_redrive__takes(filter, &record)) {
      add_parcel(redrive, &record);
      redrive->counts.matched++;
    }
    redrive->batch_next = record.queue_offset + 1;
    if (at_limit(redrive)) return BL_OK;
  }
  if (next_offset > redrive->batch_next) redrive->batch_next = next_offset;
  return BL_OK;
}

/* Everything before `offset` has its result. */
static void settle(struct bl_redrive *redrive, int64_t offset) {
  struct bl_redrive_queue *queue = bl_redrive__queue(redrive);
  if (offset > queue->end_offset) offset = queue->end_offset;
  redrive->counts.passed += (uint64_t)(offset - queue->done_offset);
  queue->done_offset = offset;
  queue->next_offset = offset;
  redrive->parcel_count = 0;
  redrive->step = BL_REDRIVE_COMMIT;
  if (at_limit(redrive)) bl_redrive__finish(redrive, BL_REDRIVE_DONE);
}

static void fail_at(struct bl_redrive *redrive, int64_t offset) {
  if (redrive->failed_offset < 0 || offset < redrive->failed_offset)
    redrive->failed_offset = offset;
}

/* All sends have results. */
static void batch_ended(struct bl_redrive *redrive) {
  if (redrive->failed_offset < 0) {
    settle(redrive, redrive->batch_next);
    return;
  }
  enum bl_redrive_end end = redrive->end;
  settle(redrive, redrive->failed_offset);
  bl_redrive__finish(redrive, end);
}

static bl_err send_one(struct bl_redrive *redrive, uint32_t index) {
  const struct bl_redrive_parcel *parcel = &redrive->parcels[index];
  bl_buf_clear(&redrive->properties);
  bl_redrive__properties(&parcel->record, &redrive->properties);
  struct bl_send send = {.topic = parcel->to,
                         .properties = bl_buf_slice(&redrive->properties),
                         .body = parcel->record.body,
                         .queue_id = -1,
                         .flag = parcel->record.flag,
                         .sys_flag = parcel->record.sys_flag & SYS_COMPRESSION,
                         .token = index};
  return bl_producer_send(redrive->producer, &send, &redrive->why);
}

/* Sends in order until one cannot go. */
static void send_all(struct bl_redrive *redrive) {
  for (uint32_t i = 0; i < redrive->parcel_count; i++) {
    const struct bl_redrive_parcel *parcel = &redrive->parcels[i];
    int64_t offset = parcel->record.queue_offset;
    if (parcel->to.len == 0) {
      bl_why_set(
          &redrive->why, BL_ERR_NOT_FOUND,
          "the dead letter at offset %lld of queue %d does not say which topic it came from; "
          "name one with --to",
          (long long)offset, bl_redrive__queue(redrive)->id);
      redrive->end = BL_REDRIVE_NO_ORIGIN;
      fail_at(redrive, offset);
      return;
    }
    if (send_one(redrive, i) != BL_OK) {
      redrive->end = BL_REDRIVE_REFUSED;
      fail_at(redrive, offset);
      return;
    }
    redrive->open++;
  }
}

void bl_redrive__on_result(void *context, const struct bl_send_result *result) {
  struct bl_redrive *redrive = context;
  if (redrive->step != BL_REDRIVE_SENDING || result->token >= redrive->parcel_count) return;
  const struct bl_redrive_parcel *parcel = &redrive->parcels[result->token];
  redrive->open--;
  if (result->err == BL_OK) {
    redrive->counts.sent++;
  } else {
    bl_why_set(&redrive->why, result->err,
               "topic '%.*s' did not take the dead letter at offset %lld of queue %d: %s",
               BL_FMT(parcel->to), (long long)parcel->record.queue_offset,
               bl_redrive__queue(redrive)->id, result->sentence);
    redrive->end = BL_REDRIVE_REFUSED;
    fail_at(redrive, parcel->record.queue_offset);
  }
  tell(redrive, parcel, result);
  if (redrive->open > 0) return;
  batch_ended(redrive);
  bl_redrive__step(redrive);
}

void bl_redrive__take(struct bl_redrive *redrive, struct bl_slice body, int64_t next_offset) {
  redrive->parcel_count = 0;
  redrive->failed_offset = -1;
  bl_buf_clear(&redrive->batch);
  bl_buf_put_slice(&redrive->batch, body);
  redrive->step = BL_REDRIVE_SENDING;
  bl_err err = choose(redrive, bl_buf_slice(&redrive->batch), next_offset);
  if (err != BL_OK) {
    bl_why_set(&redrive->why, err, "broker %.*s sent a message that cannot be read: %s",
               BL_FMT(bl_redrive__queue(redrive)->broker_name), bl_err_text(err));
    redrive->end = BL_REDRIVE_UNREACHABLE;
    redrive->counts.matched -= redrive->parcel_count;
    redrive->parcel_count = 0;
    fail_at(redrive, bl_redrive__queue(redrive)->next_offset);
  }
  if (redrive->settings.dry_run) {
    for (uint32_t i = 0; i < redrive->parcel_count; i++) tell(redrive, &redrive->parcels[i], NULL);
  } else {
    send_all(redrive);
  }
  if (redrive->open == 0) batch_ended(redrive);
}
