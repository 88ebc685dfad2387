#include "broker/query/search.h"

#include "broker/broker.h"
#include "wire/properties.h"

#define TRIES_MAX 8
/* A step looks at records of that many bytes, or at so many records. */
#define STEP_BYTES (128 << 10)
#define STEP_RECORDS 64
/* So many candidates are looked at in all: rounds of BL_MESSAGE_SEARCH_MAX. */
#define ROUNDS_MAX 256

static void step(struct bl_message_search *search);

bool bl_record_has_key(const struct bl_record *record, struct bl_slice topic, struct bl_slice key) {
  if (!bl_slice_eq(record->topic, topic) || key.len == 0) return false;
  if (bl_slice_eq(bl_properties_get(record->properties, BL_PROP_UNIQ_KEY), key)) return true;
  struct bl_slice words = bl_properties_get(record->properties, BL_PROP_KEYS);
  while (words.ptr != NULL) {
    if (bl_slice_eq(bl_slice_cut(&words, ' '), key)) return true;
  }
  return false;
}

static void finish(struct bl_message_search *search, bl_err err) {
  search->err = err;
  search->done(search);
}

static void take(struct bl_message_search *search, const struct bl_record *record,
                 struct bl_slice bytes) {
  if (record->store_ms < search->begin_ms) search->past = true;
  if (!bl_record_has_key(record, search->topic, search->key)) return;
  if (record->store_ms < search->begin_ms || record->store_ms > search->end_ms) return;
  if (search->found_count == 0) {
    search->newest_offset = record->log_offset;
    search->newest_ms = record->store_ms;
  }
  search->found[search->found_count++] = bl_arena_copy(&search->arena, bytes);
  search->bytes += (int64_t)bytes.len;
}

/* Candidates come newest first, and store times never decrease. */
static bool is_full(const struct bl_message_search *search) {
  return search->past || search->found_count >= search->max ||
         search->bytes >= BL_MESSAGE_SEARCH_BYTES_MAX;
}

static void on_keys(struct bl_keys_search *keys);

/* All candidates of this round were looked at. The next ones are older. */
static bool next_round(struct bl_message_search *search) {
  if (search->keys.count < BL_MESSAGE_SEARCH_MAX || ++search->rounds == ROUNDS_MAX) return false;
  int64_t below = search->keys.offsets[search->keys.count - 1];
  search->next = 0;
  bl_keys_find(search->broker->keys, &search->keys, search->topic, search->key, below,
               BL_MESSAGE_SEARCH_MAX, on_keys);
  return true;
}

static void step(struct bl_message_search *search) {
  int64_t looked = 0;
  for (int records = 0; records < STEP_RECORDS && looked < STEP_BYTES && !is_full(search) &&
                        search->next < search->keys.count;
       records++) {
    struct bl_record record;
    struct bl_slice bytes;
    struct bl_cold_place cold;
    bl_arena_reset(&search->scratch);
    bl_err err = bl_query_record(search->broker, search->keys.offsets[search->next],
                                 &search->scratch, &record, &bytes, &cold);
    if (err == BL_ERR_COLD && search->tries < TRIES_MAX && !search->broker->closing) {
      search->tries++;
      bl_query_warm_start(search->broker, &search->warm, &cold);
      return;
    }
    /* A record that cannot be read is left out: the others are still an answer. */
    if (err == BL_OK) {
      take(search, &record, bytes);
      looked += (int64_t)bytes.len;
    }
    search->tries = 0;
    search->next++;
  }
  if (is_full(search) || search->broker->closing) {
    finish(search, BL_OK);
    return;
  }
  if (search->next >= search->keys.count) {
    if (!next_round(search)) finish(search, BL_OK);
    return;
  }
  bl_timer_set(search->broker->timers, &search->timer, bl_clock_mono_ms(search->broker->clock));
}

static void on_timer(struct bl_timer *timer, int64_t now_ms) {
  (void)now_ms;
  step(BL_CONTAINER(timer, struct bl_message_search, timer));
}

static void on_warm(struct bl_query_warm *warm) {
  struct bl_message_search *search = BL_CONTAINER(warm, struct bl_message_search, warm);
  if (warm->err != BL_OK) search->tries = TRIES_MAX;
  step(search);
}

static void on_keys(struct bl_keys_search *keys) {
  struct bl_message_search *search = BL_CONTAINER(keys, struct bl_message_search, keys);
  if (keys->err != BL_OK) {
    finish(search, keys->err);
  } else {
    step(search);
  }
}

void bl_message_search_start(struct bl_message_search *search, struct bl_broker *broker,
                             struct bl_slice topic, struct bl_slice key, int64_t begin_ms,
                             int64_t end_ms, int32_t max,
                             void (*done)(struct bl_message_search *search)) {
  memset(search, 0, sizeof(*search));
  bl_arena_init(&search->arena);
  bl_arena_init(&search->scratch);
  search->broker = broker;
  search->topic = bl_arena_copy(&search->arena, topic);
  search->key = bl_arena_copy(&search->arena, key);
  search->begin_ms = begin_ms;
  search->end_ms = end_ms;
  search->max = max < 0 ? 0 : max > BL_MESSAGE_SEARCH_MAX ? BL_MESSAGE_SEARCH_MAX : (uint32_t)max;
  search->warm.done = on_warm;
  search->timer.fire = on_timer;
  search->done = done;
  bl_keys_find(broker->keys, &search->keys, topic, key, INT64_MAX, BL_MESSAGE_SEARCH_MAX, on_keys);
}

void bl_message_search_fini(struct bl_message_search *search) {
  bl_arena_fini(&search->arena);
  bl_arena_fini(&search->scratch);
}
