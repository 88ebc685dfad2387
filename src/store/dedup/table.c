/* Extendible hashing: the first bits of a hash name a page, and a page is a small table with linear
 * probing that is made anew when 85 % of it are in use: without its dead entries, 70 % full, in two
 * when it would be too long. So no add moves more than one page, and memory follows what lives.
 *
 * A slot has 40 bits of the hash and 40 of the offset. The first depth <= 24 of the 40 bits choose
 * the page. The tags come first: a search that finds nothing looks at nothing else. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "store/dedup/dedup_internal.h"

#define SLOTS_MAX 2048u
#define SLOTS_MIN 16u
#define DEPTH_MAX 24u
#define HASH_BITS 40u
#define SLOT_BYTES 10u
#define REST_BYTES 6u
#define SWEEP_PAGES 64
#define SWEEP_REBUILDS 2

struct bl_dedup_page {
  uint32_t slots;
  uint32_t used;
  uint32_t used_max;
  uint32_t depth;
  int64_t base; /* offsets are stored from here on */
  int64_t oldest;
  int64_t newest;
  uint32_t tags[]; /* 0: free; behind them for each the rest: first u8, high u8, low u32 */
};

static uint8_t *rest_of(struct bl_dedup_page *page, uint32_t slots, uint32_t slot) {
  return (uint8_t *)(page->tags + slots) + (size_t)slot * REST_BYTES;
}
static uint8_t first_at(struct bl_dedup_page *page, uint32_t slot) {
  return rest_of(page, page->slots, slot)[0];
}

static uint32_t tag_of(uint64_t hash) {
  uint32_t tag = (uint32_t)hash;
  return tag != 0 ? tag : 1;
}
static uint8_t first_of(uint64_t hash) {
  return (uint8_t)(hash >> 32);
}

static uint32_t home_of(uint32_t slots, uint32_t tag) {
  return (uint32_t)(((uint64_t)(tag * 0x9E3779B1u) * slots) >> 32);
}

/* first and tag are the 40 bits. */
static uint32_t place_of(uint32_t depth, uint8_t first, uint32_t tag) {
  uint64_t bits = (uint64_t)first << 32 | tag;
  return (uint32_t)(bits >> (HASH_BITS - depth));
}

static int64_t offset_at(struct bl_dedup_page *page, uint32_t slot) {
  const uint8_t *rest = rest_of(page, page->slots, slot);
  return page->base + (int64_t)((uint64_t)rest[1] << 32 | bl_load_u32(rest + 2));
}

static size_t page_bytes(uint32_t slots) {
  return sizeof(struct bl_dedup_page) + (size_t)slots * SLOT_BYTES;
}

static struct bl_dedup_page *new_page(struct bl_dedup_table *table, uint32_t live, uint32_t depth,
                                      int64_t base) {
  uint32_t slots = live + live * 3 / 7 + 1;
  if (slots < SLOTS_MIN) slots = SLOTS_MIN;
  struct bl_dedup_page *page = malloc(page_bytes(slots));
  BL_ASSERT(page != NULL);
  *page = (struct bl_dedup_page){.slots = slots,
                                 .used_max = (uint32_t)((uint64_t)slots * 85 / 100),
                                 .depth = depth,
                                 .base = base,
                                 .oldest = INT64_MAX,
                                 .newest = -1};
  memset(page->tags, 0, (size_t)slots * sizeof(uint32_t));
  table->pages++;
  table->bytes += (int64_t)page_bytes(slots);
  return page;
}

static void free_page(struct bl_dedup_table *table, struct bl_dedup_page *page) {
  table->pages--;
  table->bytes -= (int64_t)page_bytes(page->slots);
  free(page);
}

/* Into a slot that is free. */
static void fill(struct bl_dedup_page *page, uint32_t slot, uint32_t tag, uint8_t first,
                 int64_t offset) {
  uint64_t relative = (uint64_t)(offset - page->base);
  uint8_t *rest = rest_of(page, page->slots, slot);
  page->tags[slot] = tag;
  rest[0] = first;
  rest[1] = (uint8_t)(relative >> 32);
  bl_store_u32(rest + 2, (uint32_t)relative);
  page->used++;
  if (offset < page->oldest) page->oldest = offset;
  if (offset > page->newest) page->newest = offset;
}

static void put(struct bl_dedup_page *page, uint32_t tag, uint8_t first, int64_t offset) {
  uint32_t slot = home_of(page->slots, tag);
  while (page->tags[slot] != 0) slot = slot + 1 < page->slots ? slot + 1 : 0;
  fill(page, slot, tag, first, offset);
}

/* Every place of the page's hashes. */
static void set_places(struct bl_dedup_table *table, uint32_t place, struct bl_dedup_page *page) {
  uint32_t more = table->depth - page->depth;
  uint32_t from = place >> more << more;
  for (uint32_t i = 0; i < 1u << more; i++)
    table->places[from + i] = (struct bl_dedup_place){page, page->slots};
}

static void deepen(struct bl_dedup_table *table) {
  size_t count = (size_t)1 << table->depth;
  struct bl_dedup_place *places = malloc(2 * count * sizeof(*places));
  BL_ASSERT(places != NULL);
  for (size_t i = 0; i < count; i++) places[2 * i] = places[2 * i + 1] = table->places[i];
  table->bytes += (int64_t)(count * sizeof(*places));
  free(table->places);
  table->places = places;
  table->depth++;
}

/* The page at that place anew, as one or as two. */
static void rebuild(struct bl_dedup_table *table, uint32_t place, int64_t floor) {
  struct bl_dedup_page *old = table->places[place].page;
  uint32_t half_bit = HASH_BITS - old->depth - 1;
  uint32_t live[2] = {0, 0};
  for (uint32_t i = 0; i < old->slots; i++) {
    if (old->tags[i] == 0 || offset_at(old, i) < floor) continue;
    uint64_t bits = (uint64_t)first_at(old, i) << 32 | old->tags[i];
    live[bits >> half_bit & 1]++;
  }
  bool split = (live[0] + live[1]) * 10 / 7 > SLOTS_MAX && old->depth < DEPTH_MAX;
  struct bl_dedup_page *now[2];
  if (split && old->depth == table->depth) {
    deepen(table);
    place *= 2;
  }
  if (split) {
    now[0] = new_page(table, live[0], old->depth + 1, floor);
    now[1] = new_page(table, live[1], old->depth + 1, floor);
    uint32_t half = 1u << (table->depth - old->depth - 1);
    uint32_t from = place / (2 * half) * (2 * half);
    set_places(table, from, now[0]);
    set_places(table, from + half, now[1]);
  } else {
    now[0] = now[1] = new_page(table, live[0] + live[1], old->depth, floor);
    set_places(table, place, now[0]);
  }
  for (uint32_t i = 0; i < old->slots; i++) {
    int64_t offset;
    if (old->tags[i] == 0 || (offset = offset_at(old, i)) < floor) continue;
    uint64_t bits = (uint64_t)first_at(old, i) << 32 | old->tags[i];
    put(now[bits >> half_bit & 1], old->tags[i], first_at(old, i), offset);
  }
  free_page(table, old);
}

static void begin(struct bl_dedup_table *table, int64_t floor) {
  table->depth = 0;
  table->places = malloc(sizeof(*table->places));
  BL_ASSERT(table->places != NULL);
  table->bytes += (int64_t)sizeof(*table->places);
  set_places(table, 0, new_page(table, 0, 0, floor));
}

void bl_dedup__table_reserve(struct bl_dedup_table *table, int64_t count, int64_t floor) {
  if (table->places != NULL) return;
  begin(table, floor);
  while (table->depth < DEPTH_MAX && (count >> table->depth) * 10 / 7 > SLOTS_MAX) deepen(table);
  free_page(table, table->places[0].page);
  uint32_t live = (uint32_t)(count >> table->depth);
  for (uint32_t i = 0; i < 1u << table->depth; i++)
    set_places(table, i, new_page(table, live, table->depth, floor));
}

bool bl_dedup__table_add(struct bl_dedup_table *table, uint64_t hash, int64_t offset,
                         int64_t floor) {
  BL_ASSERT(offset >= floor && offset - floor < BL_DEDUP_SPAN_BYTES);
  if (table->places == NULL) begin(table, floor);
  uint32_t tag = tag_of(hash);
  uint8_t first = first_of(hash);
  struct bl_dedup_page *page = table->places[place_of(table->depth, first, tag)].page;
  uint32_t slot = home_of(page->slots, tag);
  while (page->tags[slot] != 0) {
    if (page->tags[slot] == tag && first_at(page, slot) == first && offset_at(page, slot) == offset)
      return false;
    slot = slot + 1 < page->slots ? slot + 1 : 0;
  }
  if (page->used < page->used_max && offset - page->base < BL_DEDUP_SPAN_BYTES) {
    fill(page, slot, tag, first, offset);
    return true;
  }
  while (page->used >= page->used_max || offset - page->base >= BL_DEDUP_SPAN_BYTES) {
    rebuild(table, place_of(table->depth, first, tag), floor);
    page = table->places[place_of(table->depth, first, tag)].page;
  }
  put(page, tag, first, offset);
  return true;
}

uint32_t bl_dedup__table_find(const struct bl_dedup_table *table, uint64_t hash, int64_t floor,
                              int64_t *out_offsets, uint32_t max) {
  if (table->places == NULL) return 0;
  uint32_t tag = tag_of(hash);
  uint8_t first = first_of(hash);
  const struct bl_dedup_place *place = &table->places[place_of(table->depth, first, tag)];
  struct bl_dedup_page *page = place->page;
  uint32_t slots = place->slots;
  uint32_t count = 0;
  for (uint32_t slot = home_of(slots, tag); page->tags[slot] != 0;) {
    if (page->tags[slot] == tag && first_at(page, slot) == first) {
      int64_t offset = offset_at(page, slot);
      uint32_t at = count;
      while (at > 0 && out_offsets[at - 1] > offset) at--;
      if (offset >= floor && at < max) {
        if (count < max) count++;
        memmove(out_offsets + at + 1, out_offsets + at, (count - 1 - at) * sizeof(int64_t));
        out_offsets[at] = offset;
      }
    }
    slot = slot + 1 < slots ? slot + 1 : 0;
  }
  return count;
}

/* What is dead without a look at its slots is cheap to free; others are only made anew when much of
 * them may be dead. */
bool bl_dedup__table_sweep(struct bl_dedup_table *table, int64_t floor, uint32_t *at) {
  int rebuilds = 0;
  for (int i = 0; i < SWEEP_PAGES && rebuilds < SWEEP_REBUILDS; i++) {
    uint32_t count = table->places != NULL ? 1u << table->depth : 0;
    if (*at >= count) {
      *at = 0;
      return false;
    }
    struct bl_dedup_page *page = table->places[*at].page;
    int64_t span = page->newest - page->oldest;
    bool dead = page->used > 0 && page->newest < floor;
    bool old = dead || (page->used > 0 && floor - page->oldest > span / 4);
    if (old) {
      rebuilds += dead ? 0 : 1;
      rebuild(table, *at, floor);
      page = table->places[*at].page;
    }
    *at += 1u << (table->depth - page->depth);
  }
  return true;
}

void bl_dedup__table_clear(struct bl_dedup_table *table) {
  uint32_t count = table->places != NULL ? 1u << table->depth : 0;
  for (uint32_t i = 0; i < count;) {
    struct bl_dedup_page *page = table->places[i].page;
    i += 1u << (table->depth - page->depth);
    free_page(table, page);
  }
  free(table->places);
  *table = (struct bl_dedup_table){0};
}

void bl_dedup__table_prefetch(const struct bl_dedup_table *table, uint64_t hash) {
  if (table->places == NULL) return;
  uint32_t tag = tag_of(hash);
  const struct bl_dedup_place *place = &table->places[place_of(table->depth, first_of(hash), tag)];
  uint32_t slot = home_of(place->slots, tag);
  __builtin_prefetch(&place->page->tags[slot], 1);
  __builtin_prefetch(rest_of(place->page, place->slots, slot), 1);
}
