/* A network address as RocketMQ stores it: 4 or 16 address bytes and a port. Pure. */
#ifndef BOLIDE_WIRE_HOST_H
#define BOLIDE_WIRE_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct bl_host {
  uint8_t addr[16];
  uint8_t addr_bytes; /* 4 or 16 */
  int32_t port;
};

#define BL_HOST_TEXT_MAX 64

/* "1.2.3.4:5" or "[::1]:5"; NUL terminated. RETURNS the length. */
size_t bl_host_text(const struct bl_host *host, char out_text[BL_HOST_TEXT_MAX]);
/* The address part alone. */
size_t bl_host_addr_text(const struct bl_host *host, char out_text[BL_HOST_TEXT_MAX]);
/* false: not an IP address and port. Names are not resolved here. */
bool bl_host_parse(struct bl_slice text, struct bl_host *out_host);

#endif
