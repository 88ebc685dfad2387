#include "server/advertise.h"

#include <stdio.h>
#include <string.h>

#include "wire/host.h"

static bool parse_network(struct bl_slice text, struct bl_advertise_entry *entry) {
  struct bl_slice bits_text = text;
  struct bl_slice addr = bl_slice_cut(&bits_text, '/');
  char with_port[BL_HOST_TEXT_MAX + 8];
  struct bl_host host;
  int32_t bits;
  bool v6 = addr.len > 0 && memchr(addr.ptr, ':', addr.len) != NULL;
  if (addr.len >= BL_HOST_TEXT_MAX || bits_text.ptr == NULL || !bl_slice_i32(bits_text, &bits))
    return false;
  int len = snprintf(with_port, sizeof(with_port), v6 ? "[%.*s]:0" : "%.*s:0", BL_FMT(addr));
  if (!bl_host_parse(bl_slice_of(with_port, (size_t)len), &host)) return false;
  if (bits < 0 || bits > host.addr_bytes * 8) return false;
  entry->network.addr_bytes = host.addr_bytes;
  memcpy(entry->network.addr, host.addr, sizeof(host.addr));
  entry->prefix_bits = bits;
  return true;
}

/* A name, an IPv4 address, or an IPv6 address in brackets: what a client can take apart again. */
static bool is_host(struct bl_slice host) {
  if (host.len == 0) return false;
  if (host.ptr[0] == '[') {
    char with_port[BL_HOST_TEXT_MAX + 8];
    struct bl_host parsed;
    if (host.len >= BL_HOST_TEXT_MAX) return false;
    int len = snprintf(with_port, sizeof(with_port), "%.*s:0", BL_FMT(host));
    return bl_host_parse(bl_slice_of(with_port, (size_t)len), &parsed);
  }
  for (size_t i = 0; i < host.len; i++) {
    char c = host.ptr[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && c != '.' && c != '-' && c != '_') return false;
  }
  return true;
}

static bool parse_entry(struct bl_slice text, struct bl_advertise_entry *entry) {
  struct bl_slice address = text;
  struct bl_slice network = bl_slice_cut(&address, '=');
  entry->prefix_bits = -1;
  if (address.ptr == NULL) {
    address = network;
  } else if (!parse_network(network, entry)) {
    return false;
  }
  size_t colon = address.len;
  int32_t port;
  while (colon > 0 && address.ptr[colon - 1] != ':') colon--;
  if (colon < 2 || address.len >= sizeof(entry->address)) return false;
  if (!bl_slice_i32(bl_slice_from(address, colon), &port) || port < 1 || port > 65535) return false;
  if (!is_host(bl_slice_of(address.ptr, colon - 1))) return false;
  memcpy(entry->address, address.ptr, address.len);
  entry->address[address.len] = '\0';
  return true;
}

bl_err bl_advertise_parse(const char *text, struct bl_advertise *out_advertise,
                          struct bl_why *why) {
  struct bl_slice rest = bl_slice_text(text);
  memset(out_advertise, 0, sizeof(*out_advertise));
  while (rest.ptr != NULL) {
    struct bl_slice part = bl_slice_trim(bl_slice_cut(&rest, ','));
    if (part.len == 0) continue;
    if (out_advertise->count == BL_ADVERTISE_MAX ||
        !parse_entry(part, &out_advertise->entries[out_advertise->count])) {
      return bl_why_set(why, BL_ERR_USAGE,
                        "advertise: '%.*s' is not [CIDR=]HOST:PORT, for example "
                        "10.0.0.0/8=broker.internal:10911",
                        BL_FMT(part));
    }
    out_advertise->count++;
  }
  return BL_OK;
}

static bool is_in(const struct bl_advertise_entry *entry, const struct bl_net_addr *peer) {
  if (entry->prefix_bits < 0) return true;
  if (entry->network.addr_bytes != peer->addr_bytes) return false;
  int whole = entry->prefix_bits / 8;
  int rest = entry->prefix_bits % 8;
  if (memcmp(entry->network.addr, peer->addr, (size_t)whole) != 0) return false;
  if (rest == 0) return true;
  uint8_t mask = (uint8_t)(0xff << (8 - rest));
  return ((entry->network.addr[whole] ^ peer->addr[whole]) & mask) == 0;
}

const char *bl_advertise_for(const struct bl_advertise *advertise, const struct bl_net_addr *peer) {
  const struct bl_advertise_entry *best = NULL;
  for (int i = 0; i < advertise->count; i++) {
    const struct bl_advertise_entry *entry = &advertise->entries[i];
    if (is_in(entry, peer) && (best == NULL || entry->prefix_bits > best->prefix_bits))
      best = entry;
  }
  return best != NULL ? best->address : NULL;
}

const char *bl_advertise_default(const struct bl_advertise *advertise) {
  for (int i = 0; i < advertise->count; i++) {
    if (advertise->entries[i].prefix_bits < 0) return advertise->entries[i].address;
  }
  return NULL;
}
