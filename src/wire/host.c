#include "wire/host.h"

#include <stdio.h>

size_t bl_host_addr_text(const struct bl_host *host, char out_text[BL_HOST_TEXT_MAX]) {
  const uint8_t *a = host->addr;
  int n = 0;
  if (host->addr_bytes == 4) {
    n = snprintf(out_text, BL_HOST_TEXT_MAX, "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
    return (size_t)n;
  }
  /* Plain form without the :: shortening: unambiguous, and readable by every parser. */
  for (int i = 0; i < 16; i += 2) {
    n += snprintf(out_text + n, BL_HOST_TEXT_MAX - (size_t)n, "%s%x", i == 0 ? "" : ":",
                  (unsigned)a[i] << 8 | a[i + 1]);
  }
  return (size_t)n;
}

size_t bl_host_text(const struct bl_host *host, char out_text[BL_HOST_TEXT_MAX]) {
  char addr[BL_HOST_TEXT_MAX];
  bl_host_addr_text(host, addr);
  const char *format = host->addr_bytes == 4 ? "%.45s:%d" : "[%.45s]:%d";
  return (size_t)snprintf(out_text, BL_HOST_TEXT_MAX, format, addr, host->port);
}

static bool parse_v4(struct bl_slice text, uint8_t out_addr[16]) {
  for (int i = 0; i < 4; i++) {
    struct bl_slice part = bl_slice_cut(&text, '.');
    int32_t number;
    if (part.len == 0 || part.len > 3 || part.ptr[0] == '-' || part.ptr[0] == '+') return false;
    if (!bl_slice_i32(part, &number) || number > 255) return false;
    out_addr[i] = (uint8_t)number;
  }
  return text.ptr == NULL;
}

static bool parse_group(struct bl_slice part, uint16_t *out_group) {
  if (part.len == 0 || part.len > 4) return false;
  unsigned group = 0;
  for (size_t i = 0; i < part.len; i++) {
    char c = part.ptr[i];
    unsigned digit = 0;
    if (c >= '0' && c <= '9') {
      digit = (unsigned)(c - '0');
    } else if ((c | 32) >= 'a' && (c | 32) <= 'f') {
      digit = (unsigned)((c | 32) - 'a') + 10;
    } else {
      return false;
    }
    group = group << 4 | digit;
  }
  *out_group = (uint16_t)group;
  return true;
}

/* RETURNS how many groups of `text` were read into `out`, or -1. */
static int parse_groups(struct bl_slice text, uint16_t out[8]) {
  int count = 0;
  while (text.ptr != NULL && text.len > 0) {
    struct bl_slice part = bl_slice_cut(&text, ':');
    if (count == 8 || !parse_group(part, &out[count])) return -1;
    count++;
    if (text.ptr != NULL && text.len == 0) return -1;
  }
  return count;
}

static bool parse_v6(struct bl_slice text, uint8_t out_addr[16]) {
  uint16_t head[8];
  uint16_t tail[8];
  const char *gap = NULL;
  for (size_t i = 0; gap == NULL && i + 1 < text.len; i++) {
    if (text.ptr[i] == ':' && text.ptr[i + 1] == ':') gap = text.ptr + i;
  }
  size_t head_bytes = gap != NULL ? (size_t)(gap - text.ptr) : text.len;
  int head_count = parse_groups(bl_slice_of(text.ptr, head_bytes), head);
  int tail_count = gap != NULL ? parse_groups(bl_slice_from(text, head_bytes + 2), tail) : 0;
  if (head_count < 0 || tail_count < 0) return false;
  if (gap == NULL ? head_count != 8 : head_count + tail_count > 7) return false;
  memset(out_addr, 0, 16);
  for (int i = 0; i < head_count; i++) {
    out_addr[2 * i] = (uint8_t)(head[i] >> 8);
    out_addr[2 * i + 1] = (uint8_t)head[i];
  }
  for (int i = 0; i < tail_count; i++) {
    int at = 8 - tail_count + i;
    out_addr[2 * at] = (uint8_t)(tail[i] >> 8);
    out_addr[2 * at + 1] = (uint8_t)tail[i];
  }
  return true;
}

bool bl_host_parse(struct bl_slice text, struct bl_host *out_host) {
  size_t colon = text.len;
  while (colon > 0 && text.ptr[colon - 1] != ':') colon--;
  if (colon == 0) return false;
  struct bl_slice addr = bl_slice_of(text.ptr, colon - 1);
  int32_t port;
  if (!bl_slice_i32(bl_slice_from(text, colon), &port) || port < 0 || port > 65535) return false;
  memset(out_host, 0, sizeof(*out_host));
  out_host->port = port;
  if (addr.len > 2 && addr.ptr[0] == '[' && addr.ptr[addr.len - 1] == ']') {
    out_host->addr_bytes = 16;
    return parse_v6(bl_slice_of(addr.ptr + 1, addr.len - 2), out_host->addr);
  }
  out_host->addr_bytes = 4;
  return parse_v4(addr, out_host->addr);
}
