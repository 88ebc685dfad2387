/* What the hot path needs of a frame's header, read where it lies. Pure. */
#ifndef BOLIDE_CLI_BENCH_REPLY_H
#define BOLIDE_CLI_BENCH_REPLY_H

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct bl_bench_head {
  int32_t code;
  int32_t opaque;
  int32_t flag;
  struct bl_slice header; /* without the two length words */
  struct bl_slice body;
};

/* FILLS a view of one whole frame. BL_ERR_FORMAT: not a header. JSON headers are searched for their
 * members, not parsed: `code` from the front, `flag` and `opaque` from the back, where everyone
 * (fastjson sorts) writes them; a header in another order is parsed whole. */
BL_MUST_CHECK bl_err bl_bench_head_read(struct bl_slice frame, struct bl_bench_head *out_head);

/* The field of the header, text or number, or the absent slice. JSON escapes are not undone. */
struct bl_slice bl_bench_head_field(struct bl_slice frame, struct bl_slice name);

#endif
