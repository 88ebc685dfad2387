/* Java's String.hashCode of a text that we hold as UTF-8. Pure. */
#ifndef BOLIDE_BASE_JAVAHASH_H
#define BOLIDE_BASE_JAVAHASH_H

#include <stdint.h>

#include "base/slice.h"

/* Over the UTF-16 units (surrogate pairs beyond U+FFFF) of the text that Java decodes from these
 * bytes: what is not UTF-8 counts as U+FFFD, as in new String(bytes, UTF_8). */
int32_t bl_javahash(struct bl_slice text);

#endif
