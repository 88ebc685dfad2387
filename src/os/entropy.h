/* Random bytes from the system: seeds and names, not for simulation. */
#ifndef BOLIDE_OS_ENTROPY_H
#define BOLIDE_OS_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

void bl_entropy_fill(void *to, size_t len);
uint64_t bl_entropy_u64(void);

#endif
