/* Bytes of a commit log: walked as recovery does, and each record that is read is written and read
 * again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "wire/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_host(const struct bl_host *a, const struct bl_host *b) {
  return a->port == b->port && a->addr_bytes == b->addr_bytes &&
         memcmp(a->addr, b->addr, a->addr_bytes) == 0;
}

static void check_same(const struct bl_record *a, const struct bl_record *b) {
  BL_ASSERT(a->queue_id == b->queue_id && a->flag == b->flag && a->sys_flag == b->sys_flag);
  BL_ASSERT(a->queue_offset == b->queue_offset && a->log_offset == b->log_offset);
  BL_ASSERT(a->born_ms == b->born_ms && a->store_ms == b->store_ms);
  BL_ASSERT(a->reconsume_times == b->reconsume_times && a->prepared_offset == b->prepared_offset);
  BL_ASSERT(same_host(&a->born_host, &b->born_host) && same_host(&a->store_host, &b->store_host));
  BL_ASSERT(bl_slice_eq(a->topic, b->topic) && bl_slice_eq(a->body, b->body));
  BL_ASSERT(bl_record_tags_code(a) == bl_record_tags_code(b));
}

/* A record with a wrong checksum gets a right one by being written. */
static void write_again(struct bl_record record) {
  if (record.with_crc) record.properties.len -= BL_RECORD_CRC_BYTES;
  /* A separator may have to be put behind them. */
  if (record.properties.len > BL_RECORD_PROPERTIES_BYTES_MAX - BL_RECORD_CRC_BYTES - 1) return;
  uint32_t bytes = bl_record_size(&record);
  char *out = malloc(bytes);
  BL_ASSERT(out != NULL);
  bl_record_encode(&record, out);
  struct bl_record again;
  BL_ASSERT(bl_record_decode(bl_slice_of(out, bytes), BL_RECORD_CHECKED, &again) == BL_OK);
  BL_ASSERT(again.size_bytes == bytes && again.with_crc == record.with_crc);
  check_same(&record, &again);
  free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct bl_slice rest = bl_slice_of(data, size);
  while (rest.len > 0) {
    struct bl_record record;
    struct bl_record checked;
    bl_err err = bl_record_decode(rest, BL_RECORD_UNCHECKED, &record);
    bl_err strict = bl_record_decode(rest, BL_RECORD_CHECKED, &checked);
    BL_ASSERT(err == strict || (err == BL_OK && strict == BL_ERR_CRC));
    if (err == BL_OK) {
      BL_ASSERT(record.size_bytes <= rest.len);
      write_again(record);
    }
    size_t step = err == BL_OK ? record.size_bytes : 1;
    if (err == BL_ERR_NOT_FOUND) step = record.size_bytes;
    rest = bl_slice_from(rest, step);
  }
  return 0;
}
