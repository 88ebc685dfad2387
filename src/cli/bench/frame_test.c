#include "cli/bench/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire/command.h"
#include "wire/header.h"
#include "wire/headers.h"
#include "wire/properties.h"

#define NOW_MS 1795373858986
#define BODY "0123456789abcdef"

static struct bl_bench_keys keys;
static struct bl_arena arena;

static struct bl_bench_frame_spec spec_of(enum bl_codec codec, uint32_t batch) {
  return (struct bl_bench_frame_spec){.codec = codec,
                                      .broker_name = BL_SLICE("broker-a"),
                                      .topic = BL_SLICE("BenchTopic"),
                                      .queue_digits = 1,
                                      .default_queues = 4,
                                      .batch = batch,
                                      .body_bytes = 16,
                                      .key = keys.first,
                                      .body = BODY};
}

/* Decodes a stamped frame, as a server does. */
static void decode(const struct bl_bench_frame *frame, struct bl_command *command,
                   struct bl_send_message_v2_header *header) {
  struct bl_why why = {""};
  size_t bytes = 0;
  struct bl_slice all = bl_buf_slice(&frame->bytes);
  assert_int_equal(bl_frame_size(all, &bytes), BL_OK);
  assert_int_equal(bytes, all.len);
  assert_int_equal(bl_command_decode(all, &arena, command), BL_OK);
  assert_int_equal(bl_header_decode(&bl_send_message_v2_table, command, header, &why), BL_OK);
}

static void is(struct bl_slice got, const char *want) {
  if (!bl_slice_is(got, want)) fail_msg("'%.*s', not '%s'", BL_FMT(got), want);
}

/* Fields and their order: of the Java client's request (tests/wire/golden/client-310.txt). */
static void a_request_is_the_java_clients(void **state) {
  (void)state;
  static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g",
                                      "h", "i", "j", "k", "m", "n"};
  for (int codec = 0; codec < 2; codec++) {
    struct bl_bench_frame_spec spec = spec_of((enum bl_codec)codec, 0);
    struct bl_bench_frame frame;
    struct bl_command command;
    struct bl_send_message_v2_header header;
    bl_bench_frame_make(&spec, &frame);
    bl_bench_frame_stamp(&frame, frame.bytes.data, 4711, 0, 3, &keys);
    decode(&frame, &command, &header);
    assert_int_equal(command.code, 310);
    assert_int_equal(command.flag, 0);
    assert_int_equal(command.version, BL_VERSION_ORDINAL);
    assert_int_equal(command.opaque, BL_BENCH_OPAQUE_BASE + 4711);
    assert_int_equal(command.field_count, 13);
    for (int i = 0; i < 13; i++) is(command.fields[i].name, names[i]);
    is(header.topic, "BenchTopic");
    is(header.default_topic, "TBW102");
    is(header.broker_name, "broker-a");
    assert_int_equal(header.queue_id, 3);
    assert_int_equal(header.born_ms, NOW_MS);
    assert_false(header.batch);
    is(command.body, BODY);
    struct bl_slice key = bl_properties_get(header.properties, BL_PROP_UNIQ_KEY);
    assert_int_equal(key.len, 32);
    is(bl_properties_get(header.properties, BL_PROP_WAIT), "true");
    bl_bench_frame_fini(&frame);
    bl_arena_reset(&arena);
  }
}

static void each_stamp_has_its_own_key(void **state) {
  (void)state;
  struct bl_bench_frame_spec spec = spec_of(BL_CODEC_BINARY, 0);
  struct bl_bench_frame frame;
  struct bl_command command;
  struct bl_send_message_v2_header header;
  char first[33] = "", second[33] = "", official[33];
  bl_bench_frame_make(&spec, &frame);
  bl_bench_frame_stamp(&frame, frame.bytes.data, 1, 0, 0, &keys);
  decode(&frame, &command, &header);
  memcpy(first, bl_properties_get(header.properties, BL_PROP_UNIQ_KEY).ptr, 32);
  bl_bench_keys_set_time(&keys, NOW_MS + 100000);
  bl_bench_frame_stamp(&frame, frame.bytes.data, 2, 0, 0, &keys);
  decode(&frame, &command, &header);
  memcpy(second, bl_properties_get(header.properties, BL_PROP_UNIQ_KEY).ptr, 32);
  assert_string_not_equal(first, second);
  assert_memory_equal(first, second, 20);
  assert_int_equal(header.born_ms, NOW_MS + 100000);
  /* And it is the key that the client would have made at that time. */
  keys.source.counter = keys.counter - 1;
  bl_uniqkey_next(&keys.source, NOW_MS + 100000, official);
  assert_string_equal(second, official);
  bl_bench_keys_set_time(&keys, NOW_MS);
  bl_bench_frame_fini(&frame);
}

/* MessageBatch: each entry whole, its own key, and the header's key is one more. */
static void a_batch_has_entries(void **state) {
  (void)state;
  for (int codec = 0; codec < 2; codec++) {
    struct bl_bench_frame_spec spec = spec_of((enum bl_codec)codec, 5);
    struct bl_bench_frame frame;
    struct bl_command command;
    struct bl_send_message_v2_header header;
    char seen[6][33] = {""};
    spec.property_bytes = 30;
    bl_bench_frame_make(&spec, &frame);
    bl_bench_frame_stamp(&frame, frame.bytes.data, 1, 0, 0, &keys);
    decode(&frame, &command, &header);
    assert_int_equal(command.code, 320);
    assert_true(header.batch);
    memcpy(seen[5], bl_properties_get(header.properties, BL_PROP_UNIQ_KEY).ptr, 32);
    struct bl_slice rest = command.body;
    for (int i = 0; i < 5; i++) {
      uint32_t bytes = bl_load_u32(rest.ptr);
      assert_true(bytes <= rest.len);
      assert_int_equal(bl_load_u32(rest.ptr + 16), 16);
      assert_memory_equal(rest.ptr + 20, BODY, 16);
      assert_int_equal(bl_load_u16(rest.ptr + 36), bytes - 38);
      struct bl_slice properties = bl_slice_of(rest.ptr + 38, bytes - 38);
      memcpy(seen[i], bl_properties_get(properties, BL_PROP_UNIQ_KEY).ptr, 32);
      assert_int_equal(bl_properties_get(properties, BL_SLICE("pad")).len, 30);
      rest = bl_slice_from(rest, bytes);
    }
    assert_int_equal(rest.len, 0);
    for (int i = 0; i < 6; i++) {
      for (int j = 0; j < i; j++) assert_string_not_equal(seen[i], seen[j]);
    }
    bl_bench_frame_fini(&frame);
    bl_arena_reset(&arena);
  }
}

static void slots_have_their_width(void **state) {
  (void)state;
  for (int codec = 0; codec < 2; codec++) {
    struct bl_bench_frame_spec spec = spec_of((enum bl_codec)codec, 0);
    struct bl_bench_frame frame;
    struct bl_command command;
    struct bl_send_message_v2_header header;
    spec.numbered_topic = true;
    spec.topic_digits = 3;
    spec.queue_digits = 5;
    bl_bench_frame_make(&spec, &frame);
    uint32_t last = (1u << BL_BENCH_OPAQUE_BITS) - 1;
    bl_bench_frame_stamp(&frame, frame.bytes.data, last, 507, 65535, &keys);
    decode(&frame, &command, &header);
    assert_int_equal(command.opaque, BL_BENCH_OPAQUE_BASE + last);
    is(header.topic, "BenchTopic-507");
    assert_int_equal(header.queue_id, 65535);
    is(command.body, BODY);
    bl_bench_frame_fini(&frame);
    bl_arena_reset(&arena);
  }
}

static void digits_are_counted(void **state) {
  (void)state;
  assert_int_equal(bl_bench_digits(0), 1);
  assert_int_equal(bl_bench_digits(9), 1);
  assert_int_equal(bl_bench_digits(10), 2);
  assert_int_equal(bl_bench_digits(99999), 5);
}

int main(void) {
  const uint8_t addr[4] = {127, 0, 0, 1};
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_request_is_the_java_clients),
      cmocka_unit_test(each_stamp_has_its_own_key),
      cmocka_unit_test(a_batch_has_entries),
      cmocka_unit_test(slots_have_their_width),
      cmocka_unit_test(digits_are_counted),
  };
  bl_bench_keys_init(&keys, addr, 4321, 99, NOW_MS);
  bl_arena_init(&arena);
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  bl_arena_fini(&arena);
  return failed;
}
