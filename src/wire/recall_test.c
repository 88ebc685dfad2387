#include "wire/recall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* What java.util.Base64.getUrlEncoder makes of "v1 T broker-a 1700000004001 KEY" and longer ones.
 */
static void handles_are_as_java_has_them(void **state) {
  (void)state;
  static const struct {
    const char *key;
    const char *handle;
  } rows[] = {
      {"KEY", "djEgVCBicm9rZXItYSAxNzAwMDAwMDA0MDAxIEtFWQ=="},
      {"KEYS", "djEgVCBicm9rZXItYSAxNzAwMDAwMDA0MDAxIEtFWVM="},
      {"KEY??", "djEgVCBicm9rZXItYSAxNzAwMDAwMDA0MDAxIEtFWT8_"},
  };
  struct bl_buf out;
  struct bl_buf scratch;
  bl_buf_init(&out, 0);
  bl_buf_init(&scratch, 0);
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct bl_recall recall = {BL_SLICE("T"), BL_SLICE("broker-a"), BL_SLICE("1700000004001"),
                               bl_slice_text(rows[i].key)};
    struct bl_recall back;
    bl_buf_clear(&out);
    bl_recall_put(&out, &recall);
    if (!bl_slice_is(bl_buf_slice(&out), rows[i].handle)) fail_msg("%.*s", (int)out.len, out.data);
    assert_true(bl_recall_parse(bl_buf_slice(&out), &scratch, &back));
    assert_true(bl_slice_eq(back.topic, recall.topic));
    assert_true(bl_slice_eq(back.broker_name, recall.broker_name));
    assert_true(bl_slice_eq(back.time_ms, recall.time_ms));
    assert_true(bl_slice_eq(back.uniq_key, recall.uniq_key));
  }
  bl_buf_fini(&out);
  bl_buf_fini(&scratch);
}

static void others_are_refused(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",
      "=",
      "A",
      "djEg",
      "djEgVCBicm9rZXItYSAxNzAwMDAwMDA0MDAx",         /* four parts */
      "djIgVCBicm9rZXItYSAxNzAwMDAwMDA0MDAxIEtFWQ==", /* v2 */
      "djEgVCBicm9rZXItYSAxNzAwMDAwMDA0MDAxIEtFWQ=",  /* too little behind */
      "djEgVCBicm9rZXItYSAxNzAwMDAwMDA0MDAxIEtFWT8/", /* the other alphabet */
      "djEgVCBicm9rZXItYSAxNzAwMDAw\nMDA0MDAxIEtFWQ==",
  };
  struct bl_buf scratch;
  bl_buf_init(&scratch, 0);
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    struct bl_recall recall;
    if (bl_recall_parse(bl_slice_text(bad[i]), &scratch, &recall)) fail_msg("%s", bad[i]);
  }
  struct bl_recall recall;
  assert_true(
      bl_recall_parse(BL_SLICE("djEgVCBicm9rZXItYSAxNzAwMDAwMDA0MDAxIEtFWQ"), &scratch, &recall));
  bl_buf_fini(&scratch);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(handles_are_as_java_has_them),
      cmocka_unit_test(others_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
