/* Delayed messages as people read them: aligned columns, a bar for each count; or JSON. Pure. */
#ifndef BOLIDE_CLI_TIMER_TABLE_H
#define BOLIDE_CLI_TIMER_TABLE_H

#include "base/buf.h"
#include "client/timers.h"

#define BL_TIMER_TIME_BYTES 32
#define BL_TIMER_COLUMNS 7
#define BL_TIMER_BLOCK_ROWS 256

/* Rows are kept until a block is there, so that its columns can be aligned; widths only grow. */
struct bl_timer_table {
  struct bl_buf cells; /* each with a NUL behind */
  size_t widths[BL_TIMER_COLUMNS];
  int row_count;
  bool headed;
  struct bl_timer_bar {
    int64_t start_ms;
    int64_t count;
  } * bars;
  size_t bar_count;
  size_t bar_cap;
};

void bl_timer_table_init(struct bl_timer_table *table);
void bl_timer_table_fini(struct bl_timer_table *table);
/* Appends to `out` when a block is full. */
void bl_timer_table_row(struct bl_timer_table *table, const struct bl_timer_row *row,
                        struct bl_buf *out);
void bl_timer_table_bucket(struct bl_timer_table *table, int64_t start_ms, int64_t count);
/* Appends what is left. */
void bl_timer_table_end(struct bl_timer_table *table, struct bl_buf *out);
/* A line. Texts that are not UTF-8 are left out. */
void bl_timer_json_row(struct bl_buf *out, const struct bl_timer_row *row);
/* 2026-11-22T20:15:00.250Z; the number when the year has more than four digits. */
void bl_timer_time(int64_t ms, char out_text[BL_TIMER_TIME_BYTES]);

#endif
