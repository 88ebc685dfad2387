/* An SQL92 expression, a NUL byte, the properties of a message. Whatever is taken gives the same
 * answer each time, whatever is refused says where. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "broker/filter/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct bl_slice rest = bl_slice_of(data, size);
  struct bl_slice expression = bl_slice_cut(&rest, '\0');
  struct bl_filter *filter = NULL;
  struct bl_why why = {{0}};
  bl_err err = bl_filter_compile(expression, &filter, &why);
  if (err != BL_OK) {
    BL_ASSERT(err == BL_ERR_SUBSCRIPTION_PARSE && filter == NULL);
    BL_ASSERT(strstr(why.text, "SQL92 expression") != NULL);
    return 0;
  }
  BL_ASSERT(bl_filter_bytes(filter) < BL_FILTER_TEXT_BYTES_MAX * 16 + BL_FILTER_NODES_MAX * 64);
  enum bl_filter_answer answer = bl_filter_evaluate(filter, rest);
  BL_ASSERT(answer == bl_filter_evaluate(filter, rest));
  BL_ASSERT((answer == BL_FILTER_TRUE) == bl_filter_matches(filter, rest));
  (void)bl_filter_evaluate(filter, (struct bl_slice){NULL, 0});
  bl_filter_free(filter);
  return 0;
}
