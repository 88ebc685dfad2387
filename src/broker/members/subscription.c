#include "broker/members/subscription.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/javahash.h"
#include "broker/table.h"

static bool is_tag_type(struct bl_slice type) {
  return type.len == 0 || bl_slice_is(type, "TAG");
}

bool bl_subscription_is_tag(const struct bl_subscription *subscription) {
  return is_tag_type(subscription->expression_type);
}

static int compare_codes(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a;
  int32_t y = *(const int32_t *)b;
  return x < y ? -1 : x > y;
}

/* The next tag of "a || b"; blanks around it go, empty ones are skipped. false at the end. */
static bool next_tag(struct bl_slice *rest, struct bl_slice *out_tag) {
  while (rest->ptr != NULL && rest->len > 0) {
    size_t bar = 0;
    while (bar < rest->len &&
           !(rest->ptr[bar] == '|' && bar + 1 < rest->len && rest->ptr[bar + 1] == '|')) {
      bar++;
    }
    *out_tag = bl_slice_trim(bl_slice_of(rest->ptr, bar));
    *rest = bl_slice_from(*rest, bar + 2 <= rest->len ? bar + 2 : rest->len);
    if (out_tag->len > 0) return true;
  }
  return false;
}

static bl_err take_tags(struct bl_subscription *subscription) {
  struct bl_slice rest = subscription->expression;
  struct bl_slice tag;
  uint32_t count = 0;
  while (next_tag(&rest, &tag)) count++;
  if (count == 0 || count > BL_SUBSCRIPTION_TAGS_MAX) return BL_ERR_SUBSCRIPTION_PARSE;
  subscription->codes = calloc(count, sizeof(*subscription->codes));
  subscription->tags = calloc(count, sizeof(*subscription->tags));
  BL_ASSERT(subscription->codes != NULL && subscription->tags != NULL);
  rest = subscription->expression;
  while (next_tag(&rest, &tag)) {
    subscription->codes[subscription->tag_count] = bl_javahash(tag);
    subscription->tags[subscription->tag_count] = tag; /* within the HELD expression */
    subscription->tag_count++;
  }
  qsort(subscription->codes, count, sizeof(*subscription->codes), compare_codes);
  return BL_OK;
}

bl_err bl_subscription_new(struct bl_slice topic, struct bl_slice expression, struct bl_slice type,
                           int64_t version, struct bl_subscription **out_subscription) {
  if (expression.len > BL_SUBSCRIPTION_BYTES_MAX || type.len > 64) return BL_ERR_SUBSCRIPTION_PARSE;
  struct bl_subscription *subscription = calloc(1, sizeof(*subscription));
  BL_ASSERT(subscription != NULL);
  subscription->topic = bl_table_own(topic);
  subscription->expression = bl_table_own(expression.len > 0 ? expression : BL_SLICE("*"));
  subscription->expression_type = bl_table_own(type.len > 0 ? type : BL_SLICE("TAG"));
  subscription->version = version;
  subscription->all = bl_slice_is(subscription->expression, "*");
  bl_err err = BL_OK;
  if (!subscription->all && is_tag_type(type)) err = take_tags(subscription);
  if (err != BL_OK) {
    bl_subscription_free(subscription);
    return err;
  }
  *out_subscription = subscription;
  return BL_OK;
}

void bl_subscription_free(struct bl_subscription *subscription) {
  if (subscription == NULL) return;
  bl_table_disown(subscription->topic);
  bl_table_disown(subscription->expression);
  bl_table_disown(subscription->expression_type);
  free(subscription->codes);
  free(subscription->tags);
  free(subscription);
}

bool bl_subscription_matches(const struct bl_subscription *subscription, int64_t tags_code) {
  if (subscription->all) return true;
  int32_t code = (int32_t)tags_code;
  if (subscription->tag_count <= 4) {
    for (uint32_t i = 0; i < subscription->tag_count; i++) {
      if (subscription->codes[i] == code) return true;
    }
    return false;
  }
  return bsearch(&code, subscription->codes, subscription->tag_count, sizeof(code),
                 compare_codes) != NULL;
}
