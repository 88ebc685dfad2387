/* Messages for one queue that go in one request, in the encoding of batch bodies. Pure.
 * Source: apache/rocketmq common MessageDecoder#encodeMessage; reference protocol.md 2.9. */
#ifndef BOLIDE_CLIENT_PACK_H
#define BOLIDE_CLIENT_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

#define BL_PACK_BYTES_MAX 262144 /* of more than one message; one alone may be longer */
#define BL_PACK_COUNT_MAX 1024

struct bl_pack_item {
  uint64_t token;
  uint32_t at; /* of the entry in bytes */
  char uniq_key[33];
};

struct bl_pack {
  struct bl_buf bytes;
  struct bl_pack_item *items;
  uint32_t count;
  uint32_t cap;
};

/* A zeroed struct is an empty pack. */
void bl_pack_fini(struct bl_pack *pack);
/* false: the message does not fit beside those that are there. An empty pack takes any. */
bool bl_pack_fits(const struct bl_pack *pack, size_t properties_bytes, size_t body_bytes);
/* Adds the message with its unique key behind the properties, which end in 0x02 when there are any.
 */
void bl_pack_add(struct bl_pack *pack, uint64_t token, const char uniq_key[33], int32_t flag,
                 struct bl_slice properties, struct bl_slice body);
/* The parts of one entry. BORROWED from the pack. */
void bl_pack_entry(const struct bl_pack *pack, uint32_t index, struct bl_slice *out_properties,
                   struct bl_slice *out_body);
int32_t bl_pack_entry_flag(const struct bl_pack *pack, uint32_t index);

#endif
