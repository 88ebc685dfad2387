#include "broker/retry/policy.h"

#include "base/arena.h"
#include "base/json.h"

#define SECOND_MS 1000LL
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define EXPONENT_MAX 32

/* messageDelayLevel of MessageStoreConfig. */
static const int64_t LEVELS_MS[] = {
    1 * SECOND_MS, 5 * SECOND_MS,  10 * SECOND_MS, 30 * SECOND_MS, 1 * MINUTE_MS, 2 * MINUTE_MS,
    3 * MINUTE_MS, 4 * MINUTE_MS,  5 * MINUTE_MS,  6 * MINUTE_MS,  7 * MINUTE_MS, 8 * MINUTE_MS,
    9 * MINUTE_MS, 10 * MINUTE_MS, 20 * MINUTE_MS, 30 * MINUTE_MS, 1 * HOUR_MS,   2 * HOUR_MS};
#define LEVEL_COUNT ((int32_t)(sizeof(LEVELS_MS) / sizeof(LEVELS_MS[0])))

/* What the JSON says. */
struct policy {
  const struct bl_json *next; /* of a customized one: its array, not empty; else NULL */
  bool exponential;
  int64_t initial_ms;
  int64_t max_ms;
  int64_t multiplier;
};

static struct policy read_policy(struct bl_slice text, struct bl_arena *arena) {
  struct policy policy = {.next = NULL};
  const struct bl_json *root = NULL;
  if (text.len == 0 || bl_json_parse(text, BL_JSON_DIALECT, arena, &root, NULL) != BL_OK)
    return policy;
  if (bl_slice_is(bl_json_text(bl_json_get(root, "type")), "EXPONENTIAL")) {
    const struct bl_json *node = bl_json_get(root, "exponentialRetryPolicy");
    policy.exponential = node != NULL && node->kind == BL_JSON_OBJECT;
    policy.initial_ms = bl_json_i64(bl_json_get(node, "initial"), 5 * SECOND_MS);
    policy.max_ms = bl_json_i64(bl_json_get(node, "max"), 2 * HOUR_MS);
    policy.multiplier = bl_json_i64(bl_json_get(node, "multiplier"), 2);
    return policy;
  }
  const struct bl_json *next = bl_json_get(bl_json_get(root, "customizedRetryPolicy"), "next");
  if (next != NULL && next->kind == BL_JSON_ARRAY && next->count > 0) policy.next = next;
  return policy;
}

bool bl_retry_policy_is_set(struct bl_slice text) {
  struct bl_arena arena;
  bl_arena_init(&arena);
  struct policy policy = read_policy(text, &arena);
  bl_arena_fini(&arena);
  return policy.exponential || policy.next != NULL;
}

/* min(max, initial * multiplier ^ times), where Java's sum would have run over, too. */
static int64_t exponential_ms(const struct policy *policy, int32_t times) {
  int64_t delay_ms = policy->initial_ms;
  if (times > EXPONENT_MAX) times = EXPONENT_MAX;
  for (int32_t i = 0; i < times && delay_ms < policy->max_ms; i++) {
    if (__builtin_mul_overflow(delay_ms, policy->multiplier, &delay_ms)) return policy->max_ms;
  }
  return delay_ms < policy->max_ms ? delay_ms : policy->max_ms;
}

/* The first two entries are for nobody: a retry begins with the third, as with levels. */
static int64_t customized_ms(const struct bl_json *next, int32_t times) {
  int64_t at = (int64_t)times + BL_RETRY_LEVEL_FIRST - 1;
  const struct bl_json *node = next->child;
  for (int64_t i = 0; i < at && node->next != NULL; i++) node = node->next;
  return bl_json_i64(node, 0);
}

int64_t bl_retry_policy_delay_ms(struct bl_slice text, int32_t times) {
  struct bl_arena arena;
  if (times < 0) times = 0;
  bl_arena_init(&arena);
  struct policy policy = read_policy(text, &arena);
  int64_t delay_ms;
  if (policy.exponential) {
    delay_ms = exponential_ms(&policy, times);
  } else if (policy.next != NULL) {
    delay_ms = customized_ms(policy.next, times);
  } else {
    int64_t level = (int64_t)times + BL_RETRY_LEVEL_FIRST;
    delay_ms = LEVELS_MS[(level < LEVEL_COUNT ? level : LEVEL_COUNT) - 1];
  }
  bl_arena_fini(&arena);
  return delay_ms > 0 ? delay_ms : 0;
}
