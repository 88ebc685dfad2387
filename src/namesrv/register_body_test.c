/* Registration bodies: both forms, in steps of any size, and what is wrong with bad ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/hex.h"
#include "namesrv/register_body.h"

/* Sent by a broker of RocketMQ 5.5.0 with compressedRegister=true. */
static const char java_body_hex[] =
    "78da8d526d4fc230106efc037e373159a69198a052de36f8c6b6f212b615d73a25c6340b564136d06d68"
    "0cf1bfdb62f88015a4bdb6c9ddf3dc3db92b00c05ceaa3f96296f3546f968a7a9647390f799a4de6b395"
    "239f245c389357bd098d46ad62980d58aac0f21700e0509c62e05d3332248c062d9fb06ecb6d338a073d"
    "5b8362d735d2f33b2e62b4d5d1969263a6c91bcb3e33c1f16d6605b88f02e621cf12cff33c7ebc7889de"
    "a315172adc82c567a37112a5532a3469b054aefe5c6a99236add8a90668a6d28d1ea5a7480ed3e71ac7d"
    "c5d7d6e20314f642c45cdc610e7f8a16716ec78b4c34715550259e102453234277e63f2776173937d225"
    "51ec4e2c0d9ad254f0e56665a169e00e77a62face57f8c398f991c6dba057ab539563cf8bf39c6df4ddd"
    "877a86db6d8228f370881c8642e4d32dc8d35fed867569ea848f37ff920a38b87f1037f8066667d478";

#define PLAIN(topics)                                                                              \
  "{\"filterServerList\":[],\"topicConfigSerializeWrapper\":{\"dataVersion\":{\"counter\":7,"      \
  "\"stateVersion\":2,\"timestamp\":1700000000000},\"mappingDataVersion\":{\"counter\":1},"        \
  "\"topicConfigTable\":{" topics                                                                  \
  "},\"topicQueueMappingDetailMap\":{},\"topicQueueMappingInfoMap\":{}}}"
#define TOPIC(name, perm)                                                                          \
  "\"" name "\":{\"attributes\":{},\"order\":false,\"perm\":" #perm                                \
  ",\"readQueueNums\":4,\"topicFilterType\":\"SINGLE_TAG\",\"topicName\":\"" name                  \
  "\",\"topicSysFlag\":1,\"writeQueueNums\":5}"

static size_t list_topics(const struct bl_namesrv_registration *r, char *text, size_t cap) {
  size_t count = 0;
  text[0] = '\0';
  for (const struct bl_namesrv_topics *c = r->topics; c != NULL; c = c->next) {
    for (size_t i = 0; i < c->count; i++, count++) {
      size_t len = strlen(text);
      snprintf(text + len, cap - len, "%.*s %d/%d/%d/%d ", BL_FMT(c->topics[i].name),
               c->topics[i].read_queues, c->topics[i].write_queues, c->topics[i].perm,
               c->topics[i].sys_flag);
    }
  }
  return count;
}

/* A heap copy of exact size, so that a read past the end is seen. */
struct body {
  char *bytes;
  struct bl_register_body *body;
  struct bl_namesrv_registration r;
  struct bl_why why;
};

static bl_err read_body(struct body *b, struct bl_slice bytes, enum bl_register_form form,
                        size_t cost) {
  *b = (struct body){.bytes = malloc(bytes.len > 0 ? bytes.len : 1)};
  memcpy(b->bytes, bytes.ptr, bytes.len);
  b->body = bl_register_body_new(bl_slice_of(b->bytes, bytes.len), form);
  bool done = false;
  bl_err err = BL_OK;
  while (err == BL_OK && !done) err = bl_register_body_step(b->body, cost, &done, &b->why);
  if (err == BL_OK) bl_register_body_fill(b->body, &b->r);
  return err;
}

static void free_body(struct body *b) {
  bl_register_body_free(b->body);
  free(b->bytes);
}

static void expect(struct bl_slice bytes, enum bl_register_form form, const char *topics) {
  static const size_t costs[] = {1, 2, 3, 7, 100, SIZE_MAX};
  for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++) {
    struct body b;
    char text[4096];
    assert_int_equal(read_body(&b, bytes, form, costs[i]), BL_OK);
    list_topics(&b.r, text, sizeof(text));
    assert_string_equal(text, topics);
    free_body(&b);
  }
}

static void expect_error(struct bl_slice bytes, enum bl_register_form form, bl_err want,
                         const char *why) {
  struct body b;
  bl_err err = read_body(&b, bytes, form, 50);
  if (err != want) print_message("%.*s\n", (int)(bytes.len < 200 ? bytes.len : 200), bytes.ptr);
  assert_int_equal(err, want);
  if (why != NULL && strstr(b.why.text, why) == NULL) fail_msg("why: %s", b.why.text);
  free_body(&b);
}

static void the_form_follows_version_and_bytes(void **state) {
  (void)state;
  struct bl_slice json = BL_SLICE("{}");
  assert_int_equal(bl_register_form_of(36, true, json), BL_REGISTER_JSON_OLD);
  assert_int_equal(bl_register_form_of(37, false, json), BL_REGISTER_JSON);
  assert_int_equal(bl_register_form_of(412, true, json), BL_REGISTER_DEFLATED);
  assert_int_equal(bl_register_form_of(413, true, json), BL_REGISTER_DEFLATED_MAPPINGS);
  assert_int_equal(bl_register_form_of(513, false, BL_SLICE("\x78\xda")),
                   BL_REGISTER_DEFLATED_MAPPINGS);
  assert_int_equal(bl_register_form_of(513, false, bl_slice_text(NULL)), BL_REGISTER_JSON);
}

static void json_gives_topics_and_version(void **state) {
  (void)state;
  expect(BL_SLICE(PLAIN(TOPIC("A", 6) "," TOPIC("B", 4))), BL_REGISTER_JSON,
         "A 4/5/6/1 B 4/5/4/1 ");
  struct body b;
  assert_int_equal(read_body(&b, BL_SLICE(PLAIN("")), BL_REGISTER_JSON, 10), BL_OK);
  assert_int_equal(b.r.version.counter, 7);
  assert_int_equal(b.r.version.state_version, 2);
  assert_int_equal(b.r.version.timestamp_ms, 1700000000000);
  assert_true(b.r.has_filter_servers);
  assert_int_equal(b.r.filter_server_count, 0);
  assert_null(b.r.topics);
  free_body(&b);
}

static void old_brokers_send_the_inner_object(void **state) {
  (void)state;
  expect(BL_SLICE("{\"dataVersion\":{\"counter\":1,\"timestamp\":2},\"topicConfigTable\":{" TOPIC(
             "A", 6) "}}"),
         BL_REGISTER_JSON_OLD, "A 4/5/6/1 ");
  expect(BL_SLICE(PLAIN(TOPIC("A", 6))), BL_REGISTER_JSON_OLD, "");
}

static void the_dialect_is_read(void **state) {
  (void)state;
  expect(
      BL_SLICE(
          " { topicConfigSerializeWrapper : {\n topicConfigTable : { 'A{\\'}' : {topicName:'A b',"
          "perm:'6',readQueueNums:1,writeQueueNums:2,} , \"x\":{perm:2}, } ,} , "
          "other:[1,{a:\"}]\"}] } "),
      BL_REGISTER_JSON, "A b 1/2/6/0 x 16/16/2/0 ");
  expect(BL_SLICE("{\"topicConfigSerializeWrapper\":null}"), BL_REGISTER_JSON, "");
  expect(BL_SLICE("{\"topicConfigSerializeWrapper\":{\"topicConfigTable\":null}}"),
         BL_REGISTER_JSON, "");
}

static void an_empty_body_has_nothing(void **state) {
  (void)state;
  expect(BL_SLICE(""), BL_REGISTER_JSON, "");
  expect(BL_SLICE(""), BL_REGISTER_DEFLATED_MAPPINGS, "");
}

static void filter_servers_and_mappings_are_kept(void **state) {
  (void)state;
  struct body b;
  struct bl_slice text = BL_SLICE(
      "{\"filterServerList\":[\"f:1\",\"f:2\"],\"topicConfigSerializeWrapper\":{"
      "\"topicQueueMappingInfoMap\":"
      "{\"S\":{\"bname\":\"a\",\"currIdMap\":{0:1,\"2\":3},\"dirty\":true,\"epoch\":9,\"topic\":"
      "\"S\",\"totalQueues\":8}}}}");
  assert_int_equal(read_body(&b, text, BL_REGISTER_JSON, 20), BL_OK);
  assert_int_equal(b.r.filter_server_count, 2);
  assert_true(bl_slice_is(b.r.filter_servers[1], "f:2"));
  const struct bl_namesrv_mapping *m = b.r.mappings;
  assert_non_null(m);
  assert_true(bl_slice_is(m->topic, "S"));
  assert_true(bl_slice_is(m->broker_name, "a"));
  assert_true(bl_slice_is(m->scope, "__global__"));
  assert_int_equal(m->total_queues, 8);
  assert_int_equal(m->epoch, 9);
  assert_true(m->dirty);
  assert_int_equal(m->id_count, 2);
  assert_int_equal(m->ids[1][0], 2);
  assert_int_equal(m->ids[1][1], 3);
  assert_null(m->next);
  free_body(&b);
}

/* Every proper beginning of a good body is an error; so is one with anything behind it. */
static void cut_json_is_an_error(void **state) {
  (void)state;
  struct bl_slice whole = BL_SLICE(PLAIN(TOPIC("A", 6) "," TOPIC("B", 4)));
  for (size_t len = 1; len < whole.len; len++) {
    expect_error(bl_slice_of(whole.ptr, len), BL_REGISTER_JSON, BL_ERR_FORMAT, NULL);
  }
  expect_error(BL_SLICE(PLAIN("") "x"), BL_REGISTER_JSON, BL_ERR_FORMAT, "more after");
}

static void broken_json_is_an_error(void **state) {
  (void)state;
  static const char *const bad[] = {
      "[]",
      "1",
      "\"a\"",
      "{\"a\"}",
      "{\"a\":}",
      "{:1}",
      "{\"a\" 1}",
      "}",
      "{\"a\":1]",
      "{{}}",
      "{a:,}",
      PLAIN("\"A\":1"),
      PLAIN("\"A\":{\"perm\":}"),
      PLAIN("\"\":{}"),
  };
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    expect_error(bl_slice_text(bad[i]), BL_REGISTER_JSON, BL_ERR_FORMAT, NULL);
  }
}

static void a_huge_entry_is_refused(void **state) {
  (void)state;
  struct bl_buf buf;
  bl_buf_init(&buf, 0);
  bl_buf_put_text(
      &buf, "{\"topicConfigSerializeWrapper\":{\"topicConfigTable\":{\"A\":{\"topicName\":\"");
  for (int i = 0; i < BL_REGISTER_ITEM_BYTES_MAX / 8; i++) bl_buf_put_text(&buf, "xxxxxxxx");
  bl_buf_put_text(&buf, "\"}}}}");
  struct body b;
  assert_int_equal(read_body(&b, bl_buf_slice(&buf), BL_REGISTER_JSON, 1 << 20), BL_ERR_FULL);
  free_body(&b);
  bl_buf_fini(&buf);
}

static void put_item(struct bl_buf *buf, const char *text) {
  bl_buf_put_u32(buf, (uint32_t)strlen(text));
  bl_buf_put_text(buf, text);
}

static void put_start(struct bl_buf *buf, uint32_t topics) {
  bl_buf_clear(buf);
  put_item(buf, "{\"counter\":3,\"stateVersion\":1,\"timestamp\":5}");
  bl_buf_put_u32(buf, topics);
}

/* RETURNS OWNED by `out`. */
static struct bl_slice deflated(const struct bl_buf *plain, struct bl_buf *out) {
  uLongf len = compressBound(plain->len);
  bl_buf_clear(out);
  char *to = bl_buf_reserve(out, len);
  assert_int_equal(compress2((Bytef *)to, &len, (const Bytef *)plain->data, plain->len, 9), Z_OK);
  out->len = len;
  return bl_buf_slice(out);
}

struct two_bufs {
  struct bl_buf plain, packed;
};

static int setup(void **state) {
  static struct two_bufs bufs;
  bl_buf_init(&bufs.plain, 0);
  bl_buf_init(&bufs.packed, 0);
  *state = &bufs;
  return 0;
}

static int teardown(void **state) {
  struct two_bufs *bufs = *state;
  bl_buf_fini(&bufs->plain);
  bl_buf_fini(&bufs->packed);
  return 0;
}

static void compressed_topics_are_read(void **state) {
  struct two_bufs *bufs = *state;
  put_start(&bufs->plain, 3);
  put_item(&bufs->plain, "A 4 5 6 SINGLE_TAG {}");
  put_item(&bufs->plain, "B 1 2 4 MULTI_TAG ");
  put_item(&bufs->plain, "C 1 1 6 SINGLE_TAG {\"a\":\"b c\"}");
  put_item(&bufs->plain, "[\"f:1\"]");
  expect(deflated(&bufs->plain, &bufs->packed), BL_REGISTER_DEFLATED,
         "A 4/5/6/0 B 1/2/4/0 C 1/1/6/0 ");
  expect_error(bl_buf_slice(&bufs->packed), BL_REGISTER_DEFLATED_MAPPINGS, BL_ERR_FORMAT,
               "too early");
  bl_buf_put_u32(&bufs->plain, 2);
  put_item(&bufs->plain, "{\"bname\":\"a\",\"currIdMap\":{0:0},\"topic\":\"S\",\"totalQueues\":1}");
  put_item(&bufs->plain, "{\"topic\":\"R\"}");
  struct body b;
  assert_int_equal(
      read_body(&b, deflated(&bufs->plain, &bufs->packed), BL_REGISTER_DEFLATED_MAPPINGS, 9),
      BL_OK);
  assert_int_equal(b.r.version.counter, 3);
  assert_int_equal(b.r.filter_server_count, 1);
  assert_true(bl_slice_is(b.r.mappings->topic, "S"));
  assert_true(bl_slice_is(b.r.mappings->next->topic, "R"));
  free_body(&b);
}

static void a_java_brokers_compressed_body_is_read(void **state) {
  (void)state;
  unsigned char bytes[sizeof(java_body_hex) / 2];
  size_t count = (sizeof(java_body_hex) - 1) / 2;
  assert_true(bl_hex_decode(bl_slice_text(java_body_hex), bytes));
  struct body b;
  char text[4096];
  struct bl_slice whole = bl_slice_of(bytes, count);
  assert_int_equal(read_body(&b, whole, bl_register_form_of(513, false, whole), 100), BL_OK);
  assert_int_equal(list_topics(&b.r, text, sizeof(text)), 15);
  assert_non_null(strstr(text, "TBW102 8/8/7/0 "));
  assert_true(b.r.version.timestamp_ms > 1700000000000);
  free_body(&b);
  for (size_t len = 1; len + 16 < count; len++) { /* its checksum and padding are not needed */
    expect_error(bl_slice_of(bytes, len), BL_REGISTER_DEFLATED_MAPPINGS, BL_ERR_FORMAT, NULL);
  }
}

static void counts_and_lengths_that_lie_are_errors(void **state) {
  struct two_bufs *bufs = *state;
  static const uint32_t counts[] = {2, 1000000, INT32_MAX, 0x80000000u, UINT32_MAX};
  for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
    put_start(&bufs->plain, counts[i]);
    put_item(&bufs->plain, "A 4 5 6 SINGLE_TAG {}");
    expect_error(deflated(&bufs->plain, &bufs->packed), BL_REGISTER_DEFLATED, BL_ERR_FORMAT,
                 counts[i] > INT32_MAX ? "negative" : "too early");
    put_start(&bufs->plain, 1);
    bl_buf_put_u32(&bufs->plain, counts[i] + 1);
    expect_error(deflated(&bufs->plain, &bufs->packed), BL_REGISTER_DEFLATED, BL_ERR_FORMAT, NULL);
  }
  put_start(&bufs->plain, 1);
  bl_buf_put_u32(&bufs->plain, BL_REGISTER_ITEM_BYTES_MAX + 1);
  expect_error(deflated(&bufs->plain, &bufs->packed), BL_REGISTER_DEFLATED, BL_ERR_FULL,
               "an entry of");
}

static void topics_that_are_none_are_errors(void **state) {
  struct two_bufs *bufs = *state;
  static const char *const bad[] = {"",
                                    "A",
                                    "A 1 2 3",
                                    "A 1 2 x SINGLE_TAG",
                                    "A 1 2 3 WHAT",
                                    " 1 2 3 SINGLE_TAG",
                                    "A  1 2 3 SINGLE_TAG",
                                    "A 1 2 99999999999 SINGLE_TAG"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    put_start(&bufs->plain, 1);
    put_item(&bufs->plain, bad[i]);
    put_item(&bufs->plain, "[]");
    expect_error(deflated(&bufs->plain, &bufs->packed), BL_REGISTER_DEFLATED, BL_ERR_FORMAT, NULL);
  }
}

/* 100 MiB of blanks in a frame of 100 KiB. */
static void a_zip_bomb_ends_at_the_limit(void **state) {
  struct two_bufs *bufs = *state;
  put_start(&bufs->plain, 1000000);
  char line[1000];
  memset(line, ' ', sizeof(line));
  memcpy(line, "A 4 5 6 SINGLE_TAG", 18);
  for (int i = 0; i < 105000; i++) {
    bl_buf_put_u32(&bufs->plain, sizeof(line));
    bl_buf_put(&bufs->plain, line, sizeof(line));
  }
  struct body b;
  bl_err err = read_body(&b, deflated(&bufs->plain, &bufs->packed), BL_REGISTER_DEFLATED, SIZE_MAX);
  assert_int_equal(err, BL_ERR_FULL);
  assert_non_null(strstr(b.why.text, "67108864"));
  free_body(&b);
}

static void damaged_compression_is_an_error(void **state) {
  (void)state;
  expect_error(BL_SLICE("\x78\xda\xff\xff\xff\xff"), BL_REGISTER_DEFLATED, BL_ERR_FORMAT,
               "damaged");
  expect_error(BL_SLICE("{\"a\":1}"), BL_REGISTER_DEFLATED, BL_ERR_FORMAT, "damaged");
  expect_error(BL_SLICE("\x78"), BL_REGISTER_DEFLATED, BL_ERR_FORMAT, "too early");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_form_follows_version_and_bytes),
      cmocka_unit_test(json_gives_topics_and_version),
      cmocka_unit_test(old_brokers_send_the_inner_object),
      cmocka_unit_test(the_dialect_is_read),
      cmocka_unit_test(an_empty_body_has_nothing),
      cmocka_unit_test(filter_servers_and_mappings_are_kept),
      cmocka_unit_test(cut_json_is_an_error),
      cmocka_unit_test(broken_json_is_an_error),
      cmocka_unit_test(a_huge_entry_is_refused),
      cmocka_unit_test_setup_teardown(compressed_topics_are_read, setup, teardown),
      cmocka_unit_test(a_java_brokers_compressed_body_is_read),
      cmocka_unit_test_setup_teardown(counts_and_lengths_that_lie_are_errors, setup, teardown),
      cmocka_unit_test_setup_teardown(topics_that_are_none_are_errors, setup, teardown),
      cmocka_unit_test_setup_teardown(a_zip_bomb_ends_at_the_limit, setup, teardown),
      cmocka_unit_test(damaged_compression_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
