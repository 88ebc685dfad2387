/* The printing half of option.h. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/option.h"
#include "base/properties.h"

static struct bl_slice choice_at(const char *choices, int32_t place) {
  struct bl_slice rest = bl_slice_text(choices);
  struct bl_slice choice = bl_slice_cut(&rest, '|');
  for (; place > 0; place--) choice = bl_slice_cut(&rest, '|');
  BL_ASSERT(choice.ptr != NULL);
  return choice;
}

void bl_options_put_value(const struct bl_option *option, const void *settings,
                          struct bl_buf *out) {
  const void *field = (const char *)settings + option->offset;
  bool secret = (option->flags & BL_OPTION_SECRET) != 0;
  if (secret) {
    const char *text = option->kind == BL_OPTION_TEXT ? *(char *const *)field : NULL;
    bool is_empty = text != NULL && text[0] == '\0';
    bl_buf_put_text(out, is_empty ? "" : BL_OPTION_MASK);
    return;
  }
  switch (option->kind) {
    case BL_OPTION_BOOL: bl_buf_put_text(out, *(const bool *)field ? "true" : "false"); break;
    case BL_OPTION_I32: bl_buf_put_i64_text(out, *(const int32_t *)field); break;
    case BL_OPTION_I64: bl_buf_put_i64_text(out, *(const int64_t *)field); break;
    case BL_OPTION_TEXT: bl_buf_put_text(out, *(char *const *)field); break;
    case BL_OPTION_ENUM:
      bl_buf_put_slice(out, choice_at(option->choices, *(const int32_t *)field));
      break;
  }
}

static int by_name(const void *a, const void *b) {
  const struct bl_option *const *left = a;
  const struct bl_option *const *right = b;
  return strcmp((*left)->name, (*right)->name);
}

/* RETURNS OWNED the rows sorted by name. */
static const struct bl_option **sorted_rows(const struct bl_options *options) {
  const struct bl_option **rows = malloc((options->count + 1) * sizeof(const struct bl_option *));
  BL_ASSERT(rows != NULL);
  for (size_t i = 0; i < options->count; i++) rows[i] = &options->rows[i];
  qsort(rows, options->count, sizeof(const struct bl_option *), by_name);
  return rows;
}

void bl_options_put_properties(const struct bl_options *options, const void *settings,
                               struct bl_buf *out) {
  const struct bl_option **rows = sorted_rows(options);
  struct bl_buf value;
  bl_buf_init(&value, 0);
  for (size_t i = 0; i < options->count; i++) {
    bl_buf_clear(&value);
    bl_options_put_value(rows[i], settings, &value);
    bl_javaprops_put(out, bl_slice_text(rows[i]->name), bl_buf_slice(&value));
  }
  bl_buf_fini(&value);
  free(rows);
}

/* A bar would end the cell, a new line the table. */
static void put_cell(struct bl_buf *out, const char *text) {
  for (; *text != '\0'; text++) {
    if (*text == '|') bl_buf_put_char(out, '\\');
    bl_buf_put_char(out, *text == '\n' ? ' ' : *text);
  }
}

static void put_values_cell(struct bl_buf *out, const struct bl_option *option) {
  bool is_number = option->kind == BL_OPTION_I32 || option->kind == BL_OPTION_I64;
  if (option->kind == BL_OPTION_BOOL) bl_buf_put_text(out, "`true`, `false`");
  if (option->kind == BL_OPTION_TEXT) bl_buf_put_text(out, "text");
  if (option->kind == BL_OPTION_ENUM) {
    struct bl_slice rest = bl_slice_text(option->choices);
    while (rest.ptr != NULL) {
      struct bl_slice choice = bl_slice_cut(&rest, '|');
      bl_buf_printf(out, "`%.*s`%s", BL_FMT(choice), rest.ptr != NULL ? ", " : "");
    }
  }
  if (!is_number) return;
  bool has_range = option->min != 0 || option->max != 0;
  if (!has_range) bl_buf_put_text(out, "number");
  if (has_range) {
    bl_buf_printf(out, "%lld to %lld", (long long)option->min, (long long)option->max);
  }
  if (option->unit != NULL) bl_buf_printf(out, " %s", option->unit);
}

static void put_row(struct bl_buf *out, const struct bl_option *option) {
  bl_buf_printf(out, "| `%s` | ", option->name);
  if (option->default_text[0] != '\0') {
    bl_buf_put_char(out, '`');
    put_cell(out, option->default_text);
    bl_buf_put_char(out, '`');
  }
  bl_buf_put_text(out, " | ");
  put_values_cell(out, option);
  bl_buf_put_text(out, (option->flags & BL_OPTION_READ_ONLY) != 0 ? " | no | " : " | yes | ");
  put_cell(out, option->help);
  if ((option->flags & BL_OPTION_SECRET) != 0) bl_buf_put_text(out, " Never shown.");
  bl_buf_put_text(out, " |\n");
}

void bl_options_put_markdown(const struct bl_options *options, struct bl_buf *out) {
  bl_buf_put_text(out,
                  "| name | default | values | while running | meaning |\n"
                  "|---|---|---|---|---|\n");
  const struct bl_option **rows = sorted_rows(options);
  for (size_t i = 0; i < options->count; i++) put_row(out, rows[i]);
  free(rows);
}
