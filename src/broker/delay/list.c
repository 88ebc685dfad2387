#include "broker/broker.h"
#include "broker/delay/operate.h"
#include "wire/properties.h"

#define STEP_NS 100000
#define STEPS_PER_LOOK 4
/* Entries that are looked at for one list. */
#define BRIEF_MAX BL_PENDING_LOOK_MAX
#define READ_MAX BL_DELAY_ROWS_MAX

static void on_fetched(struct bl_record_fetch *fetch) {
  struct bl_delay_list *list = BL_CONTAINER(fetch, struct bl_delay_list, fetch);
  list->fetching = false;
  list->fetched = true;
}

static bool reads_records(const struct bl_delay_list *list) {
  return list->bucket_ms == 0 || list->topic.ptr != NULL;
}

static void count(struct bl_delay_list *list, int64_t due_ms) {
  int64_t start_ms = due_ms - due_ms % list->bucket_ms;
  if (due_ms < 0 && start_ms > due_ms) start_ms -= list->bucket_ms;
  if (list->bucket_count > 0 && start_ms != list->bucket_start_ms) {
    list->on_bucket(list->context, list->bucket_start_ms, list->bucket_count);
    list->bucket_count = 0;
  }
  list->bucket_start_ms = start_ms;
  list->bucket_count++;
}

static void give_row(struct bl_delay_list *list, const struct bl_pending_entry *entry,
                     const struct bl_record *record) {
  struct bl_slice properties = record->properties;
  struct bl_delay_row row = {.due_ms = entry->due_ms,
                             .log_offset = entry->log_offset,
                             .store_ms = record->store_ms,
                             .topic = bl_properties_get(properties, BL_PROP_REAL_TOPIC),
                             .queue_id = -1,
                             .uniq_key = bl_properties_get(properties, BL_PROP_UNIQ_KEY),
                             .keys = bl_properties_get(properties, BL_PROP_KEYS),
                             .tags = bl_properties_get(properties, BL_PROP_TAGS),
                             .store_host = record->store_host,
                             .body_bytes = (uint32_t)record->body.len,
                             .is_recall = entry->kind == BL_PENDING_CANCEL};
  (void)bl_slice_i32(bl_properties_get(properties, BL_PROP_REAL_QUEUE), &row.queue_id);
  if (list->topic.ptr != NULL && !bl_slice_eq(row.topic, list->topic)) return;
  if (list->bucket_ms == 0) {
    list->on_row(list->context, &row);
  } else if (!row.is_recall) {
    count(list, row.due_ms);
  }
}

/* What cannot be read any more is left out. */
static void take_record(struct bl_delay_list *list, const struct bl_pending_entry *entry) {
  const struct bl_record *record = &list->fetch.record;
  if (list->fetch.err == BL_OK && bl_pending_is_of(list->broker->pending, entry, record))
    give_row(list, entry, record);
  bl_record_fetch_fini(&list->fetch);
  list->fetched = false;
}

/* false: the disk is read. */
static bool take_entry(struct bl_delay_list *list, const struct bl_pending_entry *entry) {
  if (!reads_records(list)) {
    if (entry->kind == BL_PENDING_MESSAGE) count(list, entry->due_ms);
    list->at++;
    return true;
  }
  if (!list->fetched) {
    list->fetching = true;
    bl_record_fetch_start(&list->fetch, list->broker, entry->log_offset, on_fetched);
    if (list->fetching) return false;
  }
  take_record(list, entry);
  list->at++;
  return true;
}

static enum bl_delay_operation finish(struct bl_delay_list *list, struct bl_pending_place next,
                                      bool end) {
  if (list->bucket_count > 0)
    list->on_bucket(list->context, list->bucket_start_ms, list->bucket_count);
  list->bucket_count = 0;
  list->ask.after = next;
  list->end = end;
  return BL_DELAY_ENDED;
}

static enum bl_delay_operation look(struct bl_delay_list *list, int64_t until_ns) {
  const struct bl_clock *clock = list->broker->clock;
  if (list->look == NULL) {
    list->ask.max = reads_records(list) ? READ_MAX : BRIEF_MAX;
    list->look = bl_pending_look_new(list->broker->pending, &list->ask);
    if (list->look == NULL) return BL_DELAY_MORE;
  }
  for (int i = 1;; i++) {
    enum bl_pending_look_step step = bl_pending_look_step(list->look);
    if (step == BL_PENDING_LOOK_WAIT) return BL_DELAY_WAITS;
    if (step == BL_PENDING_LOOK_DONE) break;
    if (i % STEPS_PER_LOOK == 0 && bl_clock_mono_ns(clock) > until_ns) return BL_DELAY_MORE;
  }
  list->looked = true;
  return BL_DELAY_MORE;
}

enum bl_delay_operation bl_delay_list_step(struct bl_delay_list *list) {
  const struct bl_clock *clock = list->broker->clock;
  int64_t until_ns = bl_clock_mono_ns(clock) + STEP_NS;
  const struct bl_pending_entry *entries;
  uint32_t entry_count;
  struct bl_pending_place next;
  bool end;
  if (list->fetching) return BL_DELAY_WAITS;
  if (!list->looked) return look(list, until_ns);
  list->err = bl_pending_look_result(list->look, &entries, &entry_count, &next, &end);
  if (list->err != BL_OK) return BL_DELAY_ENDED;
  for (int i = 1; list->at < entry_count; i++) {
    if (!take_entry(list, &entries[list->at])) return BL_DELAY_WAITS;
    bool due_to_look = reads_records(list) || i % STEPS_PER_LOOK == 0;
    if (due_to_look && bl_clock_mono_ns(clock) > until_ns) return BL_DELAY_MORE;
  }
  return finish(list, next, end);
}

bool bl_delay_list_may_free(const struct bl_delay_list *list) {
  return !list->fetching;
}

void bl_delay_list_fini(struct bl_delay_list *list) {
  if (list->fetched) bl_record_fetch_fini(&list->fetch);
  bl_pending_look_free(list->look);
  list->look = NULL;
  list->fetched = false;
}
