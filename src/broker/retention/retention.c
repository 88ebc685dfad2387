#include "broker/retention/retention.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "broker/broker.h"
#include "broker/delay/delay.h"

#define HOUR_MS 3600000ll
#define STOPPED_CHECK_MS 1000
/* CleanCommitLogService.MAX_MANUAL_DELETE_FILE_TIMES */
#define MANUAL_CHECKS 20

static void look(struct bl_retention *retention);

static int64_t mono_ms(const struct bl_retention *retention) {
  return bl_clock_mono_ms(retention->broker->clock);
}

static void end_check(struct bl_retention *retention) {
  const struct bl_broker_settings *settings = retention->broker->settings;
  retention->checking = false;
  if (retention->broker->closing) return;
  if (retention->manual > 0) retention->manual--;
  int64_t wait_ms = settings->clean_interval_ms;
  if (retention->stopped && wait_ms > STOPPED_CHECK_MS) wait_ms = STOPPED_CHECK_MS;
  bl_timer_set(retention->broker->timers, &retention->timer, mono_ms(retention) + wait_ms);
}

/* Source: UtilAll.isItTimeToDo. What is no hour is passed over. */
static bool is_hour(const struct bl_broker *broker) {
  struct bl_slice rest = bl_slice_text(broker->settings->delete_when);
  int hour_now = bl_clock_local_hour(bl_clock_wall_ms(broker->clock));
  while (rest.ptr != NULL) {
    int32_t hour;
    if (bl_slice_i32(bl_slice_trim(bl_slice_cut(&rest, ';')), &hour) && hour == hour_now)
      return true;
  }
  return false;
}

static bool is_roomy(const struct bl_retention *retention) {
  return retention->free_bytes >= retention->broker->settings->disk_enough_bytes &&
         retention->broker->settings->disk_enough_bytes > 0;
}

static bool is_over(const struct bl_retention *retention, int32_t percent) {
  return retention->known && retention->used_percent > percent;
}

static bool must_clean(const struct bl_retention *retention) {
  const struct bl_broker_settings *settings = retention->broker->settings;
  return settings->clean_forcibly && !is_roomy(retention) &&
         (is_over(retention, settings->disk_clean_percent) || retention->stopped);
}

/* Over its time or over the bytes of the log. */
static bool is_over_limit(const struct bl_retention *retention, const struct bl_store_file *file,
                          bool timely) {
  const struct bl_broker_settings *settings = retention->broker->settings;
  int64_t reserved_ms = settings->file_reserved_hours * HOUR_MS;
  if (timely && file->newest_ms >= 0 && file->newest_ms + reserved_ms <= retention->now_ms)
    return true;
  int64_t behind = bl_store_marks(retention->broker->store).appended - file->end_offset;
  return settings->retention_bytes > 0 && behind >= settings->retention_bytes;
}

static void sum_pinned(struct bl_retention *retention) {
  struct bl_store_file file;
  retention->pinned_bytes = 0;
  for (int i = 0; bl_store_file(retention->broker->store, i, &file); i++) {
    if (!is_over_limit(retention, &file, true)) return;
    if (file.end_offset > retention->round.pinned_from)
      retention->pinned_bytes += file.end_offset - file.first_offset;
  }
}

static void on_removed(struct bl_store_removal *removal) {
  struct bl_retention *retention = BL_CONTAINER(removal, struct bl_retention, removal);
  if (removal->err != BL_OK) {
    bl_log(BL_LOG_WARN, "broker", "retention.failed", "why=\"%s\"", removal->why.text);
    end_check(retention);
    return;
  }
  int64_t bytes = bl_store_marks(retention->broker->store).min_offset - removal->first_offset;
  retention->removed_files++;
  retention->removed_bytes += bytes;
  bl_log(BL_LOG_INFO, "broker", "retention.removed",
         "offset=%" PRId64 " bytes=%" PRId64 " disk_used_percent=%d", removal->first_offset, bytes,
         retention->used_percent);
  if (++retention->removed >= retention->broker->settings->delete_batch_max ||
      retention->broker->closing) {
    end_check(retention);
    return;
  }
  bl_timer_set(retention->broker->timers, &retention->timer,
               mono_ms(retention) + retention->broker->settings->delete_interval_ms);
}

/* Removes the first file when it is its time. false: nothing goes. */
static bool remove_one(struct bl_retention *retention) {
  const struct bl_broker_settings *settings = retention->broker->settings;
  struct bl_store *store = retention->broker->store;
  struct bl_store_file file;
  bool timely = retention->manual > 0 || is_over(retention, settings->disk_max_percent) ||
                is_hour(retention->broker);
  if (!bl_store_file(store, 0, &file)) return false;
  if (!must_clean(retention) && !is_over_limit(retention, &file, timely)) return false;
  if (file.end_offset > retention->round.pinned_from) return false;
  if (file.end_offset <= bl_store_removable(store)) {
    bl_store_remove_first(store, &retention->removal, on_removed);
    return true;
  }
  bl_delay_make_room(retention->broker->delay, file.end_offset);
  /* Perhaps somebody's snapshot is old: the next check finds a newer one. */
  if (!retention->asked_snapshot &&
      bl_store_marks(store).flushed - file.end_offset > settings->segment_bytes)
    bl_store_snapshot_now(store);
  retention->asked_snapshot = true;
  return false;
}

static void take_space(struct bl_retention *retention) {
  const struct bl_broker_settings *settings = retention->broker->settings;
  const struct bl_store_look *found = &retention->look;
  bool was_stopped = retention->stopped;
  retention->known = found->space_err == BL_OK && found->total_bytes > 0;
  retention->stopped = false;
  if (!retention->known) return;
  retention->total_bytes = found->total_bytes;
  retention->free_bytes = found->free_bytes;
  /* UtilAll.getDiskPartitionSpaceUsedPercent rounds up. */
  double used = (double)(found->total_bytes - found->free_bytes) * 100;
  retention->used_percent = (int)(used / (double)found->total_bytes);
  if (retention->used_percent * (double)found->total_bytes < used) retention->used_percent++;
  retention->stopped = is_over(retention, settings->disk_warning_percent) && !is_roomy(retention);
  if (retention->stopped == was_stopped) return;
  bl_log(retention->stopped ? BL_LOG_ERROR : BL_LOG_INFO, "broker",
         retention->stopped ? "disk.full" : "disk.ok",
         "store=%s used_percent=%d free_bytes=%" PRId64 " sends=%s", settings->store_dir,
         retention->used_percent, retention->free_bytes,
         retention->stopped ? "refused" : "accepted");
}

static void on_look(struct bl_store_look *found) {
  struct bl_retention *retention = BL_CONTAINER(found, struct bl_retention, look);
  take_space(retention);
  sum_pinned(retention);
  if (retention->broker->closing || !remove_one(retention)) end_check(retention);
}

static void look(struct bl_retention *retention) {
  bl_store_look(retention->broker->store, &retention->look, on_look);
}

static void start_check(struct bl_retention *retention) {
  const struct bl_broker *broker = retention->broker;
  retention->checking = true;
  retention->removed = 0;
  retention->asked_snapshot = false;
  retention->now_ms = bl_sure_clock_now(&retention->clock, bl_clock_wall_ms(broker->clock),
                                        mono_ms(retention), broker->settings->clock_confirm_ms);
  bl_topic_round_start(&retention->round, retention->now_ms);
}

/* The next check, or the next file of this one: between two of them the space is looked up again.
 */
static void fire(struct bl_timer *timer, int64_t now_ms) {
  struct bl_retention *retention = BL_CONTAINER(timer, struct bl_retention, timer);
  (void)now_ms;
  if (retention->checking) {
    look(retention);
  } else {
    start_check(retention);
  }
}

bool bl_retention_turn(struct bl_retention *retention) {
  if (!retention->round.running || retention->broker->closing) return false;
  bool more = bl_topic_round_step(&retention->round);
  if (!retention->round.running) look(retention);
  return more;
}

struct bl_retention *bl_retention_new(struct bl_broker *broker) {
  struct bl_retention *retention = calloc(1, sizeof(*retention));
  struct bl_store_stats stats;
  BL_ASSERT(retention != NULL);
  bl_store_stats(broker->store, &stats);
  retention->broker = broker;
  retention->timer.fire = fire;
  bl_topic_round_init(&retention->round, broker);
  bl_sure_clock_init(
      &retention->clock,
      stats.last_store_ms > 0 ? stats.last_store_ms : bl_clock_wall_ms(broker->clock),
      mono_ms(retention));
  bl_timer_set(broker->timers, &retention->timer, mono_ms(retention));
  return retention;
}

void bl_retention_free(struct bl_retention *retention) {
  if (retention == NULL) return;
  bl_timer_cancel(retention->broker->timers, &retention->timer);
  free(retention);
}

bl_err bl_retention_may_send(const struct bl_retention *retention, struct bl_why *why) {
  if (!retention->stopped) return BL_OK;
  const struct bl_broker_settings *settings = retention->broker->settings;
  return bl_why_set(why, BL_ERR_NOT_AVAILABLE,
                    "service not available now: the disk of %s is %d %% used, more than "
                    "diskSpaceWarningLevelRatio=%d (%" PRId64 " of %" PRId64
                    " bytes are free); free space there or raise the limit; reads go on, sending "
                    "resumes by itself",
                    settings->store_dir, retention->used_percent, settings->disk_warning_percent,
                    retention->free_bytes, retention->total_bytes);
}

bl_err bl_retention_full(const struct bl_retention *retention, bl_err err, struct bl_why *why) {
  struct bl_why reason = {""};
  (void)bl_store_full(retention->broker->store, &reason);
  return bl_why_set(why, err,
                    "service not available now: the log has no room: %s (%" PRId64 " of %" PRId64
                    " bytes were free at the last look); free space there, or lower "
                    "fileReservedTime or retentionBytes; reads and commits go on, sending resumes "
                    "by itself",
                    reason.text, retention->free_bytes, retention->total_bytes);
}

void bl_retention_delete_now(struct bl_retention *retention) {
  retention->manual = MANUAL_CHECKS;
  if (retention->checking) return;
  bl_timer_set(retention->broker->timers, &retention->timer, mono_ms(retention));
}
