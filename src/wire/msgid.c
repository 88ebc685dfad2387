#include "wire/msgid.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/hex.h"

size_t bl_msgid_text(const struct bl_host *host, int64_t log_offset,
                     char out_text[BL_MSGID_TEXT_MAX]) {
  uint8_t bytes[28];
  size_t n = host->addr_bytes;
  memcpy(bytes, host->addr, n);
  bl_store_u32(bytes + n, (uint32_t)host->port);
  bl_store_u64(bytes + n + 4, (uint64_t)log_offset);
  bl_hex_encode(bl_slice_of(bytes, n + 12), out_text);
  out_text[2 * (n + 12)] = '\0';
  return 2 * (n + 12);
}

bool bl_msgid_parse(struct bl_slice text, struct bl_host *out_host, int64_t *out_log_offset) {
  uint8_t bytes[28];
  if (text.len != 32 && text.len != 56) return false;
  if (!bl_hex_decode(text, bytes)) return false;
  size_t n = text.len == 32 ? 4 : 16;
  memset(out_host, 0, sizeof(*out_host));
  out_host->addr_bytes = (uint8_t)n;
  memcpy(out_host->addr, bytes, n);
  out_host->port = (int32_t)bl_load_u32(bytes + n);
  *out_log_offset = (int64_t)bl_load_u64(bytes + n + 4);
  return true;
}

void bl_uniqkey_init(struct bl_uniqkey *keys, const uint8_t addr[4], uint16_t pid, uint32_t salt) {
  memset(keys, 0, sizeof(*keys));
  memcpy(keys->addr, addr, 4);
  keys->pid = pid;
  keys->salt = salt;
}

/* The key counts from the start of the month, local time, as the tools that decode it expect. */
static void find_month(struct bl_uniqkey *keys, int64_t now_ms) {
  time_t now = (time_t)(now_ms / 1000);
  struct tm month;
  localtime_r(&now, &month);
  month.tm_mday = 1;
  month.tm_hour = 0;
  month.tm_min = 0;
  month.tm_sec = 0;
  month.tm_isdst = -1;
  keys->month_start_ms = (int64_t)mktime(&month) * 1000;
  month.tm_mon++;
  month.tm_isdst = -1;
  keys->next_month_ms = (int64_t)mktime(&month) * 1000;
}

void bl_uniqkey_next(struct bl_uniqkey *keys, int64_t now_ms, char out_text[33]) {
  if (now_ms >= keys->next_month_ms || now_ms < keys->month_start_ms) find_month(keys, now_ms);
  uint8_t bytes[16];
  memcpy(bytes, keys->addr, 4);
  bl_store_u16(bytes + 4, keys->pid);
  bl_store_u32(bytes + 6, keys->salt);
  bl_store_u32(bytes + 10, (uint32_t)(now_ms - keys->month_start_ms));
  bl_store_u16(bytes + 14, keys->counter++);
  bl_hex_encode(bl_slice_of(bytes, sizeof(bytes)), out_text);
  out_text[32] = '\0';
}
