#define _GNU_SOURCE
#include "os/ringmem.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"

static char *map_twice(int file, size_t bytes) {
  char *memory = mmap(NULL, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return NULL;
  for (size_t at = 0; at < 2 * bytes; at += bytes) {
    void *half = mmap(memory + at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
    if (half == MAP_FAILED) {
      munmap(memory, 2 * bytes);
      return NULL;
    }
  }
  return memory;
}

char *bl_ringmem_new(size_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  BL_ASSERT(bytes > 0 && bytes % page == 0 && (bytes & (bytes - 1)) == 0);
  int file = memfd_create("bolide-ring", MFD_CLOEXEC);
  if (file < 0) return NULL;
  char *memory = ftruncate(file, (off_t)bytes) == 0 ? map_twice(file, bytes) : NULL;
  close(file);
  return memory;
}

void bl_ringmem_free(char *memory, size_t bytes) {
  if (memory != NULL) munmap(memory, 2 * bytes);
}
