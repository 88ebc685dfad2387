#include "os/entropy.h"

#include <errno.h>
#include <sys/random.h>

#include "base/assert.h"

void bl_entropy_fill(void *to, size_t len) {
  char *at = to;
  while (len > 0) {
    ssize_t got = getrandom(at, len, 0);
    if (got < 0) {
      BL_ASSERT(errno == EINTR);
      continue;
    }
    at += got;
    len -= (size_t)got;
  }
}

uint64_t bl_entropy_u64(void) {
  uint64_t value;
  bl_entropy_fill(&value, sizeof(value));
  return value;
}
