#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "store/check/verify_internal.h"
#include "wire/msgid.h"
#include "wire/properties.h"

#define QUEUES_MAX ((size_t)1 << 22)
#define REPAIR "stop the server and run `bolide log repair` on the store"

/* The walk of the log, as far as one record needs the one before. */
struct walk {
  struct bl_verify *verify;
  struct bl_scan scan;
  int64_t last_store_ms;
  /* Records without the property CRC right behind ones with it. */
  int64_t bare_records;
  int64_t bare_offset;
  int64_t bare_bytes;
  bool crc_before; /* a record with it came before those */
};

static struct bl_finding finding_at(struct bl_verify *verify, enum bl_finding_level level,
                                    const char *kind, int64_t offset, int64_t bytes,
                                    char file[64]) {
  struct bl_finding finding = bl_finding_of(level, kind, file, NULL, NULL);
  finding.file_offset = bl_source_place(verify->source, offset, file);
  finding.log_offset = offset;
  finding.bytes = bytes;
  return finding;
}

static void name_record(struct bl_finding *finding, const struct bl_record *record,
                        char message_id[BL_MSGID_TEXT_MAX]) {
  bl_msgid_text(&record->store_host, finding->log_offset, message_id);
  finding->topic = record->topic;
  finding->queue_id = record->queue_id;
  finding->queue_offset = record->queue_offset;
  finding->message_id = message_id;
  finding->unique_key = bl_properties_get(record->properties, BL_PROP_UNIQ_KEY);
}

static const char *reason_of(bl_err err) {
  if (err == BL_ERR_CRC) return "the checksum of the record does not match its bytes";
  return "no record is here: its size, its magic number, its own offset or its lengths are wrong";
}

static bool is_name(struct bl_slice topic) {
  if (topic.len == 0 || topic.len > 255) return false;
  for (size_t i = 0; i < topic.len; i++) {
    if ((unsigned char)topic.ptr[i] <= ' ' || topic.ptr[i] == 127) return false;
  }
  return true;
}

static void tell_bad(struct walk *walk, const struct bl_scan_item *item, const char *kind,
                     const char *what, const char *next) {
  struct bl_verify *verify = walk->verify;
  char file[64];
  char message_id[BL_MSGID_TEXT_MAX];
  struct bl_record record;
  struct bl_finding finding =
      finding_at(verify, BL_FINDING_DAMAGE, kind, item->from, item->to - item->from, file);
  finding.what = what;
  finding.next = next;
  if (bl_scan_guess(&walk->scan, item->from, item->to, &verify->scratch, &record) &&
      is_name(record.topic)) {
    name_record(&finding, &record, message_id);
    finding.guessed = true;
  }
  bl_verify__tell(verify, &finding);
}

static void tell_gap(struct walk *walk, const struct bl_scan_item *item) {
  struct bl_verify_totals *totals = walk->verify->totals;
  totals->gaps++;
  totals->damaged_bytes += item->to - item->from;
  char what[320];
  bool one = item->err == BL_ERR_CRC;
  snprintf(what, sizeof(what),
           "%s; whole records go on %" PRId64 " bytes behind: the message%s there cannot be read",
           reason_of(item->err), item->to - item->from, one ? "" : "s");
  tell_bad(walk, item, "record", what, REPAIR);
}

/* A tail: what is not zero in each file. */
static void tell_by_file(struct walk *walk, const struct bl_scan_item *tail, const char *what,
                         const char *next) {
  struct bl_source *source = walk->verify->source;
  int64_t bytes = source->log.segments.segment_bytes;
  for (int64_t from = tail->from; from < tail->to;) {
    struct bl_scan_item part = *tail;
    int64_t end = from - (from - bl_source_min(source)) % bytes + bytes;
    if (end > tail->to) end = tail->to;
    bl_source_data(source, from, end, &part.from, &part.to);
    if (part.from < end) tell_bad(walk, &part, "tail", what, next);
    from = end;
  }
}

/* Up to where the log was durable, there were records. */
static void tell_durable(struct walk *walk, struct bl_scan_item *item) {
  struct bl_source *source = walk->verify->source;
  char what[320];
  struct bl_scan_item part = *item;
  if (!source->has_mark || item->from >= source->mark.flushed) return;
  snprintf(what, sizeof(what),
           "%s; nothing whole follows, though the log was durable up to offset %" PRId64
           ": messages there are lost",
           reason_of(item->err), source->mark.flushed);
  part.to = source->mark.flushed;
  tell_bad(walk, &part, "record", what, REPAIR);
  item->from = part.to;
}

static void tell_tail(struct walk *walk, struct bl_scan_item *item) {
  struct bl_source *source = walk->verify->source;
  char what[400];
  walk->verify->totals->damaged_bytes += item->to - item->from;
  tell_durable(walk, item);
  if (item->stale > 0) {
    snprintf(
        what, sizeof(what),
        "behind the end of the log are bytes that are not zero, with %d records that are older "
        "than the last one: what a broker left when it cut the log",
        item->stale);
  } else {
    snprintf(what, sizeof(what),
             "behind the end of the log are bytes that are not zero: the rest of a write that a "
             "crash cut, or damage of the last record");
  }
  tell_by_file(walk, item, what,
               source->ours ? "the next start of the server saves these bytes in bolide/aside/ and "
                              "goes on before them; to save them now run `bolide log repair`"
                            : "a Java broker goes on before them; `bolide log repair` saves them "
                              "and zeroes them");
}

static void tell_end(struct walk *walk, int64_t end) {
  struct bl_verify *verify = walk->verify;
  struct bl_source *source = verify->source;
  verify->totals->log_end = end;
  if (!source->has_mark || end >= source->mark.flushed) return;
  char file[64];
  char what[256];
  struct bl_finding finding =
      finding_at(verify, BL_FINDING_DAMAGE, "end", end, source->mark.flushed - end, file);
  snprintf(what, sizeof(what),
           "the log ends at offset %" PRId64 ", but it was durable up to %" PRId64
           ": its last messages are gone",
           end, source->mark.flushed);
  finding.what = what;
  finding.next = "restore the file from a copy if there is one; the next start goes on from here";
  bl_verify__tell(verify, &finding);
}

static struct bl_verify_queue *find_queue(struct bl_verify *verify,
                                          const struct bl_record *record) {
  struct bl_verify_queue *queue = verify->last_queue;
  if (queue != NULL && queue->id == record->queue_id && bl_slice_eq(queue->topic, record->topic))
    return queue;
  char key[1100];
  size_t len = record->topic.len < 1024 ? record->topic.len : 1024;
  memcpy(key, record->topic.ptr, len);
  key[len] = 0;
  memcpy(key + len + 1, &record->queue_id, sizeof(record->queue_id));
  struct bl_slice name = bl_slice_of(key, len + 1 + sizeof(record->queue_id));
  queue = bl_map_get(&verify->queues, name);
  if (queue == NULL && verify->queues.count < QUEUES_MAX) {
    queue = calloc(1, sizeof(*queue) + record->topic.len);
    BL_ASSERT(queue != NULL);
    memcpy(queue->bytes, record->topic.ptr, record->topic.len);
    queue->topic = bl_slice_of(queue->bytes, record->topic.len);
    queue->id = record->queue_id;
    queue->first = -1;
    queue->next = -1;
    queue->last_log = -1;
    bl_map_put(&verify->queues, name, queue);
    verify->totals->queues++;
  }
  verify->last_queue = queue;
  return queue;
}

static void tell_order(struct walk *walk, const struct bl_record *record, const char *kind,
                       enum bl_finding_level level, const char *what, int64_t from, int64_t to) {
  struct bl_verify *verify = walk->verify;
  char file[64];
  char message_id[BL_MSGID_TEXT_MAX];
  struct bl_finding finding =
      finding_at(verify, level, kind, record->log_offset, record->size_bytes, file);
  name_record(&finding, record, message_id);
  if (from >= 0) {
    finding.queue_offset = from;
    finding.queue_offset_to = to;
    finding.message_id = NULL;
    finding.unique_key = (struct bl_slice){NULL, 0};
  }
  finding.what = what;
  bl_verify__tell(verify, &finding);
}

/* The record's queue offset is not the one that must come. */
static void out_of_order(struct walk *walk, const struct bl_verify_queue *queue,
                         const struct bl_record *record) {
  int64_t offset = record->queue_offset;
  bool damaged = walk->verify->totals->gaps > queue->gaps;
  if (offset > queue->next && damaged) {
    walk->verify->totals->lost_records += offset - queue->next;
    tell_order(walk, record, "lost", BL_FINDING_DAMAGE,
               "no record has these queue offsets: they were in the damage before this one",
               queue->next, offset);
  } else if (offset > queue->next && walk->verify->totals->filler_records > queue->fillers) {
    tell_order(walk, record, "lost", BL_FINDING_NOTE,
               "no record has these queue offsets: they were in damage that was repaired",
               queue->next, offset);
  } else if (offset < queue->next && offset == 0) {
    tell_order(walk, record, "order", BL_FINDING_NOTE,
               "the queue begins again at 0: its topic was deleted and created again", -1, -1);
  } else {
    tell_order(walk, record, "order",
               record->with_crc && !damaged ? BL_FINDING_NOTE : BL_FINDING_DAMAGE,
               record->with_crc
                   ? "the queue offset is not the one behind that of the record before, though the "
                     "checksum is right: it was written that way"
                   : "the queue offset is not the one behind that of the record before: queue "
                     "offset, queue id or topic of a record here may be damaged",
               -1, -1);
  }
}

static void take_in_queue(struct walk *walk, const struct bl_record *record,
                          const struct bl_entry *entry) {
  struct bl_verify *verify = walk->verify;
  struct bl_verify_queue *queue = find_queue(verify, record);
  if (queue == NULL || queue->last_log == record->log_offset) return;
  queue->last_log = record->log_offset;
  if (queue->next < 0) {
    queue->first = record->queue_offset;
    bool whole = bl_source_min(verify->source) == 0 && !verify->source->ours && !record->with_crc;
    if (whole && record->queue_offset > 0 && verify->totals->gaps == 0)
      tell_order(walk, record, "order", BL_FINDING_DAMAGE,
                 "the first record of its queue does not begin at 0: queue offset, queue id or "
                 "topic may be damaged",
                 -1, -1);
  } else if (record->queue_offset != queue->next) {
    out_of_order(walk, queue, record);
  }
  queue->records++;
  queue->next = record->queue_offset + entry->count;
  queue->gaps = verify->totals->gaps;
  queue->fillers = verify->totals->filler_records;
  if (verify->source->has_queues) bl_verify__unit(verify, queue, record, entry);
}

/* Light queues, too, as if the record had been sent to each. */
static void take_in_queues(struct walk *walk, const struct bl_record *record) {
  struct bl_entry entry = bl_entry_of(record);
  if (!entry.any) return;
  take_in_queue(walk, record, &entry);
  struct bl_entry rest = entry;
  struct bl_light_place place;
  entry.count = 1;
  while (bl_light_next(&rest, &place)) {
    struct bl_record in_light = *record;
    in_light.topic = place.queue;
    in_light.queue_id = BL_LIGHT_QUEUE_ID;
    in_light.queue_offset = place.queue_offset;
    take_in_queue(walk, &in_light, &entry);
  }
}

/* Among records with the property CRC there is none without it: its last bytes are damaged. */
static void tell_bare(struct walk *walk) {
  if (walk->bare_records != 1 || !walk->crc_before || !walk->verify->source->ours) return;
  char file[64];
  struct bl_finding finding = finding_at(walk->verify, BL_FINDING_DAMAGE, "record",
                                         walk->bare_offset, walk->bare_bytes, file);
  finding.what =
      "the record has no property checksum, but those around it have: its last bytes may be "
      "damaged";
  finding.next = "see with `bolide log dump --body` whether the message is right";
  bl_verify__tell(walk->verify, &finding);
}

static void watch_crc(struct walk *walk, const struct bl_record *record) {
  if (record->with_crc) {
    tell_bare(walk);
    walk->bare_records = 0;
    walk->crc_before = true;
  } else if (walk->bare_records++ == 0) {
    walk->bare_offset = record->log_offset;
    walk->bare_bytes = record->size_bytes;
  }
}

static void take_record(struct walk *walk, const struct bl_record *record) {
  struct bl_verify_totals *totals = walk->verify->totals;
  totals->records++;
  totals->record_bytes += record->size_bytes;
  if (record->with_crc) {
    totals->crc_records++;
  } else {
    totals->uncovered_bytes += record->size_bytes;
    if (record->body.len > 0) totals->uncovered_bytes -= (int64_t)record->body.len + 4;
  }
  if (bl_entry_is_filler(record)) {
    totals->filler_records++;
    tell_order(walk, record, "filler", BL_FINDING_NOTE,
               "a repair put this record over damage; what was here is in bolide/aside/", -1, -1);
  }
  watch_crc(walk, record);
  take_in_queues(walk, record);
  if (record->store_ms < walk->last_store_ms) {
    tell_order(walk, record, "time", BL_FINDING_NOTE,
               record->with_crc
                   ? "the store time is before that of the record before"
                   : "the store time is before that of the record before: a clock that "
                     "was set back, or damage",
               -1, -1);
  }
  walk->last_store_ms = record->store_ms;
}

/* Java may leave anything behind the blank record (transientStorePoolEnable); we write zeros. */
static void take_fill(struct walk *walk, const struct bl_scan_item *item) {
  struct bl_verify *verify = walk->verify;
  int64_t first = 0, last = 0;
  int64_t from = item->from + BL_RECORD_BLANK_BYTES;
  bl_source_data(verify->source, from, item->to, &first, &last);
  if (first == item->to) return;
  bool certain = verify->source->ours && walk->bare_records == 0 && walk->crc_before;
  char file[64];
  struct bl_finding finding = finding_at(verify, certain ? BL_FINDING_DAMAGE : BL_FINDING_NOTE,
                                         "fill", first, last - first, file);
  if (certain) {
    finding.what = "what fills the end of the file is not zero; no message is in it";
    finding.next = REPAIR;
  } else {
    finding.what = "what fills the end of the file is not zero; a Java broker may leave such bytes";
  }
  bl_verify__tell(verify, &finding);
}

static void tell_faults(struct bl_verify *verify) {
  static const struct {
    const char *what;
    const char *next;
  } texts[] = {
      [BL_SOURCE_MISSING] = {"the file is missing in the row: what was in it is lost",
                             "put it back if there is a copy"},
      [BL_SOURCE_SHORT] = {"the file is shorter than the others: what was behind is lost",
                           "put it back if there is a copy"},
      [BL_SOURCE_LONG] = {"the file is longer than the others", "cut it to their size"},
      [BL_SOURCE_STRANGE] = {"this is no file of the commit log; a broker does not start with it",
                             "move it away"},
  };
  struct bl_source *source = verify->source;
  for (int i = 0; i < source->fault_count && i < BL_SOURCE_FAULTS_MAX; i++) {
    const struct bl_source_fault *fault = &source->faults[i];
    char file[96];
    snprintf(file, sizeof(file), "commitlog/%s", fault->name);
    struct bl_finding finding = bl_finding_of(BL_FINDING_DAMAGE, "file", file,
                                              texts[fault->kind].what, texts[fault->kind].next);
    finding.log_offset = fault->offset;
    finding.bytes = fault->bytes;
    bl_verify__tell(verify, &finding);
  }
}

static void tell_unreadable(struct bl_verify *verify) {
  const struct bl_guard *guard = &verify->source->guard;
  const struct bl_segments *segments = &verify->source->log.segments;
  for (int i = 0; i < guard->unreadable_count; i++) {
    const struct bl_guard_range *range = &guard->unreadable[i];
    for (int s = 0; s < segments->count; s++) {
      if (segments->items[s].file != range->file) continue;
      char file[64];
      struct bl_finding finding =
          finding_at(verify, BL_FINDING_DAMAGE, "unreadable",
                     segments->items[s].first_offset + range->from, range->to - range->from, file);
      finding.what = "the disk cannot read these bytes (input/output error)";
      finding.next = "copy the store to another disk, then repair the copy";
      bl_verify__tell(verify, &finding);
    }
  }
}

/* The bytes before the mark are those that the server saw there, as long as nobody cut the log. */
bl_err bl_verify__log(struct bl_verify *verify, struct bl_why *why) {
  struct bl_source *source = verify->source;
  struct walk walk = {.verify = verify};
  struct bl_scan_item item = {.kind = BL_SCAN_RECORD};
  verify->totals->segments = source->log.segments.count;
  verify->totals->log_min = bl_source_min(source);
  tell_faults(verify);
  bl_scan_init(&walk.scan, source, bl_source_min(source), verify->settings->settle_ms);
  bl_err err = BL_OK;
  while (err == BL_OK && item.kind != BL_SCAN_END) {
    err = bl_scan_next(&walk.scan, &item);
    if (err != BL_OK) break;
    if (item.kind == BL_SCAN_RECORD) {
      take_record(&walk, &item.record);
    } else if (item.kind == BL_SCAN_FILL) {
      take_fill(&walk, &item);
    } else if (item.kind == BL_SCAN_GAP) {
      tell_gap(&walk, &item);
    } else if (item.kind == BL_SCAN_TAIL) {
      tell_tail(&walk, &item);
    } else {
      tell_bare(&walk);
      tell_end(&walk, item.from);
    }
  }
  bl_scan_fini(&walk.scan);
  if (err == BL_OK) tell_unreadable(verify);
  return err == BL_OK ? BL_OK
                      : bl_why_set(why, err, "cannot read the log in %s/commitlog: %s", source->dir,
                                   bl_err_text(err));
}
