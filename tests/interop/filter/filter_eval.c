/* Our filter on the cases of test_filter; input and output as Filter.java's. Built by the test. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/filter/filter.h"

enum { LINE_BYTES_MAX = 1 << 18, SETS_MAX = 256 };

static struct bl_slice unhex(const char *hex) {
  size_t len = strspn(hex, "0123456789abcdef") / 2;
  char *bytes = malloc(len + 1);
  for (size_t i = 0; i < len; i++) {
    char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
    bytes[i] = (char)strtoul(digits, NULL, 16);
  }
  return bl_slice_of(bytes, len);
}

int main(int argc, char **argv) {
  static char line[LINE_BYTES_MAX];
  static struct bl_slice sets[SETS_MAX];
  size_t set_count = 0;
  bool why_wanted = argc > 1 && strcmp(argv[1], "--why") == 0;
  while (fgets(line, sizeof(line), stdin) != NULL) {
    struct bl_slice payload = unhex(line + 2);
    if (line[0] == 'P') {
      if (set_count < SETS_MAX) sets[set_count++] = payload;
      continue;
    }
    struct bl_filter *filter = NULL;
    struct bl_why why = {{0}};
    if (bl_filter_compile(payload, &filter, &why) != BL_OK) {
      putchar('-');
      if (why_wanted) printf(" %s", why.text);
    } else {
      for (size_t i = 0; i < set_count; i++) putchar("FTNX"[bl_filter_evaluate(filter, sets[i])]);
    }
    putchar('\n');
    bl_filter_free(filter);
    free((void *)(uintptr_t)payload.ptr);
  }
  for (size_t i = 0; i < set_count; i++) free((void *)(uintptr_t)sets[i].ptr);
  return 0;
}
