#include "cli/timer_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/json.h"
#include "cli/jsonline.h"
#include "cli/progress.h"

#define BAR_WIDTH 40
#define YEAR_10000_MS 253402300800000

static const char *const TITLES[BL_TIMER_COLUMNS] = {"DUE", "TOPIC", "QUEUE", "SIZE",
                                                     "KEY", "KEYS",  ""};
static const bool TO_THE_RIGHT[BL_TIMER_COLUMNS] = {false, false, true, true, false, false, false};

void bl_timer_time(int64_t ms, char out_text[BL_TIMER_TIME_BYTES]) {
  time_t seconds = (time_t)(ms / 1000);
  struct tm tm;
  if (ms < 0 || ms >= YEAR_10000_MS || gmtime_r(&seconds, &tm) == NULL) {
    snprintf(out_text, BL_TIMER_TIME_BYTES, "%lld", (long long)ms);
    return;
  }
  size_t len = strftime(out_text, BL_TIMER_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
  snprintf(out_text + len, BL_TIMER_TIME_BYTES - len, ".%03dZ", (int)(ms % 1000));
}

/* Characters, not bytes. */
static size_t width_of(const char *text) {
  size_t width = 0;
  for (; *text != '\0'; text++) width += ((unsigned char)*text & 0xC0) != 0x80;
  return width;
}

/* UTF-8 as it is; what is none, and control characters, as \xNN. */
static void put_cell(struct bl_timer_table *table, int column, struct bl_slice text) {
  struct bl_buf *cells = &table->cells;
  size_t from = cells->len;
  bool utf8 = bl_jsonline_is_utf8(text);
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c < 0x20 || c == 0x7F || (c >= 0x80 && !utf8))
      bl_buf_printf(cells, "\\x%02X", c);
    else
      bl_buf_put_char(cells, (char)c);
  }
  bl_buf_put_char(cells, '\0');
  BL_ASSERT(!cells->failed);
  size_t width = width_of(cells->data + from);
  if (width > table->widths[column]) table->widths[column] = width;
}

static void pad(struct bl_buf *out, size_t count) {
  for (size_t i = 0; i < count; i++) bl_buf_put_char(out, ' ');
}

static void put_line(const struct bl_timer_table *table, struct bl_buf *out,
                     const char *cells[BL_TIMER_COLUMNS]) {
  int last = BL_TIMER_COLUMNS - 1;
  while (last > 0 && cells[last][0] == '\0') last--;
  for (int i = 0; i <= last; i++) {
    size_t blanks = table->widths[i] - width_of(cells[i]);
    if (table->widths[i] == 0) continue;
    if (TO_THE_RIGHT[i]) pad(out, blanks);
    bl_buf_put_text(out, cells[i]);
    if (i < last) pad(out, (TO_THE_RIGHT[i] ? 0 : blanks) + 2);
  }
  bl_buf_put_char(out, '\n');
}

static void put_block(struct bl_timer_table *table, struct bl_buf *out) {
  const char *cells[BL_TIMER_COLUMNS];
  const char *at = table->cells.data;
  if (table->row_count == 0) return;
  if (!table->headed) {
    for (int i = 0; i < BL_TIMER_COLUMNS; i++) {
      cells[i] = table->widths[i] > 0 ? TITLES[i] : "";
      if (table->widths[i] > 0 && table->widths[i] < strlen(TITLES[i]))
        table->widths[i] = strlen(TITLES[i]);
    }
    put_line(table, out, cells);
    table->headed = true;
  }
  for (int row = 0; row < table->row_count; row++) {
    for (int i = 0; i < BL_TIMER_COLUMNS; i++) {
      cells[i] = at;
      at += strlen(at) + 1;
    }
    put_line(table, out, cells);
  }
  table->row_count = 0;
  bl_buf_clear(&table->cells);
}

void bl_timer_table_init(struct bl_timer_table *table) {
  *table = (struct bl_timer_table){.row_count = 0};
  bl_buf_init(&table->cells, 0);
}

void bl_timer_table_fini(struct bl_timer_table *table) {
  bl_buf_fini(&table->cells);
  free(table->bars);
}

void bl_timer_table_row(struct bl_timer_table *table, const struct bl_timer_row *row,
                        struct bl_buf *out) {
  char text[BL_TIMER_TIME_BYTES];
  bl_timer_time(row->due_ms, text);
  put_cell(table, 0, bl_slice_text(text));
  put_cell(table, 1, row->topic);
  snprintf(text, sizeof(text), "%d", row->queue_id);
  put_cell(table, 2, bl_slice_text(text));
  put_cell(table, 3, bl_slice_text(bl_progress_bytes((uint64_t)row->body_bytes)));
  put_cell(table, 4, row->uniq_key.len > 0 ? row->uniq_key : row->msg_id);
  put_cell(table, 5, row->keys);
  put_cell(table, 6, row->recalled ? BL_SLICE("recalled") : BL_SLICE(""));
  if (++table->row_count == BL_TIMER_BLOCK_ROWS) put_block(table, out);
}

void bl_timer_table_bucket(struct bl_timer_table *table, int64_t start_ms, int64_t count) {
  if (table->bar_count == table->bar_cap) {
    table->bar_cap = table->bar_cap > 0 ? table->bar_cap * 2 : 64;
    table->bars = realloc(table->bars, table->bar_cap * sizeof(*table->bars));
    BL_ASSERT(table->bars != NULL);
  }
  table->bars[table->bar_count++] = (struct bl_timer_bar){start_ms, count};
}

/* The longest is BAR_WIDTH, and none that counts something is nothing. */
static void put_bars(const struct bl_timer_table *table, struct bl_buf *out) {
  int64_t most = 1;
  char text[BL_TIMER_TIME_BYTES];
  for (size_t i = 0; i < table->bar_count; i++)
    if (table->bars[i].count > most) most = table->bars[i].count;
  int digits = (int)strlen(bl_progress_number((uint64_t)most));
  for (size_t i = 0; i < table->bar_count; i++) {
    const struct bl_timer_bar *bar = &table->bars[i];
    bl_timer_time(bar->start_ms, text);
    bl_buf_printf(out, "%s  %*s  ", text, digits, bl_progress_number((uint64_t)bar->count));
    int width = (int)((double)bar->count / (double)most * BAR_WIDTH);
    for (int j = 0; j < (width > 0 ? width : 1); j++) bl_buf_put_char(out, '#');
    bl_buf_put_char(out, '\n');
  }
}

void bl_timer_table_end(struct bl_timer_table *table, struct bl_buf *out) {
  put_block(table, out);
  put_bars(table, out);
}

static void put_text(struct bl_json_writer *w, const char *name, struct bl_slice text) {
  if (text.len > 0 && bl_jsonline_is_utf8(text)) bl_json_member_text(w, name, text);
}

void bl_timer_json_row(struct bl_buf *out, const struct bl_timer_row *row) {
  struct bl_json_writer w = bl_json_writer_of(out, false);
  char text[BL_TIMER_TIME_BYTES];
  bl_timer_time(row->due_ms, text);
  bl_json_open_object(&w);
  bl_json_member_i64(&w, "due", row->due_ms);
  bl_json_member_text(&w, "dueTime", bl_slice_text(text));
  put_text(&w, "topic", row->topic);
  bl_json_member_i64(&w, "queueId", row->queue_id);
  put_text(&w, "msgId", row->uniq_key);
  put_text(&w, "offsetMsgId", row->msg_id);
  put_text(&w, "keys", row->keys);
  put_text(&w, "tags", row->tags);
  bl_json_member_i64(&w, "bodyBytes", row->body_bytes);
  bl_json_member_i64(&w, "storeTimestamp", row->store_ms);
  put_text(&w, "brokerName", row->broker_name);
  bl_json_member_bool(&w, "recalled", row->recalled);
  bl_json_close_object(&w);
  bl_buf_put_char(out, '\n');
}
