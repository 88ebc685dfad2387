/* Topic attributes and their changes: "+key=value,-key".
 * Source: apache/rocketmq common TopicAttributes, AttributeParser, AttributeUtil. */
#include "base/json.h"
#include "broker/topic/topics.h"

#define ATTRIBUTES_MAX 32
/* Ours, in Kafka's words. */
#define RETENTION_MS "retention.ms"
#define RETENTION_BYTES "retention.bytes"

struct attribute {
  const char *name;
  const char *choices; /* separated by |; NULL: a number */
  bool retention;      /* a number from -1 (without limit) on */
};
static const struct attribute KNOWN[] = {
    {"queue.type", "BatchCQ|SimpleCQ|RocksDBCQ", false},
    {"cleanup.policy", "DELETE|COMPACTION", false},
    {"message.type", "UNSPECIFIED|NORMAL|FIFO|DELAY|TRANSACTION|MIXED|PRIORITY|LITE", false},
    {"reserve.time", NULL, false},
    {"lite.expiration", NULL, false},
    {RETENTION_MS, NULL, true},
    {RETENTION_BYTES, NULL, true},
};

struct pair {
  struct bl_slice name;
  struct bl_slice value;
};

static const struct attribute *find_known(struct bl_slice name) {
  for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++) {
    if (bl_slice_is(name, KNOWN[i].name)) return &KNOWN[i];
  }
  return NULL;
}

static bool value_is_good(const struct attribute *attribute, struct bl_slice value) {
  int64_t number;
  if (attribute->choices == NULL)
    return bl_slice_i64(value, &number) && (!attribute->retention || number >= -1);
  struct bl_slice rest = bl_slice_text(attribute->choices);
  while (rest.ptr != NULL) {
    if (bl_slice_eq(bl_slice_cut(&rest, '|'), value)) return true;
  }
  return false;
}

static int place_of(const struct pair *pairs, int count, struct bl_slice name) {
  int at = 0;
  while (at < count && !bl_slice_eq(pairs[at].name, name)) at++;
  return at;
}

/* One "+key=value" or "-key" applied. */
static bl_err change_one(struct bl_slice change, struct pair *pairs, int *count,
                         struct bl_why *why) {
  char sign = change.ptr[0];
  struct bl_slice value = bl_slice_from(change, 1);
  struct bl_slice name = bl_slice_cut(&value, '=');
  if ((sign != '+' && sign != '-') || name.len == 0 || (sign == '+' && value.ptr == NULL)) {
    return bl_why_set(why, BL_ERR_PARAMETER, "attribute change %.*s is not +key=value or -key",
                      BL_FMT(change));
  }
  const struct attribute *known = find_known(name);
  bool is_ours = false;
  bl_err err = bl_topic_feature_check(name, sign == '+' ? value : BL_SLICE(""), &is_ours,
                                      sign == '+' ? why : NULL);
  if (is_ours && sign == '+' && err != BL_OK) return err;
  if (known == NULL && !is_ours)
    return bl_why_set(why, BL_ERR_PARAMETER, "unsupported key: %.*s", BL_FMT(name));
  int at = place_of(pairs, *count, name);
  if (sign == '-') {
    if (at < *count) pairs[at] = pairs[--*count];
    return BL_OK;
  }
  if (!is_ours && !value_is_good(known, value)) {
    return bl_why_set(why, BL_ERR_PARAMETER, "value %.*s of attribute %.*s is not allowed%s%s",
                      BL_FMT(value), BL_FMT(name), known->choices != NULL ? ", only " : "",
                      known->choices != NULL ? known->choices
                      : known->retention     ? ", only a number from -1 (without limit) on"
                                             : "");
  }
  if (at == *count && *count == ATTRIBUTES_MAX) {
    return bl_why_set(why, BL_ERR_PARAMETER, "a topic has %d attributes at most", ATTRIBUTES_MAX);
  }
  pairs[at] = (struct pair){name, value};
  if (at == *count) (*count)++;
  return BL_OK;
}

bl_err bl_topic_attributes_change(struct bl_slice attributes, struct bl_slice changes,
                                  struct bl_arena *arena, struct bl_slice *out,
                                  struct bl_why *why) {
  struct pair pairs[ATTRIBUTES_MAX + 1];
  int count = 0;
  const struct bl_json *root = NULL;
  if (bl_json_parse(attributes, BL_JSON_STRICT, arena, &root, NULL) == BL_OK) {
    for (const struct bl_json *node = root->child; node != NULL && count < ATTRIBUTES_MAX;
         node = node->next) {
      pairs[count++] = (struct pair){node->key, bl_json_text(node)};
    }
  }
  while (changes.ptr != NULL) {
    struct bl_slice change = bl_slice_trim(bl_slice_cut(&changes, ','));
    if (change.len == 0) continue;
    bl_err err = change_one(change, pairs, &count, why);
    if (err != BL_OK) return err;
  }
  struct bl_buf text;
  bl_buf_init(&text, 65536);
  struct bl_json_writer w = bl_json_writer_of(&text, false);
  bl_json_open_object(&w);
  for (int i = 0; i < count; i++) {
    bl_json_key_slice(&w, pairs[i].name);
    bl_json_put_text(&w, pairs[i].value);
  }
  bl_json_close_object(&w);
  *out = bl_arena_copy(arena, bl_buf_slice(&text));
  bl_err err = text.failed ? BL_ERR_FULL : BL_OK;
  bl_buf_fini(&text);
  return err;
}

static void take_number(const struct bl_json *root, const char *name, bool *out_set,
                        int64_t *out_number) {
  int64_t number;
  const struct bl_json *node = bl_json_get(root, name);
  *out_set = false;
  if (node == NULL || !bl_slice_i64(bl_json_text(node), &number) || number < -1) return;
  *out_set = true;
  *out_number = number;
}

struct bl_topic_retention bl_topic_retention_of(struct bl_slice attributes) {
  struct bl_topic_retention retention = {.ms = -1, .bytes = -1};
  bool sized;
  /* Nearly no topic has one: no parser for them. */
  if (strstr(attributes.ptr, "retention.") == NULL) return retention;
  struct bl_arena arena;
  const struct bl_json *root = NULL;
  bl_arena_init(&arena);
  if (bl_json_parse(attributes, BL_JSON_STRICT, &arena, &root, NULL) == BL_OK) {
    take_number(root, RETENTION_MS, &retention.timed, &retention.ms);
    take_number(root, RETENTION_BYTES, &sized, &retention.bytes);
  }
  bl_arena_fini(&arena);
  return retention;
}

bool bl_topic_is_batch_cq(struct bl_slice attributes) {
  if (strstr(attributes.ptr, "BatchCQ") == NULL) return false;
  struct bl_arena arena;
  const struct bl_json *root = NULL;
  bl_arena_init(&arena);
  bool is = bl_json_parse(attributes, BL_JSON_STRICT, &arena, &root, NULL) == BL_OK &&
            bl_slice_is(bl_json_text(bl_json_get(root, "queue.type")), "BatchCQ");
  bl_arena_fini(&arena);
  return is;
}
