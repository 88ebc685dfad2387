/* The broker's name: fixed at the first start, kept in the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/broker.h"
#include "broker/identity.h"

static char dir[64];
static struct bl_broker *broker; /* its settings and its disk only */
static struct bl_broker_settings settings;

static void start(const char *name) {
  bl_options_init(&bl_broker_options, &settings);
  assert_int_equal(bl_options_set(&bl_broker_options, &settings, BL_SLICE("storePathRootDir"),
                                  bl_slice_text(dir), BL_OPTION_AT_START, NULL),
                   BL_OK);
  assert_int_equal(bl_options_set(&bl_broker_options, &settings, BL_SLICE("brokerName"),
                                  bl_slice_text(name), BL_OPTION_AT_START, NULL),
                   BL_OK);
}

static bl_err load(const char *name, struct bl_why *why) {
  bl_options_fini(&bl_broker_options, &settings);
  start(name);
  bl_err err = bl_identity_load(broker, why);
  bl_worker_finish(broker->pool);
  return err;
}

static int set_up(void **state) {
  char path[128];
  (void)state;
  snprintf(dir, sizeof(dir), "/tmp/bolide-identity-XXXXXX");
  assert_non_null(mkdtemp(dir));
  snprintf(path, sizeof(path), "%s/bolide", dir);
  struct bl_disk *disk = bl_disk_real();
  assert_int_equal(disk->ops->make_dir(disk, path, NULL), BL_OK);
  broker = calloc(1, sizeof(*broker));
  broker->disk = disk;
  broker->pool = bl_worker_new_inline();
  broker->settings = &settings;
  start("");
  return 0;
}
static int tear_down(void **state) {
  char path[128];
  (void)state;
  struct bl_disk *disk = bl_disk_real();
  snprintf(path, sizeof(path), "%s/bolide/identity", dir);
  disk->ops->remove(disk, path);
  snprintf(path, sizeof(path), "%s/bolide", dir);
  disk->ops->remove(disk, path);
  disk->ops->remove(disk, dir);
  bl_options_fini(&bl_broker_options, &settings);
  bl_worker_free(broker->pool);
  free(broker);
  return 0;
}

static void a_store_keeps_the_name(void **state) {
  (void)state;
  struct bl_why why;
  assert_int_equal(load("b1", &why), BL_OK);
  assert_int_equal(load("", &why), BL_OK);
  assert_string_equal(settings.broker_name, "b1");
  assert_int_equal(load("b1", &why), BL_OK);
  assert_int_equal(load("b2", &why), BL_ERR_USAGE);
  assert_non_null(strstr(why.text, "brokerName is b2 but the store in"));
  assert_non_null(strstr(why.text, "belongs to broker b1"));
}

static void without_a_name_it_is_the_default(void **state) {
  (void)state;
  struct bl_why why;
  assert_int_equal(load("", &why), BL_OK);
  assert_string_equal(settings.broker_name, "broker-a");
  assert_int_equal(load("b2", &why), BL_ERR_USAGE);
}

static void a_strange_file_is_refused(void **state) {
  (void)state;
  char path[128];
  struct bl_why why;
  snprintf(path, sizeof(path), "%s/bolide/identity", dir);
  assert_int_equal(
      bl_disk_replace_file(broker->disk, path, BL_SLICE("bolide identity 9\n"), false, &why),
      BL_OK);
  assert_int_equal(load("", &why), BL_ERR_VERSION);
  assert_non_null(strstr(why.text, path));
}

static void a_flipped_bit_is_refused(void **state) {
  (void)state;
  char path[128];
  struct bl_why why;
  struct bl_arena arena;
  struct bl_slice bytes;
  char text[512];
  assert_int_equal(load("b1", &why), BL_OK);
  snprintf(path, sizeof(path), "%s/bolide/identity", dir);
  bl_arena_init(&arena);
  assert_int_equal(bl_disk_read_file(broker->disk, path, sizeof(text), &arena, &bytes), BL_OK);
  for (size_t bit = 0; bit < bytes.len * 8; bit++) {
    memcpy(text, bytes.ptr, bytes.len);
    text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    struct bl_slice flipped = bl_slice_of(text, bytes.len);
    assert_int_equal(bl_disk_replace_file(broker->disk, path, flipped, false, &why), BL_OK);
    bl_err err = load("", &why);
    if (err != BL_ERR_CRC && err != BL_ERR_VERSION && err != BL_ERR_PARAMETER &&
        err != BL_ERR_FORMAT && err != BL_ERR_USAGE) {
      fail_msg("bit %zu: %s, name %s", bit, bl_err_name(err), settings.broker_name);
    }
  }
  bl_arena_fini(&arena);
}

/* As it was written before there was a checksum. */
static void a_file_without_checksum_is_taken(void **state) {
  (void)state;
  char path[128];
  struct bl_why why;
  snprintf(path, sizeof(path), "%s/bolide/identity", dir);
  struct bl_slice old = BL_SLICE("bolide identity 1\nbrokerName=b7\n");
  assert_int_equal(bl_disk_replace_file(broker->disk, path, old, false, &why), BL_OK);
  assert_int_equal(load("", &why), BL_OK);
  assert_string_equal(settings.broker_name, "b7");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_store_keeps_the_name, set_up, tear_down),
      cmocka_unit_test_setup_teardown(without_a_name_it_is_the_default, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_strange_file_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_flipped_bit_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_file_without_checksum_is_taken, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
