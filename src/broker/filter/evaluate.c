/* The values that Java's Expression#evaluate gives, in its order: what it does not look at is not
 * looked at here, so that it cannot fail. Each node is evaluated once at most. */
#define _GNU_SOURCE /* memmem */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "broker/filter/number.h"
#include "broker/filter/program.h"
#include "wire/properties.h"

/* Up to so many names are compared as they are, more by their hashes. */
#define NAMES_COMPARED_MAX 4

struct message {
  const struct bl_filter *filter;
  struct bl_slice values[BL_FILTER_NAMES_MAX]; /* by the place of the name; absent */
};

static void find_by_hash(const struct bl_filter *filter, struct bl_slice name,
                         struct bl_slice value, struct bl_slice *values) {
  uint32_t hash = bl_hash(name);
  for (uint32_t i = 0; i < filter->name_count; i++) {
    if (filter->name_hashes[i] != hash || !bl_slice_eq(filter->names[i], name)) continue;
    values[i] = value;
    return;
  }
}

/* Of several of a name the last counts, as in a Java map. */
static void find_values(const struct bl_filter *filter, struct bl_slice properties,
                        struct bl_slice *values) {
  struct bl_slice name;
  struct bl_slice value;
  memset(values, 0, filter->name_count * sizeof(*values));
  while (bl_properties_next(&properties, &name, &value)) {
    if ((filter->name_marks & bl_filter_mark_of(name)) == 0) continue;
    if (filter->name_count > NAMES_COMPARED_MAX) {
      find_by_hash(filter, name, value, values);
      continue;
    }
    for (uint32_t i = 0; i < filter->name_count; i++) {
      if (bl_slice_eq(filter->names[i], name)) values[i] = value;
    }
  }
}

static struct bl_filter_value failed(void) {
  return (struct bl_filter_value){.type = BL_FILTER_TYPE_FAILED};
}

static struct bl_filter_value unknown(void) {
  return (struct bl_filter_value){.type = BL_FILTER_TYPE_NULL};
}

static struct bl_filter_value truth(bool flag) {
  return (struct bl_filter_value){.type = BL_FILTER_TYPE_BOOL, .flag = flag};
}

static bool is_true(struct bl_filter_value value) {
  return value.type == BL_FILTER_TYPE_BOOL && value.flag;
}

static bool is_false(struct bl_filter_value value) {
  return value.type == BL_FILTER_TYPE_BOOL && !value.flag;
}

static int compare_whole(int64_t a, int64_t b) {
  return (a > b) - (a < b);
}

/* The text as the type of the other side. */
static bool read_as(enum bl_filter_type type, struct bl_slice text, struct bl_filter_value *out) {
  out->type = type;
  switch (type) {
    case BL_FILTER_TYPE_INT: return bl_filter_read_int(text, &out->whole);
    case BL_FILTER_TYPE_LONG: return bl_filter_read_long(text, &out->whole);
    case BL_FILTER_TYPE_DOUBLE: return bl_filter_read_double(text, &out->real);
    default: out->flag = bl_slice_bool(text); return true;
  }
}

static double real_of(const struct bl_filter_value *value) {
  return value->type == BL_FILTER_TYPE_DOUBLE ? value->real : (double)value->whole;
}

/* Of two texts neither is less: they are equal, or not. */
static int compare_same(const struct bl_filter_value *a, const struct bl_filter_value *b) {
  switch (a->type) {
    case BL_FILTER_TYPE_BOOL: return (int)a->flag - (int)b->flag;
    case BL_FILTER_TYPE_DOUBLE: return bl_filter_compare_doubles(a->real, b->real);
    case BL_FILTER_TYPE_TEXT: return bl_slice_eq(a->text, b->text) ? 0 : -1;
    default: return compare_whole(a->whole, b->whole);
  }
}

/* ComparisonExpression#__compare. false: it throws. Neither is NULL. */
static bool compare(struct bl_filter_value a, struct bl_filter_value b, int *out_order) {
  bool a_text = a.type == BL_FILTER_TYPE_TEXT;
  bool b_text = b.type == BL_FILTER_TYPE_TEXT;
  if (a.type != b.type && (a_text || b_text)) {
    if (a.type == BL_FILTER_TYPE_BOOL) return false; /* a wrong cast there; not the other way */
    if (a_text ? !read_as(b.type, a.text, &a) : !read_as(a.type, b.text, &b)) return false;
  }
  if (a.type == b.type) {
    *out_order = compare_same(&a, &b);
  } else if (a.type == BL_FILTER_TYPE_BOOL || b.type == BL_FILTER_TYPE_BOOL) {
    *out_order = -1;
  } else if (a.type == BL_FILTER_TYPE_DOUBLE || b.type == BL_FILTER_TYPE_DOUBLE) {
    *out_order = bl_filter_compare_doubles(real_of(&a), real_of(&b));
  } else {
    *out_order = compare_whole(a.whole, b.whole);
  }
  return true;
}

/* For < <= > >=: two texts are compared as doubles. */
static bool compare_order(struct bl_filter_value a, struct bl_filter_value b, int *out_order) {
  if (a.type == BL_FILTER_TYPE_TEXT && b.type == BL_FILTER_TYPE_TEXT) {
    if (!read_as(BL_FILTER_TYPE_DOUBLE, a.text, &a) || !read_as(BL_FILTER_TYPE_DOUBLE, b.text, &b))
      return false;
  }
  return compare(a, b, out_order);
}

static struct bl_filter_value evaluate(const struct message *m, uint32_t index);

static struct bl_filter_value evaluate_equal(const struct message *m,
                                             const struct bl_filter_node *node) {
  struct bl_filter_value left = evaluate(m, node->left);
  if (left.type == BL_FILTER_TYPE_FAILED) return left;
  struct bl_filter_value right = evaluate(m, node->right);
  if (right.type == BL_FILTER_TYPE_FAILED) return right;
  if (left.type == BL_FILTER_TYPE_NULL)
    return right.type == BL_FILTER_TYPE_NULL ? truth(true) : unknown();
  if (right.type == BL_FILTER_TYPE_NULL) return truth(false);
  int order;
  if (!compare(left, right, &order)) return failed();
  return truth(order == 0);
}

static struct bl_filter_value evaluate_order(enum bl_filter_op op, struct bl_filter_value left,
                                             struct bl_filter_value right) {
  if (left.type <= BL_FILTER_TYPE_NULL) return left;
  if (right.type <= BL_FILTER_TYPE_NULL) return right;
  int order;
  if (!compare_order(left, right, &order)) return failed();
  switch (op) {
    case BL_FILTER_GREATER: return truth(order > 0);
    case BL_FILTER_GREATER_EQUAL: return truth(order >= 0);
    case BL_FILTER_LESS: return truth(order < 0);
    default: return truth(order <= 0);
  }
}

/* left >= low AND left <= high; negated: left < low OR left > high. */
static struct bl_filter_value evaluate_between(const struct message *m,
                                               const struct bl_filter_node *node) {
  struct bl_filter_value left = evaluate(m, node->left);
  if (left.type <= BL_FILTER_TYPE_NULL) return left;
  struct bl_filter_value low = evaluate_order(
      node->negated ? BL_FILTER_LESS : BL_FILTER_GREATER_EQUAL, left, evaluate(m, node->right));
  if (low.type == BL_FILTER_TYPE_FAILED) return low;
  if (low.type == BL_FILTER_TYPE_BOOL && low.flag == node->negated) return low;
  struct bl_filter_value high = evaluate_order(
      node->negated ? BL_FILTER_GREATER : BL_FILTER_LESS_EQUAL, left, evaluate(m, node->third));
  if (high.type == BL_FILTER_TYPE_FAILED) return high;
  if (high.type == BL_FILTER_TYPE_BOOL && high.flag == node->negated) return high;
  return low.type == BL_FILTER_TYPE_NULL ? low : high;
}

static bool is_in_list(const struct bl_filter *filter, const struct bl_filter_node *node,
                       struct bl_slice text) {
  const struct bl_slice *elements = filter->elements + node->right;
  size_t count = node->third;
  if (count < BL_FILTER_SORTED_MIN) {
    for (size_t i = 0; i < count; i++) {
      if (bl_slice_eq(elements[i], text)) return true;
    }
    return false;
  }
  while (count > 0) {
    size_t middle = count / 2;
    int order = bl_slice_cmp(text, elements[middle]);
    if (order == 0) return true;
    if (order > 0) {
      elements += middle + 1;
      count -= middle + 1;
    } else {
      count = middle;
    }
  }
  return false;
}

static struct bl_filter_value evaluate_in(const struct message *m,
                                          const struct bl_filter_node *node) {
  struct bl_filter_value left = evaluate(m, node->left); /* a property: a text, or absent */
  if (left.type != BL_FILTER_TYPE_TEXT) return left;
  return truth(is_in_list(m->filter, node, left.text) != node->negated);
}

static bool has_part(enum bl_filter_op op, struct bl_slice text, struct bl_slice part) {
  if (part.len > text.len) return false;
  if (op == BL_FILTER_STARTSWITH) return memcmp(text.ptr, part.ptr, part.len) == 0;
  if (op == BL_FILTER_ENDSWITH)
    return memcmp(text.ptr + text.len - part.len, part.ptr, part.len) == 0;
  return memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

static struct bl_filter_value evaluate_part(const struct message *m,
                                            const struct bl_filter_node *node) {
  struct bl_slice part = node->value.text;
  if (part.len == 0) return truth(false);
  struct bl_filter_value left = evaluate(m, node->left);
  if (left.type == BL_FILTER_TYPE_FAILED) return left;
  if (left.type != BL_FILTER_TYPE_TEXT) return truth(false);
  return truth(has_part((enum bl_filter_op)node->op, left.text, part) != node->negated);
}

static struct bl_filter_value evaluate_negate(struct bl_filter_value value) {
  switch (value.type) {
    case BL_FILTER_TYPE_INT:
    case BL_FILTER_TYPE_LONG:
      value.whole = -value.whole; /* literals are not negative: it cannot overflow */
      return value;
    case BL_FILTER_TYPE_DOUBLE: value.real = -value.real; return value;
    case BL_FILTER_TYPE_FAILED: return value;
    default: return unknown();
  }
}

/* AND ends at the first false, OR at the first true. */
static struct bl_filter_value evaluate_chain(const struct message *m,
                                             const struct bl_filter_node *node) {
  bool end = node->op == BL_FILTER_OR;
  bool any_unknown = false;
  for (uint32_t i = node->left; i != BL_FILTER_NONE; i = m->filter->nodes[i].next) {
    struct bl_filter_value value = evaluate(m, i);
    if (value.type == BL_FILTER_TYPE_FAILED) return value;
    if (end ? is_true(value) : is_false(value)) return value;
    any_unknown = any_unknown || value.type == BL_FILTER_TYPE_NULL;
  }
  return any_unknown ? unknown() : truth(!end);
}

static struct bl_filter_value evaluate_one(const struct message *m,
                                           const struct bl_filter_node *node) {
  struct bl_filter_value value = evaluate(m, node->left);
  if (node->op == BL_FILTER_NEGATE) return evaluate_negate(value);
  if (value.type == BL_FILTER_TYPE_FAILED) return value;
  if (node->op == BL_FILTER_IS_NULL)
    return truth((value.type == BL_FILTER_TYPE_NULL) != node->negated);
  if (value.type == BL_FILTER_TYPE_NULL) return value;
  if (node->op == BL_FILTER_CAST) return truth(false); /* properties are texts */
  return truth(!value.flag);
}

static struct bl_filter_value evaluate(const struct message *m, uint32_t index) {
  const struct bl_filter_node *node = &m->filter->nodes[index];
  switch ((enum bl_filter_op)node->op) {
    case BL_FILTER_CONSTANT: return node->value;
    case BL_FILTER_PROPERTY:
      if (m->values[node->left].ptr == NULL) return unknown();
      return (struct bl_filter_value){.type = BL_FILTER_TYPE_TEXT, .text = m->values[node->left]};
    case BL_FILTER_AND:
    case BL_FILTER_OR: return evaluate_chain(m, node);
    case BL_FILTER_EQUAL: return evaluate_equal(m, node);
    case BL_FILTER_GREATER:
    case BL_FILTER_GREATER_EQUAL:
    case BL_FILTER_LESS:
    case BL_FILTER_LESS_EQUAL: {
      struct bl_filter_value left = evaluate(m, node->left);
      if (left.type <= BL_FILTER_TYPE_NULL) return left;
      return evaluate_order((enum bl_filter_op)node->op, left, evaluate(m, node->right));
    }
    case BL_FILTER_BETWEEN: return evaluate_between(m, node);
    case BL_FILTER_IN: return evaluate_in(m, node);
    case BL_FILTER_CONTAINS:
    case BL_FILTER_STARTSWITH:
    case BL_FILTER_ENDSWITH: return evaluate_part(m, node);
    default: return evaluate_one(m, node);
  }
}

enum bl_filter_answer bl_filter_evaluate(const struct bl_filter *filter,
                                         struct bl_slice properties) {
  struct message message;
  message.filter = filter;
  find_values(filter, properties, message.values);
  struct bl_filter_value value = evaluate(&message, filter->root);
  if (value.type == BL_FILTER_TYPE_FAILED) return BL_FILTER_FAILED;
  if (value.type == BL_FILTER_TYPE_NULL) return BL_FILTER_UNKNOWN;
  return value.flag ? BL_FILTER_TRUE : BL_FILTER_FALSE;
}
