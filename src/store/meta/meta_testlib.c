#include "store/meta/meta_testlib.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "store/queues/driver_testlib.h"
#include "wire/properties.h"

static const char *const table_names[MT_TABLES] = {"topic", "group", "offset"};
static const char *const table_files[MT_TABLES] = {"topics.json", "groups.json", "offsets.json"};

static int name_index(struct bl_slice name) {
  assert_int_equal(name.len, 2);
  assert_int_equal(name.ptr[0], 'n');
  return name.ptr[1] - '0';
}

static void table_apply(void *context, struct bl_slice name, const struct bl_json *json,
                        int64_t log_offset) {
  struct mt_table *table = context;
  assert_true(log_offset >= 0);
  table->value[name_index(name)] = json != NULL ? bl_json_i64(bl_json_get(json, "value"), -1) : 0;
}

static bl_err table_replace(void *context, const struct bl_json *root, struct bl_why *why) {
  struct mt_table *table = context;
  (void)why;
  memset(table->value, 0, sizeof(table->value));
  const struct bl_json *values = bl_json_get(root, "values");
  for (const struct bl_json *v = values != NULL ? values->child : NULL; v != NULL; v = v->next) {
    table->value[name_index(v->key)] = bl_json_i64(v, -1);
  }
  return BL_OK;
}

static bool table_write_step(void *context, struct bl_buf *out, void **progress) {
  struct mt_table *table = context;
  int *at = *progress;
  if (at == NULL) {
    *progress = at = calloc(1, sizeof(*at));
    table->cursors++;
    bl_buf_put_text(out, "{\"values\":{");
  }
  bl_buf_printf(out, "\"n%d\":%lld", *at, (long long)table->value[*at]);
  if (++*at < MT_NAMES) {
    bl_buf_put_char(out, ',');
    return true;
  }
  bl_buf_put_text(out, "}}");
  free(at);
  table->cursors--;
  return false;
}

void mt_open_meta(struct mt *f) {
  f->meta = bl_meta_new("/store", f->disk);
  f->follower = bl_meta_follower(f->meta);
  for (int i = 0; i < MT_TABLES; i++) {
    f->tables[i] = (struct mt_table){.value = {77}};
    struct bl_meta_table table = {
        .name = table_names[i],
        .file_name = table_files[i],
        .context = &f->tables[i],
        .apply = table_apply,
        .replace = table_replace,
        .write_step = table_write_step,
    };
    bl_meta_register(f->meta, &table);
  }
}

int mt_setup(void **state) {
  struct mt *f = calloc(1, sizeof(*f));
  f->fake = bl_disk_fake_new();
  f->disk = bl_disk_fake_disk(f->fake);
  mt_open_meta(f);
  *state = f;
  return 0;
}

int mt_teardown(void **state) {
  struct mt *f = *state;
  bl_meta_free(f->meta);
  for (int i = 0; i < MT_TABLES; i++) assert_int_equal(f->tables[i].cursors, 0);
  bl_disk_fake_free(f->fake);
  free(f);
  return 0;
}

int64_t mt_log_end(const struct mt *f) {
  return (int64_t)f->log_count * MT_RECORD_BYTES;
}

void mt_show(struct mt *f, int i) {
  char json[64];
  snprintf(json, sizeof(json), "{\"value\":%lld}", (long long)f->log[i].value);
  char name[3] = {'n', (char)('0' + f->log[i].name), 0};
  struct bl_buf scratch;
  bl_buf_init(&scratch, 0);
  struct bl_record record = {.log_offset = (int64_t)i * MT_RECORD_BYTES,
                             .size_bytes = MT_RECORD_BYTES};
  bl_meta_record(&scratch, bl_slice_text(table_names[f->log[i].table]), bl_slice_text(name),
                 f->log[i].value == 0, bl_slice_text(json), &record);
  struct bl_buf other;
  bl_buf_init(&other, 0);
  if (f->log[i].version != NULL) {
    bl_properties_put_without(&other, record.properties, BL_SLICE("BOLIDE_V"));
    bl_properties_put(&other, BL_SLICE("BOLIDE_V"), bl_slice_text(f->log[i].version));
    record.properties = bl_buf_slice(&other);
  }
  f->follower->ops->on_record(f->follower, &record);
  bl_buf_fini(&other);
  bl_buf_fini(&scratch);
}

/* Load, replay, done, as the store and its user do it. */
bl_err mt_start(struct mt *f, struct bl_why *why) {
  int64_t covered = bl_driver_load(f->follower);
  assert_true(covered <= mt_log_end(f));
  for (int i = (int)(covered / MT_RECORD_BYTES); i < f->log_count; i++) mt_show(f, i);
  return bl_meta_replay_done(f->meta, mt_log_end(f), why);
}

void mt_restart(struct mt *f) {
  bl_meta_free(f->meta);
  for (int i = 0; i < MT_TABLES; i++) assert_int_equal(f->tables[i].cursors, 0);
  mt_open_meta(f);
  struct bl_why why;
  assert_int_equal(mt_start(f, &why), BL_OK);
}

/* A change as a live server makes it: the table, then the log, then the followers. */
void mt_change(struct mt *f, int table, int name, int64_t value) {
  assert_true(f->log_count < MT_RECORDS_MAX);
  f->tables[table].value[name] = value;
  int i = f->log_count++;
  f->log[i].table = table;
  f->log[i].name = name;
  f->log[i].value = value;
  f->log[i].version = NULL;
  mt_show(f, i);
}

bl_err mt_snapshot(struct mt *f) {
  return bl_driver_snapshot(f->follower, f->disk, mt_log_end(f));
}

struct bl_meta_stats mt_stats_of(struct mt *f) {
  struct bl_meta_stats stats;
  bl_meta_stats(f->meta, &stats);
  return stats;
}

void mt_write_file(struct mt *f, const char *path, const char *text) {
  assert_int_equal(bl_disk_replace_file(f->disk, path, bl_slice_text(text), false, NULL), BL_OK);
}
