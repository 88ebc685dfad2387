#include "store/cold.h"

#include <stdlib.h>

#include "base/assert.h"

#define PAGE_BYTES 4096
/* Who begins so closely behind a window goes on from it. */
#define NEAR_BYTES 65536
/* Memory of windows that nobody looks into goes back after that long; a window that somebody waited
 * for is kept that long for him. */
#define IDLE_MS 1000
#define BAD_MS 1000
/* Reading ahead leaves the other half to those who wait. */
#define AHEAD_FLIGHT_BYTES (BL_COLD_FLIGHT_BYTES_MAX / 2)
#define AHEAD_JOBS (BL_COLD_JOBS_MAX / 2)

static void start_waiting(struct bl_cold *cold);

static int64_t now_ms(const struct bl_cold *cold) {
  return bl_clock_mono_ms(cold->log->clock);
}

/* Index of the first window that ends behind `offset`; count when there is none. */
static size_t place_of(const struct bl_cold *cold, int64_t offset) {
  size_t low = 0;
  size_t high = cold->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (cold->windows[middle]->to <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

static struct bl_cold_window *find(const struct bl_cold *cold, int64_t offset) {
  size_t place = place_of(cold, offset);
  if (place == cold->count || cold->windows[place]->from > offset) return NULL;
  return cold->windows[place];
}

static void free_window(struct bl_cold *cold, size_t place) {
  struct bl_cold_window *window = cold->windows[place];
  BL_ASSERT(!window->loading && bl_list_empty(&window->waiters));
  cold->stats.memory_bytes -= window->to - window->from;
  cold->count--;
  memmove(cold->windows + place, cold->windows + place + 1,
          (cold->count - place) * sizeof(struct bl_cold_window *));
  /* Giving megabytes back to the system and taking them again costs more than what is done here. */
  if (cold->spare == NULL && window->cap == BL_COLD_WINDOW_BYTES_MAX) {
    cold->spare = window->bytes;
  } else {
    free(window->bytes);
  }
  free(window);
}

static char *take_memory(struct bl_cold *cold, int64_t bytes) {
  char *memory = cold->spare;
  if (memory != NULL && bytes == BL_COLD_WINDOW_BYTES_MAX) {
    cold->spare = NULL;
    return memory;
  }
  memory = malloc((size_t)bytes);
  BL_ASSERT(memory != NULL);
  return memory;
}

static void insert_window(struct bl_cold *cold, size_t place, struct bl_cold_window *window) {
  if (cold->count == cold->cap) {
    cold->cap = cold->cap > 0 ? cold->cap * 2 : 16;
    cold->windows = realloc(cold->windows, cold->cap * sizeof(struct bl_cold_window *));
    BL_ASSERT(cold->windows != NULL);
  }
  memmove(cold->windows + place + 1, cold->windows + place,
          (cold->count - place) * sizeof(struct bl_cold_window *));
  cold->windows[place] = window;
  cold->count++;
}

static bool may_go(const struct bl_cold *cold, const struct bl_cold_window *window, int64_t now) {
  if (window->loading || window->lent_turn + 2 > cold->turn) return false;
  return !window->promised || now - window->used_ms >= IDLE_MS;
}

/* Frees the windows that were not used for longest until `bytes` more fit. */
static bool make_room(struct bl_cold *cold, int64_t bytes) {
  int64_t most = cold->log->settings.cold_bytes;
  int64_t now = now_ms(cold);
  while (cold->stats.memory_bytes + bytes > most) {
    size_t oldest = cold->count;
    for (size_t i = 0; i < cold->count; i++) {
      if (!may_go(cold, cold->windows[i], now)) continue;
      if (oldest == cold->count || cold->windows[i]->used_ms < cold->windows[oldest]->used_ms) {
        oldest = i;
      }
    }
    /* One record that is longer than all that may be held is read all the same, alone. */
    if (oldest == cold->count) return cold->count == 0;
    free_window(cold, oldest);
  }
  return true;
}

static void load(struct bl_job *job) {
  struct bl_cold_window *window = BL_CONTAINER(job, struct bl_cold_window, job);
  int64_t want = window->to - window->from;
  int64_t piece = want; /* at once: the system does not read ahead here */
  while (window->good_bytes < want) {
    int64_t len = want - window->good_bytes < piece ? want - window->good_bytes : piece;
    int64_t at = window->file_offset + window->good_bytes;
    size_t got = 0;
    bl_err err = window->disk->ops->read(window->disk, window->file,
                                         window->bytes + window->good_bytes, (size_t)len, at, &got);
    if (err == BL_OK && got < (size_t)len) err = BL_ERR_IO;
    if (err == BL_OK) {
      window->good_bytes += len;
    } else if (len > PAGE_BYTES) {
      piece = len / 2; /* up to the page that is broken */
    } else {
      window->err = err;
      return;
    }
  }
}

static void note_bad(struct bl_cold *cold, int64_t offset, bl_err err) {
  cold->bad[cold->bad_next] = (struct bl_cold_bad){
      .from = offset, .to = offset + PAGE_BYTES, .until_ms = now_ms(cold) + BAD_MS, .err = err};
  cold->bad_next = (cold->bad_next + 1) % BL_COLD_BAD_MAX;
  cold->stats.errors++;
}

bl_err bl_cold_refused(const struct bl_cold *cold, int64_t offset, int64_t len) {
  if (cold->stats.errors == 0) return BL_OK;
  int64_t now = now_ms(cold);
  for (int i = 0; i < BL_COLD_BAD_MAX; i++) {
    const struct bl_cold_bad *bad = &cold->bad[i];
    if (bad->err != BL_OK && now < bad->until_ms && offset < bad->to && offset + len > bad->from)
      return bad->err;
  }
  return BL_OK;
}

/* Goes on with a request. RETURNS true when it ended: all is there, or warm->err says why not. */
static bool go_on(struct bl_cold *cold, struct bl_store_warm *warm);

static void end_warm(struct bl_store_warm *warm) {
  warm->done(warm);
}

static void loaded(struct bl_job *job) {
  struct bl_cold_window *window = BL_CONTAINER(job, struct bl_cold_window, job);
  struct bl_cold *cold = window->cold;
  int64_t asked = window->to - window->from;
  cold->jobs--;
  cold->flight_bytes -= asked;
  cold->stats.reads++;
  cold->stats.bytes += window->good_bytes;
  bl_segments_release(&cold->log->segments, window->from - window->file_offset);
  window->loading = false;
  window->promised = !bl_list_empty(&window->waiters);
  window->used_ms = now_ms(cold);
  if (window->err != BL_OK) note_bad(cold, window->from + window->good_bytes, window->err);
  struct bl_list waiters;
  bl_list_init(&waiters);
  struct bl_list *node;
  while ((node = bl_list_take_first(&window->waiters)) != NULL) bl_list_add_last(&waiters, node);
  cold->stats.memory_bytes -= asked - window->good_bytes;
  window->to = window->from + window->good_bytes;
  if (window->good_bytes == 0) {
    for (size_t i = 0; i < cold->count; i++) {
      if (cold->windows[i] != window) continue;
      free_window(cold, i);
      break;
    }
  }
  while ((node = bl_list_take_first(&waiters)) != NULL) {
    struct bl_store_warm *warm = BL_CONTAINER(node, struct bl_store_warm, node);
    if (go_on(cold, warm)) end_warm(warm);
  }
  start_waiting(cold);
}

/* Where a window from `offset` on has to end: with its file's records, at the next window, at what
 * is visible. 0: nothing is there. */
static int64_t end_at(const struct bl_cold *cold, int64_t offset, int64_t size) {
  const struct bl_segment *segment = bl_segments_find(&cold->log->segments, offset);
  if (segment == NULL) return 0;
  int64_t end = offset + size;
  int64_t visible = bl_log_visible(cold->log);
  size_t next = place_of(cold, offset);
  if (end > segment->data_end) end = segment->data_end;
  if (end > visible) end = visible;
  if (next < cold->count && end > cold->windows[next]->from) end = cold->windows[next]->from;
  return end > offset ? end : 0;
}

/* Closely behind it in the same file. */
static bool is_near(const struct bl_cold *cold, const struct bl_cold_window *before,
                    int64_t offset) {
  const struct bl_segments *segments = &cold->log->segments;
  return offset - before->to <= NEAR_BYTES &&
         bl_segments_find(segments, before->to) == bl_segments_find(segments, offset);
}

/* The window that a reader who goes on at `offset` comes from. Records of other queues lie between.
 */
static const struct bl_cold_window *window_before(const struct bl_cold *cold, int64_t offset) {
  size_t place = place_of(cold, offset);
  if (place == 0) return NULL;
  const struct bl_cold_window *before = cold->windows[place - 1];
  if (is_near(cold, before, offset)) return before;
  /* Behind the blank record of a full file comes the next file. */
  const struct bl_segment *segment = bl_segments_find(&cold->log->segments, before->from);
  if (segment == NULL || before->to < segment->data_end) return NULL;
  int64_t next = segment->first_offset + cold->log->segments.segment_bytes;
  return offset >= next && offset - next <= NEAR_BYTES ? before : NULL;
}

/* Begins to read a window at `offset`, where none is. RETURNS NULL when that may not be now, or
 * nothing is there (then *out_nothing). ahead: nobody waits for it. */
static struct bl_cold_window *begin(struct bl_cold *cold, int64_t offset, int64_t len, bool ahead,
                                    bool *out_nothing) {
  const struct bl_cold_window *before = window_before(cold, offset);
  int64_t size = BL_COLD_WINDOW_BYTES_MIN;
  if (before != NULL) {
    size = 2 * (before->to - before->from);
    if (size < BL_COLD_WINDOW_BYTES_MIN) size = BL_COLD_WINDOW_BYTES_MIN;
    if (size > BL_COLD_WINDOW_BYTES_MAX) size = BL_COLD_WINDOW_BYTES_MAX;
    /* Without a hole between them: others may want what is there. */
    if (is_near(cold, before, offset)) {
      len += offset - before->to;
      offset = before->to;
    }
  }
  int64_t end = end_at(cold, offset, len > size ? len : size);
  *out_nothing = end == 0;
  if (end == 0) return NULL;
  int64_t bytes = end - offset;
  bool fits = cold->flight_bytes + bytes <= (ahead ? AHEAD_FLIGHT_BYTES : BL_COLD_FLIGHT_BYTES_MAX);
  if (cold->jobs >= (ahead ? AHEAD_JOBS : BL_COLD_JOBS_MAX) || (!fits && cold->jobs > 0)) {
    return NULL;
  }
  bool sequential = before != NULL; /* making room may free it */
  if (!make_room(cold, bytes)) return NULL;
  struct bl_segment *segment = bl_segments_find(&cold->log->segments, offset);
  struct bl_cold_window *window = calloc(1, sizeof(*window));
  BL_ASSERT(window != NULL && segment != NULL);
  bl_segments_hold(segment);
  window->bytes = take_memory(cold, bytes);
  window->cap = bytes;
  window->job = (struct bl_job){.run = load, .done = loaded};
  window->cold = cold;
  window->disk = cold->log->disk;
  window->file = segment->file;
  window->file_offset = offset - segment->first_offset;
  window->from = offset;
  window->to = end;
  window->loading = true;
  window->sequential = sequential;
  window->lent_turn = -2;
  bl_list_init(&window->waiters);
  insert_window(cold, place_of(cold, offset), window);
  cold->jobs++;
  cold->flight_bytes += bytes;
  cold->stats.memory_bytes += bytes;
  cold->stats.ahead_reads += ahead;
  if (cold->timer.place == 0) bl_timer_set(cold->log->timers, &cold->timer, now_ms(cold) + IDLE_MS);
  bl_worker_submit(cold->pool, &window->job);
  return window;
}

static bool go_on(struct bl_cold *cold, struct bl_store_warm *warm) {
  int64_t end = warm->offset + warm->len;
  while (warm->next < end) {
    struct bl_cold_window *window = find(cold, warm->next);
    if (window == NULL && cold->stopped) {
      warm->err = BL_ERR_NOT_AVAILABLE;
      return true;
    }
    if (window == NULL) {
      warm->err = bl_cold_refused(cold, warm->next, 1);
      if (warm->err != BL_OK) return true;
      bool nothing = false;
      window = begin(cold, warm->next, end - warm->next, false, &nothing);
      if (nothing) warm->err = BL_ERR_NOT_FOUND;
      if (nothing) return true;
      if (window == NULL) {
        cold->stats.waits++;
        cold->stats.waiting++;
        bl_list_add_last(&cold->waiting, &warm->node);
        return false;
      }
    }
    if (window->loading) {
      bl_list_add_last(&window->waiters, &warm->node);
      return false;
    }
    warm->next = window->to;
  }
  return true;
}

/* Those that wait, in order, as long as one may begin. */
static void start_waiting(struct bl_cold *cold) {
  int64_t left = cold->stats.waiting;
  for (; left > 0 && !bl_list_empty(&cold->waiting); left--) {
    if (cold->jobs >= BL_COLD_JOBS_MAX) return;
    struct bl_store_warm *warm =
        BL_CONTAINER(bl_list_take_first(&cold->waiting), struct bl_store_warm, node);
    int64_t waits = cold->stats.waits;
    cold->stats.waiting--;
    if (go_on(cold, warm)) {
      end_warm(warm);
    } else if (cold->stats.waits != waits) {
      /* No room yet: first again. */
      cold->stats.waits = waits;
      bl_list_remove(&warm->node);
      warm->node.next = cold->waiting.next;
      warm->node.prev = &cold->waiting;
      cold->waiting.next->prev = &warm->node;
      cold->waiting.next = &warm->node;
      return;
    }
  }
}

static void run_nothing(struct bl_job *job) {
  (void)job;
}

static void done_nothing(struct bl_job *job) {
  end_warm(BL_CONTAINER(job, struct bl_store_warm, job));
}

void bl_cold_warm(struct bl_cold *cold, struct bl_store_warm *warm) {
  warm->next = warm->offset;
  warm->err = BL_OK;
  if (cold->stopped) {
    warm->err = BL_ERR_NOT_AVAILABLE;
  } else if (bl_segments_find(&cold->log->segments, warm->offset) == NULL) {
    warm->err = BL_ERR_NOT_FOUND;
  } else if (!go_on(cold, warm)) {
    return;
  }
  /* Never from inside. */
  warm->job = (struct bl_job){.run = run_nothing, .done = done_nothing};
  bl_worker_submit(cold->pool, &warm->job);
}

void bl_cold_hint(struct bl_cold *cold, int64_t offset, int64_t len) {
  bool nothing = false;
  if (cold->stopped || find(cold, offset) != NULL) return;
  if (bl_cold_refused(cold, offset, len) != BL_OK) return;
  (void)begin(cold, offset, len, true, &nothing);
}

static void look(struct bl_cold *cold, struct bl_cold_window *window) {
  window->promised = false;
  window->used_ms = now_ms(cold);
  if (!window->sequential || window->ahead_done) return;
  window->ahead_done = true;
  const struct bl_segment *segment = bl_segments_find(&cold->log->segments, window->from);
  int64_t next = window->to;
  if (segment != NULL && next >= segment->data_end) {
    next = segment->first_offset + cold->log->segments.segment_bytes;
  }
  bl_cold_hint(cold, next, 1);
}

const char *bl_cold_peek(struct bl_cold *cold, int64_t offset, int64_t len) {
  if (cold->count == 0) return NULL;
  struct bl_cold_window *window = find(cold, offset);
  if (window == NULL || window->loading || offset + len > window->to) return NULL;
  window->lent_turn = cold->turn;
  look(cold, window); /* may make room, of others */
  return window->bytes + (offset - window->from);
}

int64_t bl_cold_copy(struct bl_cold *cold, int64_t offset, int64_t len, char *to) {
  int64_t copied = 0;
  while (copied < len && cold->count > 0) {
    struct bl_cold_window *window = find(cold, offset + copied);
    if (window == NULL || window->loading) break;
    int64_t at = offset + copied - window->from;
    int64_t bytes = window->to - window->from - at;
    if (bytes > len - copied) bytes = len - copied;
    memcpy(to + copied, window->bytes + at, (size_t)bytes);
    copied += bytes;
    look(cold, window);
  }
  return copied;
}

bool bl_cold_is_stream(const struct bl_cold *cold, int64_t offset) {
  if (cold->count == 0) return false;
  const struct bl_cold_window *window = find(cold, offset);
  if (window != NULL) return window->loading;
  const struct bl_cold_window *before = window_before(cold, offset);
  return before != NULL && before->sequential && offset < bl_log_visible(cold->log);
}

static void on_timer(struct bl_timer *timer, int64_t now) {
  struct bl_cold *cold = BL_CONTAINER(timer, struct bl_cold, timer);
  for (size_t i = cold->count; i > 0; i--) {
    const struct bl_cold_window *window = cold->windows[i - 1];
    if (now - window->used_ms >= IDLE_MS && may_go(cold, window, now)) free_window(cold, i - 1);
  }
  start_waiting(cold);
  if (cold->count == 0) {
    free(cold->spare);
    cold->spare = NULL;
  }
  if (cold->count > 0 || cold->stats.waiting > 0) {
    bl_timer_set(cold->log->timers, timer, now + IDLE_MS);
  }
}

void bl_cold_stop(struct bl_cold *cold) {
  struct bl_list *node;
  cold->stopped = true;
  while ((node = bl_list_take_first(&cold->waiting)) != NULL) {
    struct bl_store_warm *warm = BL_CONTAINER(node, struct bl_store_warm, node);
    cold->stats.waiting--;
    warm->err = BL_ERR_NOT_AVAILABLE;
    end_warm(warm);
  }
}

void bl_cold_turn(struct bl_cold *cold) {
  cold->turn++;
  if (cold->stats.waiting > 0) start_waiting(cold);
}

void bl_cold_init(struct bl_cold *cold, struct bl_log *log, struct bl_worker *pool) {
  *cold = (struct bl_cold){.log = log, .pool = pool};
  cold->timer.fire = on_timer;
  bl_list_init(&cold->waiting);
}

void bl_cold_fini(struct bl_cold *cold) {
  BL_ASSERT(cold->jobs == 0);
  bl_timer_cancel(cold->log->timers, &cold->timer);
  for (size_t i = 0; i < cold->count; i++) bl_list_init(&cold->windows[i]->waiters);
  while (cold->count > 0) free_window(cold, cold->count - 1);
  free(cold->windows);
  cold->windows = NULL;
  free(cold->spare);
  cold->spare = NULL;
}
