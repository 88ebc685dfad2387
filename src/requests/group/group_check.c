#include "requests/group/group_check.h"

#include "broker/group/groups.h"
#include "broker/topic/topics.h"

bl_err bl_group_name_validate(struct bl_slice name, struct bl_why *why) {
  int shown = (int)(name.len < 300 ? name.len : 300);
  if (bl_slice_trim(name).len == 0) {
    return bl_why_set(why, BL_ERR_PARAMETER, "The specified group is blank.");
  }
  if (!bl_name_is_valid(name)) {
    return bl_why_set(why, BL_ERR_PARAMETER,
                      "The specified group: %.*s, contains illegal characters, allowing only "
                      "^[%%|a-zA-Z0-9_-]+$",
                      shown, name.ptr);
  }
  if (name.len > BL_GROUP_BYTES_MAX) {
    return bl_why_set(why, BL_ERR_PARAMETER,
                      "The specified group: %.*s, is longer than group max length: %d", shown,
                      name.ptr, BL_GROUP_BYTES_MAX);
  }
  return BL_OK;
}
