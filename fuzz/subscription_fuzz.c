/* A subscription: topic, type and expression, between NUL bytes. Its own tags match it. */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/javahash.h"
#include "broker/members/subscription.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct bl_slice rest = bl_slice_of(data, size);
  struct bl_slice topic = bl_slice_cut(&rest, '\0');
  struct bl_slice type = bl_slice_cut(&rest, '\0');
  struct bl_subscription *subscription = NULL;
  if (bl_subscription_new(topic, rest, type, 1, &subscription) != BL_OK) return 0;
  BL_ASSERT(bl_slice_eq(subscription->topic, topic));
  BL_ASSERT(subscription->tag_count <= BL_SUBSCRIPTION_TAGS_MAX);
  for (uint32_t i = 0; i < subscription->tag_count; i++) {
    BL_ASSERT(subscription->tags[i].len > 0);
    BL_ASSERT(bl_subscription_matches(subscription, bl_javahash(subscription->tags[i])));
    BL_ASSERT(i == 0 || subscription->codes[i - 1] <= subscription->codes[i]);
  }
  bl_subscription_free(subscription);
  return 0;
}
