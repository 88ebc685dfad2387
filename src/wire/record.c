#include "wire/record.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "base/cursor.h"
#include "base/javahash.h"
#include "wire/properties.h"

#define CRC_MASK 0x7fffffffu
#define LOG_OFFSET_AT 28
#define CRC_WRONG_BYTES_MAX 2
/* Everything but hosts, body, topic length field and topic, properties. */
#define FIXED_BYTES 82

static bool topic_is_long(const struct bl_record *record) {
  return record->topic.len > BL_RECORD_TOPIC_V1_BYTES_MAX;
}

enum crc_property { CRC_ABSENT, CRC_PRESENT, CRC_DAMAGED };

/* FILLS what ten digits say, the least significant first. RETURNS how many are none. Two halves,
 * because every record that is shown to an index comes through here. */
static int take_digits(const char *digits, uint64_t *out_number) {
  uint64_t low = 0;
  uint64_t high = 0;
  int wrong = 0;
  for (int i = 4; i >= 0; i--) {
    unsigned low_digit = (unsigned char)digits[i] - (unsigned)'0';
    unsigned high_digit = (unsigned char)digits[i + 5] - (unsigned)'0';
    wrong += (low_digit > 9) + (high_digit > 9);
    low = low * 10 + low_digit;
    high = high * 10 + high_digit;
  }
  *out_number = high * 100000 + low;
  return wrong;
}

/* Whether the properties end in the CRC property, and what it says. Something that differs from one
 * in a byte or two is one that was damaged. */
static enum crc_property take_crc(struct bl_slice properties, uint32_t *out_crc) {
  static const char name[] = BL_RECORD_CRC_PROPERTY "\x01";
  const size_t name_bytes = sizeof(name) - 1;
  if (properties.len < BL_RECORD_CRC_BYTES) return CRC_ABSENT;
  const char *at = properties.ptr + properties.len - BL_RECORD_CRC_BYTES;
  uint64_t crc = 0;
  int wrong = take_digits(at + name_bytes, &crc) + (at[BL_RECORD_CRC_BYTES - 1] != '\x02');
  if (memcmp(at, name, name_bytes) != 0) {
    for (size_t i = 0; i < name_bytes; i++) wrong += at[i] != name[i];
  }
  *out_crc = (uint32_t)crc;
  if (wrong > 0) return wrong <= CRC_WRONG_BYTES_MAX ? CRC_DAMAGED : CRC_ABSENT;
  return crc <= CRC_MASK ? CRC_PRESENT : CRC_DAMAGED;
}

/* The CRC property starts behind a complete pair. Without one, what a sender put last may look like
 * it: an empty pair behind keeps the reader from taking it for ours. */
static bool needs_separator(const struct bl_record *record) {
  struct bl_slice properties = record->properties;
  uint32_t crc;
  if (!record->with_crc) return take_crc(properties, &crc) != CRC_ABSENT;
  return properties.len > 0 && properties.ptr[properties.len - 1] != '\x02';
}

uint32_t bl_record_size(struct bl_record *record) {
  record->sys_flag &= ~(BL_SYS_BORN_V6 | BL_SYS_STORE_V6);
  if (record->born_host.addr_bytes == 16) record->sys_flag |= BL_SYS_BORN_V6;
  if (record->store_host.addr_bytes == 16) record->sys_flag |= BL_SYS_STORE_V6;
  size_t bytes = FIXED_BYTES + record->born_host.addr_bytes + record->store_host.addr_bytes +
                 record->body.len + (topic_is_long(record) ? 2 : 1) + record->topic.len +
                 record->properties.len + (record->with_crc ? BL_RECORD_CRC_BYTES : 0);
  if (needs_separator(record)) bytes++;
  record->size_bytes = (uint32_t)bytes;
  return record->size_bytes;
}

static char *put_host(char *to, const struct bl_host *host) {
  memcpy(to, host->addr, host->addr_bytes);
  bl_store_u32(to + host->addr_bytes, (uint32_t)host->port);
  return to + host->addr_bytes + 4;
}

static char *put_bytes(char *to, struct bl_slice bytes) {
  if (bytes.len > 0) memcpy(to, bytes.ptr, bytes.len);
  return to + bytes.len;
}

/* Ten digits, the least significant first, as UtilAll#crc32 and MessageDecoder#createCrc32 write
 * them. */
static void put_crc_property(char *record_start, char *to) {
  static const char name[] = BL_RECORD_CRC_PROPERTY "\x01";
  uint32_t crc = bl_crc32(0, record_start, (size_t)(to - record_start)) & CRC_MASK;
  memcpy(to, name, sizeof(name) - 1);
  to += sizeof(name) - 1;
  for (int i = 0; i < 10; i++) {
    *to++ = (char)('0' + crc % 10);
    crc /= 10;
  }
  *to = '\x02';
}

void bl_record_encode(const struct bl_record *record, char *out) {
  bool long_topic = topic_is_long(record);
  char *at = out;
  bl_store_u32(at, record->size_bytes);
  bl_store_u32(at + 4, long_topic ? BL_RECORD_MAGIC_V2 : BL_RECORD_MAGIC_V1);
  uint32_t body_crc = record->body.len > 0 ? bl_crc32(0, record->body.ptr, record->body.len) : 0;
  bl_store_u32(at + 8, body_crc & CRC_MASK);
  bl_store_u32(at + 12, (uint32_t)record->queue_id);
  bl_store_u32(at + 16, (uint32_t)record->flag);
  bl_store_u64(at + 20, (uint64_t)record->queue_offset);
  bl_store_u64(at + 28, (uint64_t)record->log_offset);
  bl_store_u32(at + 36, (uint32_t)record->sys_flag);
  bl_store_u64(at + 40, (uint64_t)record->born_ms);
  at = put_host(at + 48, &record->born_host);
  bl_store_u64(at, (uint64_t)record->store_ms);
  at = put_host(at + 8, &record->store_host);
  bl_store_u32(at, (uint32_t)record->reconsume_times);
  bl_store_u64(at + 4, (uint64_t)record->prepared_offset);
  bl_store_u32(at + 12, (uint32_t)record->body.len);
  at = put_bytes(at + 16, record->body);
  if (long_topic) {
    bl_store_u16(at, (uint16_t)record->topic.len);
    at += 2;
  } else {
    *at++ = (char)record->topic.len;
  }
  at = put_bytes(at, record->topic);
  size_t properties_bytes = record->size_bytes - (size_t)(at - out) - 2;
  BL_ASSERT(properties_bytes <= BL_RECORD_PROPERTIES_BYTES_MAX);
  bl_store_u16(at, (uint16_t)properties_bytes);
  at = put_bytes(at + 2, record->properties);
  if (needs_separator(record)) *at++ = '\x02';
  if (record->with_crc) {
    put_crc_property(out, at);
    at += BL_RECORD_CRC_BYTES;
  }
  BL_ASSERT((size_t)(at - out) == record->size_bytes);
}

static void take_host(struct bl_cursor *in, bool v6, struct bl_host *out_host) {
  out_host->addr_bytes = v6 ? 16 : 4;
  struct bl_slice addr = bl_cursor_bytes(in, out_host->addr_bytes);
  if (addr.ptr != NULL) memcpy(out_host->addr, addr.ptr, addr.len);
  out_host->port = (int32_t)bl_cursor_u32(in);
}

/* Without the CRC property nothing covers topic and properties. What a power loss took of them
 * reads zero (a file of the log does where nothing was written), the CRC property at the end with
 * it; so no text may end in NUL, and a topic is made of printable characters. */
static bool is_torn(const struct bl_record *record) {
  struct bl_slice text = record->properties;
  if (text.len > 0 && text.ptr[text.len - 1] == '\0') return true;
  for (size_t i = 0; i < record->topic.len; i++) {
    if (record->topic.ptr[i] <= ' ' || record->topic.ptr[i] > '~') return true;
  }
  return false;
}

static bl_err check_crc(struct bl_slice bytes, uint32_t body_crc, const struct bl_record *record) {
  uint32_t stored = 0;
  enum crc_property property = take_crc(record->properties, &stored);
  if (property == CRC_DAMAGED) return BL_ERR_CRC;
  if (property == CRC_PRESENT) {
    uint32_t crc = bl_crc32(0, bytes.ptr, bytes.len - BL_RECORD_CRC_BYTES) & CRC_MASK;
    return crc == stored ? BL_OK : BL_ERR_CRC;
  }
  if (is_torn(record)) return BL_ERR_CRC;
  if (record->body.len == 0) return BL_OK;
  uint32_t crc = bl_crc32(0, record->body.ptr, record->body.len) & CRC_MASK;
  return crc == body_crc ? BL_OK : BL_ERR_CRC;
}

static bl_err decode_fields(struct bl_slice bytes, uint32_t magic, enum bl_record_check check,
                            struct bl_record *record) {
  struct bl_cursor in = bl_cursor_of(bl_slice_from(bytes, 8));
  uint32_t body_crc = bl_cursor_u32(&in);
  record->queue_id = (int32_t)bl_cursor_u32(&in);
  record->flag = (int32_t)bl_cursor_u32(&in);
  record->queue_offset = (int64_t)bl_cursor_u64(&in);
  record->log_offset = (int64_t)bl_cursor_u64(&in);
  record->sys_flag = (int32_t)bl_cursor_u32(&in);
  record->born_ms = (int64_t)bl_cursor_u64(&in);
  take_host(&in, (record->sys_flag & BL_SYS_BORN_V6) != 0, &record->born_host);
  record->store_ms = (int64_t)bl_cursor_u64(&in);
  take_host(&in, (record->sys_flag & BL_SYS_STORE_V6) != 0, &record->store_host);
  record->reconsume_times = (int32_t)bl_cursor_u32(&in);
  record->prepared_offset = (int64_t)bl_cursor_u64(&in);
  record->body = bl_cursor_bytes(&in, bl_cursor_u32(&in));
  size_t topic_bytes = magic == BL_RECORD_MAGIC_V2 ? bl_cursor_u16(&in) : bl_cursor_u8(&in);
  /* Java reads that byte with its sign. */
  if (magic == BL_RECORD_MAGIC_V1 && topic_bytes > BL_RECORD_TOPIC_V1_BYTES_MAX)
    return BL_ERR_FORMAT;
  record->topic = bl_cursor_bytes(&in, topic_bytes);
  uint16_t properties_bytes = bl_cursor_u16(&in);
  if (properties_bytes > BL_RECORD_PROPERTIES_BYTES_MAX) return BL_ERR_FORMAT;
  record->properties = bl_cursor_bytes(&in, properties_bytes);
  if (in.failed || bl_cursor_left(&in) != 0) return BL_ERR_FORMAT;
  uint32_t crc;
  record->with_crc = take_crc(record->properties, &crc) == CRC_PRESENT;
  return check == BL_RECORD_CHECKED ? check_crc(bytes, body_crc, record) : BL_OK;
}

bl_err bl_record_decode(struct bl_slice bytes, enum bl_record_check check,
                        struct bl_record *out_record) {
  memset(out_record, 0, sizeof(*out_record));
  if (bytes.len < 8) return BL_ERR_SHORT;
  uint32_t size_bytes = bl_load_u32(bytes.ptr);
  uint32_t magic = bl_load_u32(bytes.ptr + 4);
  out_record->size_bytes = size_bytes;
  out_record->start = bytes.ptr;
  if (magic == BL_RECORD_MAGIC_BLANK) {
    return size_bytes >= BL_RECORD_BLANK_BYTES && size_bytes <= INT32_MAX ? BL_ERR_NOT_FOUND
                                                                          : BL_ERR_FORMAT;
  }
  if (magic != BL_RECORD_MAGIC_V1 && magic != BL_RECORD_MAGIC_V2) return BL_ERR_FORMAT;
  if (size_bytes < FIXED_BYTES + 9 || size_bytes > INT32_MAX) return BL_ERR_FORMAT;
  if (size_bytes > bytes.len) return BL_ERR_SHORT;
  return decode_fields(bl_slice_of(bytes.ptr, size_bytes), magic, check, out_record);
}

bool bl_record_is_sound(struct bl_slice bytes, int64_t log_offset) {
  if (bytes.len < FIXED_BYTES + 9 || bl_load_u32(bytes.ptr) != bytes.len ||
      (int64_t)bl_load_u64(bytes.ptr + LOG_OFFSET_AT) != log_offset)
    return false;
  uint32_t stored;
  if (take_crc(bytes, &stored) == CRC_PRESENT) { /* the properties end the record */
    uint32_t crc = bl_crc32(0, bytes.ptr, bytes.len - BL_RECORD_CRC_BYTES) & CRC_MASK;
    if (crc == stored) return true;
  }
  struct bl_record record;
  return bl_record_decode(bytes, BL_RECORD_CHECKED, &record) == BL_OK;
}

int64_t bl_record_tags_code(const struct bl_record *record) {
  struct bl_slice tags = bl_properties_get(record->properties, BL_PROP_TAGS);
  return tags.len > 0 ? (int64_t)bl_javahash(tags) : 0;
}
