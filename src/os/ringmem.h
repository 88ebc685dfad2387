/* Memory mapped twice in a row, so that a run of bytes that crosses the end of the ring is
 * contiguous. Address space only until touched. */
#ifndef BOLIDE_OS_RINGMEM_H
#define BOLIDE_OS_RINGMEM_H

#include <stddef.h>

/* RETURNS OWNED the first of 2 * bytes mapped bytes, or NULL. `bytes` is a power of two and a
 * multiple of the page size. */
char *bl_ringmem_new(size_t bytes);
void bl_ringmem_free(char *memory, size_t bytes);

#endif
