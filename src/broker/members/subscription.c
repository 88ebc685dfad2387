#include "broker/members/subscription.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/javahash.h"
#include "broker/table.h"

static bool is_tag_type(struct bl_slice type) {
  return type.len == 0 || bl_slice_is(type, "TAG");
}

bool bl_subscription_is_tag(const struct bl_subscription *subscription) {
  return subscription->is_tag;
}

static int compare_codes(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a;
  int32_t y = *(const int32_t *)b;
  return x < y ? -1 : x > y;
}

/* As String#trim. */
static struct bl_slice trim(struct bl_slice text) {
  while (text.len > 0 && (unsigned char)text.ptr[text.len - 1] <= ' ') text.len--;
  while (text.len > 0 && (unsigned char)text.ptr[0] <= ' ') text = bl_slice_from(text, 1);
  return text;
}

/* The next tag of "a || b"; blanks around it go, empty ones are skipped. false at the end. */
static bool next_tag(struct bl_slice *rest, struct bl_slice *out_tag) {
  while (rest->ptr != NULL && rest->len > 0) {
    size_t bar = 0;
    while (bar < rest->len &&
           !(rest->ptr[bar] == '|' && bar + 1 < rest->len && rest->ptr[bar + 1] == '|')) {
      bar++;
    }
    *out_tag = trim(bl_slice_of(rest->ptr, bar));
    *rest = bl_slice_from(*rest, bar + 2 <= rest->len ? bar + 2 : rest->len);
    if (out_tag->len > 0) return true;
  }
  return false;
}

/* Java's String#split then gives no part at all, which is an error; blank parts are none. */
static bool has_only_bars(struct bl_slice expression) {
  if (expression.len % 2 != 0) return false;
  for (size_t i = 0; i < expression.len; i++) {
    if (expression.ptr[i] != '|') return false;
  }
  return true;
}

/* None at all, as of " || ", matches nothing. */
static bl_err take_tags(struct bl_subscription *subscription) {
  struct bl_slice rest = subscription->expression;
  struct bl_slice tag;
  uint32_t count = 0;
  while (next_tag(&rest, &tag)) count++;
  if (count > BL_SUBSCRIPTION_TAGS_MAX || has_only_bars(subscription->expression))
    return BL_ERR_SUBSCRIPTION_PARSE;
  if (count == 0) return BL_OK;
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
  subscription->is_tag = is_tag_type(type);
  if (expression.len == 0) expression = subscription->is_tag ? BL_SLICE("*") : BL_SLICE("");
  subscription->expression = bl_table_own(expression);
  subscription->expression_type = bl_table_own(type.len > 0 ? type : BL_SLICE("TAG"));
  subscription->version = version;
  subscription->all = subscription->is_tag && bl_slice_is(expression, "*");
  bl_err err = BL_OK;
  if (!subscription->all && subscription->is_tag) err = take_tags(subscription);
  if (err != BL_OK) {
    bl_subscription_free(subscription);
    return err;
  }
  *out_subscription = subscription;
  return BL_OK;
}

bl_err bl_subscription_compile(struct bl_subscription *subscription, struct bl_filter_cache *cache,
                               struct bl_why *why) {
  if (subscription->is_tag || subscription->filter != NULL) return BL_OK;
  if (subscription->refused && why == NULL) return BL_ERR_SUBSCRIPTION_PARSE;
  if (!bl_slice_is(subscription->expression_type, "SQL92")) {
    subscription->refused = true;
    return bl_why_set(why, BL_ERR_SUBSCRIPTION_PARSE,
                      "the expression type %.*s is not known; use TAG or SQL92",
                      BL_FMT(subscription->expression_type));
  }
  bl_err err = bl_filter_cache_get(cache, subscription->expression, &subscription->filter, why);
  subscription->refused = err != BL_OK;
  return err;
}

void bl_subscription_free(struct bl_subscription *subscription) {
  if (subscription == NULL) return;
  bl_filter_free(subscription->filter);
  bl_table_disown(subscription->topic);
  bl_table_disown(subscription->expression);
  bl_table_disown(subscription->expression_type);
  free(subscription->codes);
  free(subscription->tags);
  free(subscription);
}

bool bl_subscription_matches(const struct bl_subscription *subscription, int64_t tags_code) {
  if (subscription->all || !subscription->is_tag) return true;
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
