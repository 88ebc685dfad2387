#include "broker/pull/wanted.h"

#include "broker/broker.h"
#include "wire/properties.h"

#define RETRY_PREFIX BL_SLICE("%RETRY%")

struct bl_wanted bl_wanted_of(struct bl_broker *broker, struct bl_slice group,
                              struct bl_slice topic, const struct bl_subscription *filter) {
  struct bl_wanted wanted = {.filter = filter, .filters = &broker->filters};
  if (filter->filter != NULL && broker->settings->filter_support_retry &&
      bl_slice_starts(topic, RETRY_PREFIX))
    wanted.group = bl_members_consumers(broker, group);
  return wanted;
}

bool bl_wanted_entry(const struct bl_wanted *wanted, int64_t tags_code) {
  return bl_subscription_matches(wanted->filter, tags_code);
}

bool bl_wanted_needs_record(const struct bl_wanted *wanted) {
  return wanted->filter->filter != NULL || wanted->now_ms > 0;
}

bool bl_wanted_record(const struct bl_wanted *wanted, struct bl_slice properties) {
  const struct bl_filter *filter = wanted->filter->filter;
  if (wanted->group != NULL) {
    struct bl_slice topic = bl_properties_get(properties, BL_PROP_RETRY_TOPIC);
    struct bl_subscription *real =
        topic.ptr != NULL ? bl_map_get(&wanted->group->subscriptions, topic) : NULL;
    /* Java gives what no expression is known for. */
    bool known = real != NULL && bl_subscription_compile(real, wanted->filters, NULL) == BL_OK;
    filter = known ? real->filter : NULL;
  }
  return filter == NULL || bl_filter_matches(filter, properties);
}
