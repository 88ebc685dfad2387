#include "message.h"

#include <string.h>

#include "frame.h"

#define BORN_HOST_V6 0x10u
#define STORE_HOST_V6 0x20u
#define FIXED_BYTES 91 /* of a record with short addresses, no body, topic or properties */

static char filler(uint64_t number, size_t i) {
  return (char)('a' + (number + 7 * i) % 26);
}

void bl_storm_body_make(char *body, size_t len, uint64_t mark, uint64_t number) {
  memcpy(body, &mark, 8);
  memcpy(body + 8, &number, 8);
  for (size_t i = 16; i < len; i++) body[i] = filler(number, i);
}

static void read_body(const char *body, size_t len, uint64_t mark, struct bl_storm_record *record) {
  uint64_t found;
  if (len < BL_STORM_BODY_BYTES_MIN) return;
  memcpy(&found, body, 8);
  memcpy(&record->number, body + 8, 8);
  record->mine = found == mark;
  record->whole = true;
  for (size_t i = 16; i < len; i++)
    if (body[i] != filler(record->number, i)) record->whole = false;
}

bool bl_storm_record_next(const char *bytes, size_t len, size_t *position, uint64_t mark,
                          struct bl_storm_record *out_record) {
  const char *record = bytes + *position;
  size_t rest = len - *position;
  memset(out_record, 0, sizeof(*out_record));
  if (rest < FIXED_BYTES) return false;
  size_t record_len = bl_storm_u32(record);
  if (record_len < FIXED_BYTES || record_len > rest) return false;
  out_record->queue = (int32_t)bl_storm_u32(record + 12);
  out_record->offset = bl_storm_i64(record + 20);
  uint32_t sys_flag = bl_storm_u32(record + 36);
  size_t body_at = 88;
  if ((sys_flag & BORN_HOST_V6) != 0) body_at += 12;
  if ((sys_flag & STORE_HOST_V6) != 0) body_at += 12;
  if (body_at > record_len) return false;
  size_t body_len = bl_storm_u32(record + body_at - 4);
  if (body_len > record_len - body_at) return false;
  read_body(record + body_at, body_len, mark, out_record);
  *position += record_len;
  return true;
}
