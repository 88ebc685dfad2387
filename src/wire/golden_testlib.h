/* Bytes that RocketMQ 5.5.0 wrote, from tests/wire/golden; for tests of src/wire. */
#ifndef BOLIDE_WIRE_GOLDEN_TESTLIB_H
#define BOLIDE_WIRE_GOLDEN_TESTLIB_H

#include "base/arena.h"
#include "base/slice.h"

struct bl_golden {
  const char *name; /* of the file in tests/wire/golden */
  const char *hex;
};

extern const struct bl_golden bl_golden_records[];
extern const size_t bl_golden_record_count;
extern const struct bl_golden bl_golden_frames[];
extern const size_t bl_golden_frame_count;
extern const char *const bl_golden_binary_frame;

/* The bytes, in the arena. */
struct bl_slice bl_golden_bytes(struct bl_arena *arena, const char *hex);

#endif
