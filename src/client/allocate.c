#include "client/allocate.h"

#include "base/assert.h"

struct bl_allocation bl_allocate_averagely(uint32_t queue_count, uint32_t member_count,
                                           uint32_t member_index) {
  BL_ASSERT(member_index < member_count);
  uint32_t share = queue_count / member_count;
  uint32_t with_one_more = queue_count % member_count; /* the first members of the list */
  if (member_index < with_one_more) {
    return (struct bl_allocation){.first = member_index * (share + 1), .count = share + 1};
  }
  return (struct bl_allocation){.first = member_index * share + with_one_more, .count = share};
}
