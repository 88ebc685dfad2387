#include "broker/query/read.h"

#include "base/bytes.h"
#include "broker/broker.h"

/* Up to and with storeTimestamp, whose place depends on the length of the born host. */
#define HEAD_BYTES 80
#define SYS_FLAG_AT 36
#define STORE_MS_AT 56
#define V6_MORE 12
#define RECORD_BYTES_MIN 91
/* What is evicted again before it could be looked at, that often, is given up. */
#define TRIES_MAX 8

static void on_queue_warm(struct bl_queue_warm *queue) {
  struct bl_query_warm *warm = BL_CONTAINER(queue, struct bl_query_warm, warm.queue);
  warm->under_way = false;
  warm->err = queue->err;
  if (warm->done != NULL) warm->done(warm);
}

static void on_log_warm(struct bl_store_warm *log) {
  struct bl_query_warm *warm = BL_CONTAINER(log, struct bl_query_warm, warm.log);
  warm->under_way = false;
  warm->err = log->err;
  if (warm->done != NULL) warm->done(warm);
}

void bl_query_warm_start(struct bl_broker *broker, struct bl_query_warm *warm,
                         const struct bl_cold_place *cold) {
  warm->under_way = true;
  warm->err = BL_OK;
  if (cold->queue != NULL) {
    bl_queue_warm(cold->queue, &warm->warm.queue, cold->queue_offset, on_queue_warm);
  } else {
    bl_store_warm(broker->store, &warm->warm.log, cold->log_offset, cold->log_bytes, on_log_warm);
  }
}

bl_err bl_query_store_time(struct bl_broker *broker, struct bl_queue *queue, int64_t queue_offset,
                           struct bl_queue_entry *out_entry, int64_t *out_ms,
                           struct bl_cold_place *out_cold) {
  struct bl_queue_entry entry;
  uint32_t count = 0;
  char head[HEAD_BYTES];
  bl_err err = bl_queue_read(queue, queue_offset, &entry, 1, &count);
  *out_cold = (struct bl_cold_place){.queue = queue, .queue_offset = queue_offset};
  if (err != BL_OK) return err;
  if (count == 0) return BL_ERR_NOT_FOUND;
  *out_entry = entry;
  *out_cold = (struct bl_cold_place){.log_offset = entry.log_offset, .log_bytes = HEAD_BYTES};
  err = bl_store_read(broker->store, entry.log_offset, HEAD_BYTES, head);
  if (err != BL_OK) return err;
  bool v6 = (bl_load_u32(head + SYS_FLAG_AT) & BL_SYS_BORN_V6) != 0;
  *out_ms = (int64_t)bl_load_u64(head + STORE_MS_AT + (v6 ? V6_MORE : 0));
  return BL_OK;
}

bl_err bl_time_reader_get(struct bl_time_reader *reader, struct bl_broker *broker,
                          struct bl_queue *queue, int64_t queue_offset, int64_t *out_ms) {
  struct bl_cold_place cold = {0};
  struct bl_queue_entry entry;
  *out_ms = -1;
  if (queue == NULL || queue_offset < 0) return BL_OK;
  if (reader->warm.under_way) return BL_ERR_COLD;
  bl_err err = reader->warm.err;
  if (err == BL_OK) err = bl_query_store_time(broker, queue, queue_offset, &entry, out_ms, &cold);
  if (err == BL_ERR_COLD && reader->tries < TRIES_MAX) {
    reader->tries++;
    bl_query_warm_start(broker, &reader->warm, &cold);
    return BL_ERR_COLD;
  }
  reader->tries = 0;
  reader->warm.err = BL_OK;
  if (err != BL_OK) *out_ms = -1;
  return BL_OK;
}

bl_err bl_query_record(struct bl_broker *broker, int64_t log_offset, struct bl_arena *arena,
                       struct bl_record *out_record, struct bl_slice *out_bytes,
                       struct bl_cold_place *out_cold) {
  char head[8];
  *out_cold = (struct bl_cold_place){.log_offset = log_offset, .log_bytes = HEAD_BYTES};
  bl_err err = bl_store_read(broker->store, log_offset, sizeof(head), head);
  if (err != BL_OK) return err;
  uint32_t size = bl_load_u32(head);
  uint32_t magic = bl_load_u32(head + 4);
  bool record = magic == BL_RECORD_MAGIC_V1 || magic == BL_RECORD_MAGIC_V2;
  /* Bounded by what is visible before memory is taken. */
  struct bl_store_marks marks = bl_store_marks(broker->store);
  if (!record || size < RECORD_BYTES_MIN || size > marks.visible - log_offset ||
      size > broker->settings->segment_bytes) {
    return BL_ERR_NOT_FOUND;
  }
  out_cold->log_bytes = size;
  char *bytes = bl_arena_take(arena, size);
  err = bl_store_read(broker->store, log_offset, size, bytes);
  if (err != BL_OK) return err;
  *out_bytes = bl_slice_of(bytes, size);
  err = bl_record_decode(*out_bytes, BL_RECORD_CHECKED, out_record);
  /* The record says where it is: a record inside of another's body does not lie. */
  if (err != BL_OK || out_record->log_offset != log_offset) return BL_ERR_NOT_FOUND;
  return BL_OK;
}

static void fetch_step(struct bl_record_fetch *fetch) {
  struct bl_cold_place cold = {0};
  bl_arena_reset(&fetch->arena);
  fetch->err = bl_query_record(fetch->broker, fetch->log_offset, &fetch->arena, &fetch->record,
                               &fetch->bytes, &cold);
  if (fetch->err == BL_ERR_COLD && fetch->tries < TRIES_MAX && !fetch->broker->closing) {
    fetch->tries++;
    bl_query_warm_start(fetch->broker, &fetch->warm, &cold);
    return;
  }
  fetch->done(fetch);
}

static void fetch_warmed(struct bl_query_warm *warm) {
  struct bl_record_fetch *fetch = BL_CONTAINER(warm, struct bl_record_fetch, warm);
  if (warm->err != BL_OK) {
    fetch->err = warm->err;
    fetch->done(fetch);
    return;
  }
  fetch_step(fetch);
}

void bl_record_fetch_start(struct bl_record_fetch *fetch, struct bl_broker *broker,
                           int64_t log_offset, void (*done)(struct bl_record_fetch *fetch)) {
  memset(fetch, 0, sizeof(*fetch));
  fetch->broker = broker;
  fetch->log_offset = log_offset;
  fetch->warm.done = fetch_warmed;
  fetch->done = done;
  bl_arena_init(&fetch->arena);
  fetch_step(fetch);
}

void bl_record_fetch_fini(struct bl_record_fetch *fetch) {
  bl_arena_fini(&fetch->arena);
}
