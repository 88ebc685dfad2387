#include "client/pack.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "wire/properties.h"

#define ENTRY_FIXED_BYTES 22
#define KEY_PROPERTY_BYTES (8 + 1 + 32 + 1) /* UNIQ_KEY 0x01 key 0x02 */

void bl_pack_fini(struct bl_pack *pack) {
  bl_buf_fini(&pack->bytes);
  free(pack->items);
  *pack = (struct bl_pack){.items = NULL};
}

bool bl_pack_fits(const struct bl_pack *pack, size_t properties_bytes, size_t body_bytes) {
  if (pack->count == 0) return true;
  if (pack->count == BL_PACK_COUNT_MAX) return false;
  size_t entry_bytes = ENTRY_FIXED_BYTES + properties_bytes + KEY_PROPERTY_BYTES + body_bytes;
  return pack->bytes.len + entry_bytes <= BL_PACK_BYTES_MAX;
}

static struct bl_pack_item *add_item(struct bl_pack *pack) {
  if (pack->count == pack->cap) {
    pack->cap = pack->cap == 0 ? 4 : pack->cap * 4;
    pack->items = realloc(pack->items, pack->cap * sizeof(*pack->items));
    BL_ASSERT(pack->items != NULL);
  }
  return &pack->items[pack->count++];
}

void bl_pack_add(struct bl_pack *pack, uint64_t token, const char uniq_key[33], int32_t flag,
                 struct bl_slice properties, struct bl_slice body) {
  struct bl_pack_item *item = add_item(pack);
  item->token = token;
  item->at = (uint32_t)pack->bytes.len;
  memcpy(item->uniq_key, uniq_key, sizeof(item->uniq_key));
  size_t properties_bytes = properties.len + KEY_PROPERTY_BYTES;
  size_t entry_bytes = ENTRY_FIXED_BYTES + body.len + properties_bytes;
  BL_ASSERT(properties_bytes <= UINT16_MAX && entry_bytes <= INT32_MAX);
  BL_ASSERT(bl_buf_reserve(&pack->bytes, entry_bytes) != NULL);
  bl_buf_put_u32(&pack->bytes, (uint32_t)entry_bytes);
  bl_buf_put_u32(&pack->bytes, 0); /* magic and CRC: the broker looks at neither */
  bl_buf_put_u32(&pack->bytes, 0);
  bl_buf_put_u32(&pack->bytes, (uint32_t)flag);
  bl_buf_put_u32(&pack->bytes, (uint32_t)body.len);
  bl_buf_put_slice(&pack->bytes, body);
  bl_buf_put_u16(&pack->bytes, (uint16_t)properties_bytes);
  bl_buf_put_slice(&pack->bytes, properties);
  bl_properties_put(&pack->bytes, BL_PROP_UNIQ_KEY, bl_slice_of(uniq_key, 32));
}

void bl_pack_entry(const struct bl_pack *pack, uint32_t index, struct bl_slice *out_properties,
                   struct bl_slice *out_body) {
  BL_ASSERT(index < pack->count);
  const char *entry = pack->bytes.data + pack->items[index].at;
  uint32_t body_bytes = bl_load_u32(entry + 16);
  *out_body = bl_slice_of(entry + 20, body_bytes);
  *out_properties = bl_slice_of(entry + 22 + body_bytes, bl_load_u16(entry + 20 + body_bytes));
}

int32_t bl_pack_entry_flag(const struct bl_pack *pack, uint32_t index) {
  BL_ASSERT(index < pack->count);
  return (int32_t)bl_load_u32(pack->bytes.data + pack->items[index].at + 12);
}
