#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void bl_assert_failed(const char *what, const char *file, int line) {
  fprintf(stderr, "bolide: %s:%d: assertion failed: %s\n", file, line, what);
  fflush(stderr);
  abort();
}
