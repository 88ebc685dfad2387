/* A point in time as people write it. Pure but for the machine's time zone. */
#ifndef BOLIDE_CLI_WHEN_H
#define BOLIDE_CLI_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Milliseconds since 1970 (all digits), or ISO 8601: 2026-11-22, 2026-11-22T20:15,
 * 2026-11-22T20:15:30.250 with Z or +01:00 behind it or, for local time, nothing; a blank may stand
 * for the T. false: neither. */
bool bl_when_parse(struct bl_slice text, int64_t *out_ms);

#endif
