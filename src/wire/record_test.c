#include "wire/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/bytes.h"
#include "base/crc32.h"
#include "wire/golden_testlib.h"

static int begin(void **state) {
  struct bl_arena *arena = calloc(1, sizeof(*arena));
  bl_arena_init(arena);
  *state = arena;
  return arena == NULL;
}

static int end(void **state) {
  bl_arena_fini(*state);
  free(*state);
  return 0;
}

static struct bl_slice golden(void **state, const char *name) {
  for (size_t i = 0; i < bl_golden_record_count; i++) {
    if (strcmp(bl_golden_records[i].name, name) == 0)
      return bl_golden_bytes(*state, bl_golden_records[i].hex);
  }
  fail_msg("no golden record %s", name);
  return (struct bl_slice){NULL, 0};
}

/* What was decoded, encoded: a copy in the arena. */
static struct bl_slice encode(void **state, struct bl_record record) {
  if (record.with_crc) record.properties.len -= BL_RECORD_CRC_BYTES;
  uint32_t size = bl_record_size(&record);
  char *out = bl_arena_take(*state, size);
  bl_record_encode(&record, out);
  return bl_slice_of(out, size);
}

static void records_of_java_come_out_as_they_went_in(void **state) {
  for (size_t i = 0; i < bl_golden_record_count; i++) {
    struct bl_slice bytes = bl_golden_bytes(*state, bl_golden_records[i].hex);
    struct bl_record record;
    assert_int_equal(bl_record_decode(bytes, BL_RECORD_CHECKED, &record), BL_OK);
    assert_int_equal(record.size_bytes, bytes.len);
    struct bl_slice again = encode(state, record);
    assert_int_equal(again.len, bytes.len);
    if (memcmp(again.ptr, bytes.ptr, bytes.len) != 0)
      fail_msg("%s differs", bl_golden_records[i].name);
  }
}

static void every_field_is_where_java_put_it(void **state) {
  struct bl_record r;
  struct bl_slice bytes = golden(state, "record-flags");
  assert_int_equal(bl_record_decode(bytes, BL_RECORD_CHECKED, &r), BL_OK);
  assert_int_equal(r.queue_id, 1);
  assert_int_equal(r.flag, -2);
  assert_int_equal(r.queue_offset, 0);
  assert_int_equal(r.log_offset, 0x1530);
  assert_int_equal(r.sys_flag, 0);
  assert_true(r.born_ms == 0x1a204d299cbll);
  assert_true(r.store_ms == 0x1a204d299d0ll);
  assert_int_equal(r.born_host.port, 0xedc4);
  assert_int_equal(r.store_host.port, 0xea05);
  assert_memory_equal(r.store_host.addr, "\x7f\0\0\x01", 4);
  assert_int_equal(r.reconsume_times, 3);
  assert_int_equal(r.prepared_offset, 0);
  assert_true(bl_slice_is(r.body, "flags"));
  assert_true(bl_slice_is(r.topic, "GoldRecords"));
  assert_false(r.with_crc);
}

static void the_sender_may_be_at_an_ipv6_address(void **state) {
  struct bl_record r;
  assert_int_equal(bl_record_decode(golden(state, "record-born-ipv6"), BL_RECORD_CHECKED, &r),
                   BL_OK);
  assert_int_equal(r.sys_flag, BL_SYS_BORN_V6);
  assert_int_equal(r.born_host.addr_bytes, 16);
  assert_int_equal(r.store_host.addr_bytes, 4);
  char text[BL_HOST_TEXT_MAX];
  bl_host_text(&r.born_host, text);
  assert_string_equal(text, "[0:0:0:0:0:0:0:1]:60322");
}

static void the_property_crc_is_javas(void **state) {
  struct bl_record r;
  assert_int_equal(bl_record_decode(golden(state, "record-property-crc"), BL_RECORD_CHECKED, &r),
                   BL_OK);
  assert_true(r.with_crc);
  assert_true(bl_record_tags_code(&r) == 2598919); /* "TagA".hashCode() */
}

static void every_truncation_says_that_bytes_are_missing(void **state) {
  struct bl_slice bytes = golden(state, "record-property-crc");
  for (size_t len = 0; len < bytes.len; len++) {
    char *cut = malloc(len + 1); /* so that a read behind it is seen */
    memcpy(cut, bytes.ptr, len);
    char *exact = realloc(cut, len > 0 ? len : 1);
    struct bl_record r;
    bl_err err = bl_record_decode(bl_slice_of(exact, len), BL_RECORD_CHECKED, &r);
    free(exact);
    assert_int_equal(err, BL_ERR_SHORT);
  }
}

static void every_flipped_bit_is_seen_with_a_property_crc(void **state) {
  struct bl_slice bytes = golden(state, "record-property-crc");
  char *copy = bl_arena_take(*state, bytes.len);
  for (size_t bit = 0; bit < bytes.len * 8; bit++) {
    memcpy(copy, bytes.ptr, bytes.len);
    copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
    struct bl_record r;
    if (bl_record_decode(bl_slice_of(copy, bytes.len), BL_RECORD_CHECKED, &r) == BL_OK) {
      fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
    }
  }
}

/* Without it the body alone is protected, as in Java. */
static void a_flipped_bit_of_the_body_is_seen_without_one(void **state) {
  struct bl_slice bytes = golden(state, "record-plain");
  struct bl_record r;
  assert_int_equal(bl_record_decode(bytes, BL_RECORD_CHECKED, &r), BL_OK);
  size_t body_at = (size_t)(r.body.ptr - bytes.ptr);
  size_t body_bytes = r.body.len;
  char *copy = bl_arena_take(*state, bytes.len);
  for (size_t bit = 0; bit < bytes.len * 8; bit++) {
    memcpy(copy, bytes.ptr, bytes.len);
    copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
    bl_err err = bl_record_decode(bl_slice_of(copy, bytes.len), BL_RECORD_CHECKED, &r);
    bool in_body = bit / 8 >= body_at && bit / 8 < body_at + body_bytes;
    if (in_body) assert_int_equal(err, BL_ERR_CRC);
    if (in_body) {
      err = bl_record_decode(bl_slice_of(copy, bytes.len), BL_RECORD_UNCHECKED, &r);
      assert_int_equal(err, BL_OK);
    }
  }
}

static struct bl_record sample(void) {
  return (struct bl_record){.queue_id = 7,
                            .flag = -1,
                            .sys_flag = BL_SYS_PREPARED,
                            .reconsume_times = 2,
                            .queue_offset = INT64_MAX,
                            .log_offset = 1LL << 40,
                            .born_ms = 1,
                            .store_ms = INT64_MIN,
                            .prepared_offset = -1,
                            .born_host = {.addr = {1, 2, 3, 4}, .addr_bytes = 4, .port = 65535},
                            .store_host = {.addr = {5, 6, 7, 8}, .addr_bytes = 4, .port = 1},
                            .topic = BL_SLICE("T"),
                            .body = BL_SLICE("b"),
                            .properties = BL_SLICE("TAGS\x01"
                                                   "a\x02"),
                            .with_crc = true};
}

static void check_round_trip(void **state, struct bl_record in) {
  uint32_t size = bl_record_size(&in);
  char *bytes = bl_arena_take(*state, size);
  bl_record_encode(&in, bytes);
  struct bl_record out;
  assert_int_equal(bl_record_decode(bl_slice_of(bytes, size), BL_RECORD_CHECKED, &out), BL_OK);
  assert_int_equal(out.size_bytes, size);
  assert_int_equal(out.sys_flag, in.sys_flag);
  assert_int_equal(out.with_crc, in.with_crc);
  assert_true(out.queue_offset == in.queue_offset && out.log_offset == in.log_offset);
  assert_true(out.born_ms == in.born_ms && out.store_ms == in.store_ms);
  assert_true(out.prepared_offset == in.prepared_offset);
  assert_memory_equal(&out.born_host, &in.born_host, sizeof(in.born_host));
  assert_memory_equal(&out.store_host, &in.store_host, sizeof(in.store_host));
  assert_true(bl_slice_eq(out.topic, in.topic) && bl_slice_eq(out.body, in.body));
  assert_true(bl_slice_starts(out.properties, in.properties));
  struct bl_slice again = encode(state, out);
  assert_true(bl_slice_eq(again, bl_slice_of(bytes, size)));
}

static void shapes_of_records_survive(void **state) {
  static char topic[32767];
  memset(topic, 't', sizeof(topic));
  static const size_t topic_bytes[] = {1, 126, 127, 128, 255, 256, 32767};
  for (size_t i = 0; i < sizeof(topic_bytes) / sizeof(topic_bytes[0]); i++) {
    for (int shape = 0; shape < 16; shape++) {
      struct bl_record r = sample();
      r.topic = bl_slice_of(topic, topic_bytes[i]);
      if ((shape & 1) != 0) r.born_host.addr_bytes = 16;
      if ((shape & 2) != 0) r.store_host.addr_bytes = 16;
      if ((shape & 4) != 0) r.properties = BL_SLICE("");
      if ((shape & 8) != 0) r.body = BL_SLICE("");
      check_round_trip(state, r);
      r.with_crc = false;
      check_round_trip(state, r);
    }
  }
}

static void the_version_follows_the_length_of_the_topic(void **state) {
  static char topic[128];
  memset(topic, 't', sizeof(topic));
  for (size_t len = 127; len <= 128; len++) {
    struct bl_record r = sample();
    r.topic = bl_slice_of(topic, len);
    r.with_crc = false;
    struct bl_slice bytes = encode(state, r);
    uint32_t magic = bl_load_u32(bytes.ptr + 4);
    assert_int_equal(magic, len == 127 ? BL_RECORD_MAGIC_V1 : BL_RECORD_MAGIC_V2);
  }
}

/* The CRC property begins behind a separator, which is put when the sender left it out. */
static void properties_without_their_last_separator_get_it(void **state) {
  struct bl_record r = sample();
  r.properties = BL_SLICE(
      "a\x01"
      "1");
  uint32_t size = bl_record_size(&r);
  char *bytes = bl_arena_take(*state, size);
  bl_record_encode(&r, bytes);
  struct bl_record out;
  assert_int_equal(bl_record_decode(bl_slice_of(bytes, size), BL_RECORD_CHECKED, &out), BL_OK);
  assert_true(out.with_crc);
  assert_true(bl_slice_starts(out.properties, BL_SLICE("a\x01"
                                                       "1\x02__CRC32#\x01")));
  assert_int_equal(out.properties.len, 4 + BL_RECORD_CRC_BYTES);
}

/* A message that was read from a broker that writes checksums may be sent to one that does not,
 * with its properties. */
static void the_checksum_of_another_record_is_not_taken_for_ours(void **state) {
  static const struct bl_slice cases[] = {
      BL_SLICE("a\x01z\x02__CRC32#\x01"
               "0123456789\x02"),
      BL_SLICE("__CRC32#\x01"
               "9999999999\x02"),
      BL_SLICE("__CRC32#\x01"
               "012345678x\x02"),
  };
  for (size_t i = 0; i < 3; i++) {
    struct bl_record r = sample();
    r.properties = cases[i];
    check_round_trip(state, r);
    r.with_crc = false;
    struct bl_slice bytes = encode(state, r);
    struct bl_record out;
    assert_int_equal(bl_record_decode(bytes, BL_RECORD_CHECKED, &out), BL_OK);
    assert_false(out.with_crc);
    assert_int_equal(out.properties.len, cases[i].len + 1);
    assert_true(bl_slice_starts(out.properties, cases[i]));
  }
}

static void the_crc_ends_the_record_and_covers_all_before_it(void **state) {
  struct bl_record r = sample();
  uint32_t size = bl_record_size(&r);
  char *bytes = bl_arena_take(*state, size);
  bl_record_encode(&r, bytes);
  uint32_t crc = bl_crc32(0, bytes, size - BL_RECORD_CRC_BYTES) & 0x7fffffffu;
  for (size_t i = 0; i < 10; i++) {
    assert_int_equal(bytes[size - 11 + i], '0' + (int)(crc % 10));
    crc /= 10;
  }
}

static void a_blank_record_ends_the_segment(void **state) {
  (void)state;
  struct bl_record r;
  char blank[16] = {0};
  bl_store_u32(blank, 4096);
  bl_store_u32(blank + 4, BL_RECORD_MAGIC_BLANK);
  assert_int_equal(bl_record_decode(bl_slice_of(blank, 8), BL_RECORD_CHECKED, &r),
                   BL_ERR_NOT_FOUND);
  assert_int_equal(r.size_bytes, 4096);
  bl_store_u32(blank, 7);
  assert_int_equal(bl_record_decode(bl_slice_of(blank, 16), BL_RECORD_CHECKED, &r), BL_ERR_FORMAT);
  bl_store_u32(blank, 0x80000000u);
  assert_int_equal(bl_record_decode(bl_slice_of(blank, 16), BL_RECORD_CHECKED, &r), BL_ERR_FORMAT);
}

static void what_is_no_record_is_refused(void **state) {
  struct bl_slice good = golden(state, "record-plain");
  struct bl_record r;
  assert_int_equal(bl_record_decode(good, BL_RECORD_CHECKED, &r), BL_OK);
  size_t body_length_at = (size_t)(r.body.ptr - good.ptr) - 4;
  size_t topic_length_at = (size_t)(r.topic.ptr - good.ptr) - 1;
  size_t properties_length_at = (size_t)(r.properties.ptr - good.ptr) - 2;
  const struct {
    size_t at;
    uint8_t byte;
  } cases[] = {{3, 90},                           /* total too small for any record */
               {3, 0xd2},                         /* a byte less than there is */
               {7, 0xa8},                         /* magic */
               {body_length_at, 0x80},            /* negative */
               {body_length_at, 0x7f},            /* huge */
               {body_length_at + 3, 6},           /* one more */
               {topic_length_at, 0xff},           /* negative in Java */
               {topic_length_at, 0},              /* the rest does not add up */
               {properties_length_at, 0x80},      /* negative */
               {properties_length_at + 1, 0x69}}; /* one more */
  char *copy = bl_arena_take(*state, good.len);
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    memcpy(copy, good.ptr, good.len);
    copy[cases[i].at] = (char)cases[i].byte;
    assert_int_equal(bl_record_decode(bl_slice_of(copy, good.len), BL_RECORD_UNCHECKED, &r),
                     BL_ERR_FORMAT);
  }
  memset(copy, 0, good.len);
  assert_int_equal(bl_record_decode(bl_slice_of(copy, good.len), BL_RECORD_UNCHECKED, &r),
                   BL_ERR_FORMAT);
}

static void bytes_behind_the_record_are_not_looked_at(void **state) {
  struct bl_slice good = golden(state, "record-plain");
  char *longer = bl_arena_take(*state, good.len + 100);
  memset(longer, 0xff, good.len + 100);
  memcpy(longer, good.ptr, good.len);
  struct bl_record r;
  assert_int_equal(bl_record_decode(bl_slice_of(longer, good.len + 100), BL_RECORD_CHECKED, &r),
                   BL_OK);
  assert_int_equal(r.size_bytes, good.len);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(records_of_java_come_out_as_they_went_in),
      TEST(every_field_is_where_java_put_it),
      TEST(the_sender_may_be_at_an_ipv6_address),
      TEST(the_property_crc_is_javas),
      TEST(every_truncation_says_that_bytes_are_missing),
      TEST(every_flipped_bit_is_seen_with_a_property_crc),
      TEST(a_flipped_bit_of_the_body_is_seen_without_one),
      TEST(shapes_of_records_survive),
      TEST(the_version_follows_the_length_of_the_topic),
      TEST(properties_without_their_last_separator_get_it),
      TEST(the_checksum_of_another_record_is_not_taken_for_ours),
      TEST(the_crc_ends_the_record_and_covers_all_before_it),
      TEST(a_blank_record_ends_the_segment),
      TEST(what_is_no_record_is_refused),
      TEST(bytes_behind_the_record_are_not_looked_at),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
