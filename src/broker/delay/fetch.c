/* The bytes of records whose time comes: from the ring or the page cache at once, else the pool
 * reads them ahead of time. */
#include "broker/delay/delay_internal.h"

/* What is evicted again before it could be copied, that often, is tried later. */
#define TRIES_MAX 8

static void on_read(struct bl_store_warm *warm);

/* Whether these bytes, unless they come from memory where they were made, are the record. */
static bl_err copy(struct bl_delay *delay, int64_t log_offset, struct bl_pending_body *body) {
  struct bl_store *store = delay->broker->store;
  bool fresh = bl_store_is_fresh(store, log_offset, body->len);
  bl_err err = bl_store_read(store, log_offset, body->len, body->bytes);
  if (err != BL_OK || fresh) return err;
  bool sound = bl_store_is_sound(store, log_offset, bl_slice_of(body->bytes, body->len));
  return sound ? BL_OK : BL_ERR_CRC;
}

/* What is fenced, gone or damaged stays so; an error of the disk may pass. */
static void judge(struct bl_pending_body *body, bl_err err) {
  body->unreadable = err == BL_ERR_NOT_FOUND || err == BL_ERR_CRC;
  body->failed = err != BL_OK && !body->unreadable;
}

static void end_read(struct bl_delay *delay, struct bl_delay_read *read, bl_err err) {
  read->body->reading = false;
  judge(read->body, err);
  read->body = NULL;
  delay->reading--;
}

static void start_read(struct bl_delay *delay, struct bl_delay_read *read) {
  delay->stats.cold_reads++;
  read->tries++;
  bl_store_warm(delay->broker->store, &read->warm, read->log_offset, read->body->len, on_read);
}

static void on_read(struct bl_store_warm *warm) {
  struct bl_delay_read *read = BL_CONTAINER(warm, struct bl_delay_read, warm);
  struct bl_delay *delay = read->delay;
  bl_err err = warm->err;
  if (err == BL_OK) err = copy(delay, read->log_offset, read->body);
  if (err == BL_ERR_COLD && read->tries < TRIES_MAX && !delay->closing) {
    start_read(delay, read);
    return;
  }
  end_read(delay, read, err);
}

void bl_delay__fetch(struct bl_delay *delay, struct bl_pending_entry *entry) {
  struct bl_pending_body *body = bl_pending_body_new(delay->pending, entry->size_bytes);
  bl_err err = copy(delay, entry->log_offset, body);
  if (err == BL_ERR_COLD && delay->reading == BL_DELAY_READS_MAX) {
    bl_pending_body_free(delay->pending, body);
    return;
  }
  entry->body = body;
  if (err != BL_ERR_COLD) {
    judge(body, err);
    return;
  }
  struct bl_delay_read *read = delay->reads;
  while (read->body != NULL) read++;
  delay->reading++;
  body->reading = true;
  read->delay = delay;
  read->body = body;
  read->log_offset = entry->log_offset;
  read->tries = 0;
  start_read(delay, read);
}
