/* Tables of names and numbers: what a start makes of the files and the log, at every point of a crash. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "os/fake/disk_fake.h"
#include "store/meta/meta_internal.h"
#include "store/queues/driver_testlib.h"
#include "wire/properties.h"

enum { NAMES = 6, TABLES = 3, RECORDS_MAX = 4096, RECORD_BYTES = 100 };

static const char *const table_names[TABLES] = {"topic", "group", "offset"};
static const char *const table_files[TABLES] = {"topics.json", "groups.json", "offsets.json"};

/* 0: the name is not there. */
struct model {
  int64_t value[TABLES][NAMES];
};

struct table {
  int64_t value[NAMES];
  int cursors; /* of write_step that are not freed */
  bool refuse;
};

struct fixture {
  struct bl_disk_fake *fake;
  struct bl_disk *disk;
  struct bl_meta *meta;
  struct bl_follower *follower;
  struct table tables[TABLES];
  struct { /* the log */
    int table;
    int name;
    int64_t value;
    const char *version;
  } log[RECORDS_MAX];
  int log_count;
};

static int name_index(struct bl_slice name) {
  assert_int_equal(name.len, 2);
  assert_int_equal(name.ptr[0], 'n');
  return name.ptr[1] - '0';
}

static void table_apply(void *context, struct bl_slice name, const struct bl_json *json,
                        int64_t log_offset) {
  struct table *table = context;
  assert_true(log_offset >= 0);
  table->value[name_index(name)] = json != NULL ? bl_json_i64(bl_json_get(json, "value"), -1) : 0;
}

static bl_err table_replace(void *context, const struct bl_json *root, struct bl_why *why) {
  struct table *table = context;
  if (table->refuse && root != NULL) return bl_why_set(why, BL_ERR_FORMAT, "refused");
  memset(table->value, 0, sizeof(table->value));
  const struct bl_json *values = bl_json_get(root, "values");
  for (const struct bl_json *v = values != NULL ? values->child : NULL; v != NULL; v = v->next) {
    table->value[name_index(v->key)] = bl_json_i64(v, -1);
  }
  return BL_OK;
}

static bool table_write_step(void *context, struct bl_buf *out, void **progress) {
  struct table *table = context;
  int *at = *progress;
  if (at == NULL) {
    *progress = at = calloc(1, sizeof(*at));
    table->cursors++;
    bl_buf_put_text(out, "{\"values\":{");
  }
  bl_buf_printf(out, "\"n%d\":%lld", *at, (long long)table->value[*at]);
  if (++*at < NAMES) {
    bl_buf_put_char(out, ',');
    return true;
  }
  bl_buf_put_text(out, "}}");
  free(at);
  table->cursors--;
  return false;
}

static void open_meta(struct fixture *f) {
  f->meta = bl_meta_new("/store", f->disk);
  f->follower = bl_meta_follower(f->meta);
  for (int i = 0; i < TABLES; i++) {
    f->tables[i] = (struct table){.value = {77}};
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

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof(*f));
  f->fake = bl_disk_fake_new();
  f->disk = bl_disk_fake_disk(f->fake);
  open_meta(f);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  bl_meta_free(f->meta);
  for (int i = 0; i < TABLES; i++) assert_int_equal(f->tables[i].cursors, 0);
  bl_disk_fake_free(f->fake);
  free(f);
  return 0;
}

static int64_t log_end(const struct fixture *f) { return (int64_t)f->log_count * RECORD_BYTES; }

static void show(struct fixture *f, int i) {
  char json[64];
  snprintf(json, sizeof(json), "{\"value\":%lld}", (long long)f->log[i].value);
  char name[3] = {'n', (char)('0' + f->log[i].name), 0};
  struct bl_buf scratch;
  bl_buf_init(&scratch, 0);
  struct bl_record record = {.log_offset = (int64_t)i * RECORD_BYTES, .size_bytes = RECORD_BYTES};
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
static bl_err start(struct fixture *f, struct bl_why *why) {
  int64_t covered = bl_driver_load(f->follower);
  assert_true(covered <= log_end(f));
  for (int i = (int)(covered / RECORD_BYTES); i < f->log_count; i++) show(f, i);
  return bl_meta_replay_done(f->meta, log_end(f), why);
}

static void restart(struct fixture *f) {
  bl_meta_free(f->meta);
  for (int i = 0; i < TABLES; i++) assert_int_equal(f->tables[i].cursors, 0);
  open_meta(f);
  struct bl_why why;
  assert_int_equal(start(f, &why), BL_OK);
}

/* A change as a live server makes it: the table, then the log, then the followers. */
static void change(struct fixture *f, int table, int name, int64_t value) {
  assert_true(f->log_count < RECORDS_MAX);
  f->tables[table].value[name] = value;
  int i = f->log_count++;
  f->log[i].table = table;
  f->log[i].name = name;
  f->log[i].value = value;
  f->log[i].version = NULL;
  show(f, i);
}

static bl_err snapshot(struct fixture *f) {
  return bl_driver_snapshot(f->follower, f->disk, log_end(f));
}

static struct bl_meta_stats stats_of(struct fixture *f) {
  struct bl_meta_stats stats;
  bl_meta_stats(f->meta, &stats);
  return stats;
}

static void write_file(struct fixture *f, const char *path, const char *text) {
  assert_int_equal(bl_disk_replace_file(f->disk, path, bl_slice_text(text), false, NULL), BL_OK);
}

static void an_empty_store_starts_with_empty_tables(void **state) {
  struct fixture *f = *state;
  struct bl_why why;
  assert_int_equal(start(f, &why), BL_OK);
  assert_int_equal(f->tables[0].value[0], 0);
  assert_int_equal(stats_of(f).recovered_tables, 0);
  assert_int_equal(stats_of(f).foreign_tables, 0);
}

static void without_a_snapshot_the_log_has_everything(void **state) {
  struct fixture *f = *state;
  struct bl_why why;
  assert_int_equal(start(f, &why), BL_OK);
  change(f, 0, 1, 5);
  change(f, 1, 2, 6);
  change(f, 0, 1, 0);
  change(f, 0, 3, 8);
  restart(f);
  assert_int_equal(f->tables[0].value[1], 0);
  assert_int_equal(f->tables[0].value[3], 8);
  assert_int_equal(f->tables[1].value[2], 6);
  assert_int_equal(stats_of(f).applied_records, 4);
}

static void a_snapshot_shortens_the_replay(void **state) {
  struct fixture *f = *state;
  struct bl_why why;
  assert_int_equal(start(f, &why), BL_OK);
  change(f, 0, 1, 5);
  change(f, 1, 2, 6);
  assert_int_equal(snapshot(f), BL_OK);
  change(f, 0, 1, 9);
  restart(f);
  assert_int_equal(stats_of(f).applied_records, 1);
  assert_int_equal(stats_of(f).foreign_tables, 0);
  assert_int_equal(f->tables[0].value[1], 9);
  assert_int_equal(f->tables[1].value[2], 6);
  /* Nothing changed: the second snapshot writes no table and moves the offset. */
  int64_t writes = bl_disk_fake_count(f->fake, BL_FAKE_WRITE);
  assert_int_equal(snapshot(f), BL_OK);
  assert_true(bl_disk_fake_count(f->fake, BL_FAKE_WRITE) > writes);
  writes = bl_disk_fake_count(f->fake, BL_FAKE_WRITE);
  assert_int_equal(snapshot(f), BL_OK);
  assert_int_equal(bl_disk_fake_count(f->fake, BL_FAKE_WRITE), writes + 2); /* it and its .bak */
  restart(f);
  assert_int_equal(stats_of(f).applied_records, 0);
  assert_int_equal(f->tables[0].value[1], 9);
}

static void live_records_are_not_applied_twice(void **state) {
  struct fixture *f = *state;
  struct bl_why why;
  assert_int_equal(start(f, &why), BL_OK);
  change(f, 0, 1, 5);
  f->tables[0].value[1] = 6; /* as if the owner went on before the record became visible */
  show(f, 0);
  assert_int_equal(f->tables[0].value[1], 6);
}

static void a_foreign_file_wins_whole(void **state) {
  struct fixture *f = *state;
  struct bl_why why;
  assert_int_equal(start(f, &why), BL_OK);
  change(f, 0, 1, 5);
  change(f, 1, 1, 7);
  assert_int_equal(snapshot(f), BL_OK);
  change(f, 0, 2, 6); /* after our last snapshot; the other program read the log, or did not */
  change(f, 1, 2, 8);
  write_file(f, "/store/config/topics.json", "{\n\tvalues:{n4:44}\n}");
  restart(f);
  assert_int_equal(stats_of(f).foreign_tables, 1);
  assert_int_equal(f->tables[0].value[1], 0);
  assert_int_equal(f->tables[0].value[2], 0);
  assert_int_equal(f->tables[0].value[4], 44);
  assert_int_equal(f->tables[1].value[1], 7);
  assert_int_equal(f->tables[1].value[2], 8);
  /* What we write from here on counts, also when the next snapshot never comes. */
  change(f, 0, 5, 55);
  restart(f);
  assert_int_equal(stats_of(f).foreign_tables, 0);
  assert_int_equal(f->tables[0].value[2], 0);
  assert_int_equal(f->tables[0].value[4], 44);
  assert_int_equal(f->tables[0].value[5], 55);
}

static void files_of_a_java_store_are_taken_over(void **state) {
  struct fixture *f = *state;
  struct bl_why why;
  assert_int_equal(f->disk->ops->make_dir(f->disk, "/store/config", NULL), BL_OK);
  write_file(f, "/store/config/topics.json", "{\"values\":{\"n1\":11,},}");
  assert_int_equal(start(f, &why), BL_OK);
  assert_int_equal(f->tables[0].value[1], 11);
  assert_int_equal(stats_of(f).foreign_tables, 1);
}

static void a_damaged_file_is_replaced_by_its_previous(void **state) {
  struct fixture *f = *state;
  struct bl_why why;
  assert_int_equal(start(f, &why), BL_OK);
  change(f, 0, 1, 5);
  assert_int_equal(snapshot(f), BL_OK);
  change(f, 0, 2, 6);
  assert_int_equal(snapshot(f), BL_OK);
  change(f, 0, 3, 7);
  static const char *const damages[] = {"", "{\"values\":{\"n1\":5", "[]"};
  for (int i = 0; i < 3; i++) {
    write_file(f, "/store/config/topics.json", damages[i]);
    restart(f);
    assert_int_equal(stats_of(f).recovered_tables, 1);
    assert_int_equal(stats_of(f).applied_records, 2);
    assert_int_equal(f->tables[0].value[1], 5);
    assert_int_equal(f->tables[0].value[2], 6);
    assert_int_equal(f->tables[0].value[3], 7);
  }
  /* The damaged one does not become the previous one. */
  assert_int_equal(snapshot(f), BL_OK);
  write_file(f, "/store/config/topics.json", "");
  restart(f);
  assert_int_equal(stats_of(f).applied_records, 2);
  assert_int_equal(f->tables[0].value[3], 7);
}

static void with_both_damaged_the_log_has_it(void **state) {
  struct fixture *f = *state;
  struct bl_why why;
  assert_int_equal(start(f, &why), BL_OK);
  change(f, 0, 1, 5);
  assert_int_equal(snapshot(f), BL_OK);
  change(f, 0, 2, 6);
  assert_int_equal(snapshot(f), BL_OK);
  write_file(f, "/store/config/topics.json", "{");
  write_file(f, "/store/config/topics.json.bak", "{");
  restart(f);
  assert_int_equal(stats_of(f).recovered_tables, 1);
  assert_int_equal(f->tables[0].value[1], 5);
  assert_int_equal(f->tables[0].value[2], 6);
  /* Removed is damaged, too, never "delete all". */
  assert_int_equal(f->disk->ops->remove(f->disk, "/store/config/topics.json"), BL_OK);
  assert_int_equal(f->disk->ops->remove(f->disk, "/store/config/topics.json.bak"), BL_OK);
  restart(f);
  assert_int_equal(f->tables[0].value[2], 6);
}

static void an_unreadable_file_stops_the_start(void **state) {
  struct fixture *f = *state;
  struct bl_why why;
  assert_int_equal(start(f, &why), BL_OK);
  change(f, 0, 1, 5);
  assert_int_equal(snapshot(f), BL_OK);
  bl_meta_free(f->meta);
  open_meta(f);
  bl_disk_fake_fail(f->fake, BL_FAKE_READ, "topics.json", 0, 1, BL_ERR_IO);
  int64_t covered;
  assert_int_equal(f->follower->ops->load(f->follower, &covered, &why), BL_ERR_IO);
  assert_non_null(strstr(why.text, "topics.json"));
}

static void a_damaged_covered_file_is_replaced_by_its_previous(void **state) {
  struct fixture *f = *state;
  struct bl_why why;
  assert_int_equal(start(f, &why), BL_OK);
  change(f, 0, 1, 5);
  assert_int_equal(snapshot(f), BL_OK);
  change(f, 0, 2, 6);
  write_file(f, "/store/bolide/meta.covered", "bolide-meta-covered 1\ngeneration topic 0 1 1\n");
  restart(f);
  assert_int_equal(stats_of(f).foreign_tables, 0);
  assert_int_equal(f->tables[0].value[1], 5);
  assert_int_equal(f->tables[0].value[2], 6);
  write_file(f, "/store/bolide/meta.covered", "bolide-meta-covered 2\nend 0\n");
  bl_meta_free(f->meta);
  open_meta(f);
  int64_t covered;
  assert_int_equal(f->follower->ops->load(f->follower, &covered, &why), BL_ERR_VERSION);
  assert_non_null(strstr(why.text, "version 2"));
  assert_non_null(strstr(why.text, "version 1"));
}

static void a_record_of_a_later_version_stops_the_start(void **state) {
  struct fixture *f = *state;
  struct bl_why why;
  assert_int_equal(start(f, &why), BL_OK);
  change(f, 0, 1, 5);
  f->log[0].version = "2";
  bl_meta_free(f->meta);
  open_meta(f);
  assert_int_equal(start(f, &why), BL_ERR_VERSION);
  assert_non_null(strstr(why.text, "log offset 0 has version 2"));
}

static void strange_records_are_skipped(void **state) {
  struct fixture *f = *state;
  bl_driver_load(f->follower);
  static const struct {
    const char *properties;
    const char *body;
    int skipped;
  } cases[] = {
      {"TAGS\x01" "zebra\x02" "BOLIDE_V\x01" "1\x02" "BOLIDE_OP\x01put\x02" "BOLIDE_NAME\x01n1\x02", "{}", 1},
      {"TAGS\x01topic\x02" "BOLIDE_OP\x01put\x02" "BOLIDE_NAME\x01n1\x02", "{}", 1},
      {"TAGS\x01topic\x02" "BOLIDE_V\x01" "1\x02" "BOLIDE_OP\x01put\x02", "{}", 1},
      {"TAGS\x01topic\x02" "BOLIDE_V\x01" "1\x02" "BOLIDE_OP\x01turn\x02" "BOLIDE_NAME\x01n1\x02", "{}", 1},
      {"TAGS\x01topic\x02" "BOLIDE_V\x01" "1\x02" "BOLIDE_OP\x01put\x02" "BOLIDE_NAME\x01n1\x02", "{", 1},
      {"", "", 1},
      {"TAGS\x01topic\x02" "BOLIDE_V\x01" "1\x02" "BOLIDE_OP\x01put\x02" "BOLIDE_NAME\x01n1\x02", "{\"value\":3}", 0},
  };
  int skipped = 0;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_record record = {
        .topic = BL_SLICE(BL_META_TOPIC),
        .log_offset = (int64_t)i,
        .properties = bl_slice_text(cases[i].properties),
        .body = bl_slice_text(cases[i].body),
    };
    f->follower->ops->on_record(f->follower, &record);
    skipped += cases[i].skipped;
    assert_int_equal(stats_of(f).skipped_records, skipped);
  }
  assert_int_equal(f->tables[0].value[1], 3);
  struct bl_record message = {.topic = BL_SLICE("T"), .properties = BL_SLICE("TAGS\x01topic\x02")};
  f->follower->ops->on_record(f->follower, &message);
  assert_int_equal(stats_of(f).skipped_records, skipped);
}

static void check_model(struct fixture *f, const struct model *model, uint64_t seed, int step) {
  for (int t = 0; t < TABLES; t++) {
    for (int n = 0; n < NAMES; n++) {
      if (f->tables[t].value[n] != model->value[t][n]) {
        fail_msg("seed %llu step %d: table %d name %d is %lld, not %lld", (unsigned long long)seed, step,
                 t, n, (long long)f->tables[t].value[n], (long long)model->value[t][n]);
      }
    }
  }
}

static void random_change(struct fixture *f, struct model *model, uint64_t *random) {
  int table = (int)(bl_driver_random(random) % TABLES);
  int name = (int)(bl_driver_random(random) % NAMES);
  int64_t value = (int64_t)(bl_driver_random(random) % 5);
  change(f, table, name, value);
  model->value[table][name] = value;
}

/* The log survives here; the files are what the power loss leaves. */
static void power_loss(struct fixture *f, struct bl_driver_crash *crash, uint64_t seed) {
  if (!crash->happened) bl_disk_fake_power_loss(f->fake, seed);
  bl_disk_fake_on_op(f->fake, NULL, NULL);
  bl_disk_fake_restart(f->fake);
  restart(f);
}

static void every_crash_point_of_a_snapshot_is_harmless(void **state) {
  (void)state;
  bool ended = false;
  for (int64_t point = 0; !ended; point++) {
    for (uint64_t seed = 1; seed <= 4; seed++) {
      void *inner;
      setup(&inner);
      struct fixture *f = inner;
      struct model model = {{{0}}};
      uint64_t random = seed;
      struct bl_why why;
      assert_int_equal(start(f, &why), BL_OK);
      for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 8; i++) random_change(f, &model, &random);
        assert_int_equal(snapshot(f), BL_OK);
      }
      for (int i = 0; i < 4; i++) random_change(f, &model, &random);
      struct bl_driver_crash crash;
      bl_driver_crash_after(&crash, f->fake, point, seed);
      (void)snapshot(f);
      ended = !crash.happened;
      power_loss(f, &crash, seed);
      assert_int_equal(stats_of(f).foreign_tables, 0);
      assert_int_equal(stats_of(f).recovered_tables, 0);
      check_model(f, &model, seed, (int)point);
      teardown(&inner);
    }
    assert_true(point < 1000);
  }
}

static void any_history_of_crashes_and_failures_keeps_the_tables(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    void *inner;
    setup(&inner);
    struct fixture *f = inner;
    struct model model = {{{0}}};
    uint64_t random = seed * 7919;
    struct bl_why why;
    assert_int_equal(start(f, &why), BL_OK);
    for (int step = 0; step < 80; step++) {
      uint64_t dice = bl_driver_random(&random) % 10;
      struct bl_driver_crash crash = {0};
      if (dice < 5) {
        for (uint64_t n = bl_driver_random(&random) % 4; n > 0; n--) random_change(f, &model, &random);
      } else if (dice < 7) {
        assert_int_equal(snapshot(f), BL_OK);
      } else if (dice < 9) { /* the disk refuses for a while; many times in a row */
        enum bl_disk_fake_op op = bl_driver_random(&random) % 2 ? BL_FAKE_WRITE : BL_FAKE_RENAME;
        bl_disk_fake_fail(f->fake, op, "", (int64_t)(bl_driver_random(&random) % 12), 1,
                          BL_ERR_NO_SPACE);
        (void)snapshot(f);
        bl_disk_fake_fail(f->fake, op, "", -1, 0, BL_ERR_NO_SPACE);
      } else {
        bl_driver_crash_after(&crash, f->fake, (int64_t)(bl_driver_random(&random) % 60), seed);
        (void)snapshot(f);
        power_loss(f, &crash, seed);
        assert_int_equal(stats_of(f).foreign_tables, 0);
        assert_int_equal(stats_of(f).recovered_tables, 0);
      }
      check_model(f, &model, seed, step);
    }
    restart(f);
    check_model(f, &model, seed, -1);
    teardown(&inner);
  }
}

static void many_failed_snapshots_in_a_row_forget_no_file(void **state) {
  (void)state;
  for (int64_t point = 0; point < 30; point++) {
    void *inner;
    setup(&inner);
    struct fixture *f = inner;
    struct bl_why why;
    assert_int_equal(start(f, &why), BL_OK);
    change(f, 0, 1, 1);
    assert_int_equal(snapshot(f), BL_OK);
    for (int i = 2; i < 3 * BL_META_GENERATIONS_MAX; i++) {
      change(f, 0, 1, i);
      change(f, 2, 1, i);
      bl_disk_fake_fail(f->fake, BL_FAKE_SYNC, "", (point * i) % 8, 1, BL_ERR_NO_SPACE);
      assert_int_equal(snapshot(f), BL_ERR_NO_SPACE);
      if (i % 7 == point % 7) {
        bl_disk_fake_power_loss(f->fake, (uint64_t)i);
        bl_disk_fake_restart(f->fake);
        restart(f);
      }
      assert_int_equal(stats_of(f).foreign_tables, 0);
      assert_int_equal(f->tables[0].value[1], i);
      assert_int_equal(f->tables[2].value[1], i);
    }
    restart(f);
    assert_int_equal(stats_of(f).foreign_tables, 0);
    teardown(&inner);
  }
}

static void a_snapshot_given_up_halfway_leaks_nothing(void **state) {
  struct fixture *f = *state;
  struct bl_why why;
  assert_int_equal(start(f, &why), BL_OK);
  struct bl_snapshot half;
  bl_driver_begin(&half, 0);
  for (int i = 0; i < NAMES + 2; i++) assert_true(f->follower->ops->snapshot_step(f->follower, &half));
  assert_int_equal(f->tables[1].cursors, 1);
  f->follower->ops->snapshot_done(f->follower, &half, BL_ERR_IO);
  assert_int_equal(f->tables[1].cursors, 0);
  bl_driver_drop(&half);
  change(f, 0, 1, 5);
  assert_int_equal(snapshot(f), BL_OK);
  restart(f);
  assert_int_equal(f->tables[0].value[1], 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(an_empty_store_starts_with_empty_tables, setup, teardown),
      cmocka_unit_test_setup_teardown(without_a_snapshot_the_log_has_everything, setup, teardown),
      cmocka_unit_test_setup_teardown(a_snapshot_shortens_the_replay, setup, teardown),
      cmocka_unit_test_setup_teardown(live_records_are_not_applied_twice, setup, teardown),
      cmocka_unit_test_setup_teardown(a_foreign_file_wins_whole, setup, teardown),
      cmocka_unit_test_setup_teardown(files_of_a_java_store_are_taken_over, setup, teardown),
      cmocka_unit_test_setup_teardown(a_damaged_file_is_replaced_by_its_previous, setup, teardown),
      cmocka_unit_test_setup_teardown(with_both_damaged_the_log_has_it, setup, teardown),
      cmocka_unit_test_setup_teardown(an_unreadable_file_stops_the_start, setup, teardown),
      cmocka_unit_test_setup_teardown(a_damaged_covered_file_is_replaced_by_its_previous, setup, teardown),
      cmocka_unit_test_setup_teardown(a_record_of_a_later_version_stops_the_start, setup, teardown),
      cmocka_unit_test_setup_teardown(strange_records_are_skipped, setup, teardown),
      cmocka_unit_test(every_crash_point_of_a_snapshot_is_harmless),
      cmocka_unit_test(any_history_of_crashes_and_failures_keeps_the_tables),
      cmocka_unit_test(many_failed_snapshots_in_a_row_forget_no_file),
      cmocka_unit_test_setup_teardown(a_snapshot_given_up_halfway_leaks_nothing, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
