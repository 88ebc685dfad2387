/* The grammar, by descent; each level is named as in SelectorParser.jj. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/map.h"
#include "broker/filter/lexer.h"
#include "broker/filter/number.h"
#include "broker/filter/program.h"

/* Of what was found so much is shown. */
#define SHOWN_BYTES_MAX 24
#define ORDINARY_NODES 32

struct parser {
  struct bl_slice expression;
  size_t at;                    /* behind `token` */
  struct bl_filter_token token; /* the next one, not taken yet */
  struct bl_filter *filter;
  uint32_t node_cap;
  uint32_t element_cap;
  uint32_t depth; /* of the descent */
  struct bl_why *why;
};

static uint32_t or_expression(struct parser *p);

/* ---- errors: every one ends the compilation, so FAILED goes up as it is */

#define FAILED BL_FILTER_NONE

/* Counted in characters, from 1. */
static size_t character_of(const struct parser *p, const char *place) {
  size_t count = 1;
  for (const char *c = p->expression.ptr; c < place; c++)
    count += ((unsigned char)*c & 0xc0) != 0x80;
  return count;
}

static uint32_t fail_at(struct parser *p, const char *place, const char *text,
                        struct bl_slice about) {
  if (about.len > 2 * SHOWN_BYTES_MAX) about.len = 2 * SHOWN_BYTES_MAX;
  bl_why_set(p->why, BL_OK, "the SQL92 expression is wrong at character %zu: %s%.*s",
             character_of(p, place), text, BL_FMT(about));
  return FAILED;
}

/* Something else was expected in the place of the next token. */
static uint32_t fail_expected(struct parser *p, const char *expected) {
  struct bl_slice found = p->token.text;
  const char *more = "";
  if (p->token.kind == BL_TOKEN_END) {
    bl_why_set(p->why, BL_OK,
               "the SQL92 expression is wrong at character %zu: expected %s, but it ends there",
               character_of(p, found.ptr), expected);
    return FAILED;
  }
  if (p->token.kind == BL_TOKEN_BAD && found.ptr[0] == '\'') {
    return fail_at(p, found.ptr, "a string begins there that has no closing quote",
                   (struct bl_slice){0});
  }
  if (p->token.kind == BL_TOKEN_BAD && bl_slice_starts(found, BL_SLICE("/*"))) {
    return fail_at(p, found.ptr, "a comment begins there that does not end", (struct bl_slice){0});
  }
  if (found.len > SHOWN_BYTES_MAX) {
    found.len = SHOWN_BYTES_MAX;
    while (found.len > 0 && ((unsigned char)found.ptr[found.len] & 0xc0) == 0x80) found.len--;
    more = "...";
  }
  bl_why_set(p->why, BL_OK,
             "the SQL92 expression is wrong at character %zu: expected %s, but found %.*s%s",
             character_of(p, p->token.text.ptr), expected, BL_FMT(found), more);
  return FAILED;
}

static uint32_t fail_limit(struct parser *p, const char *what, int limit) {
  bl_why_set(p->why, BL_OK,
             "the SQL92 expression has more than %d %s, the most that may be (reached at character "
             "%zu); use IN lists, or several groups",
             limit, what, character_of(p, p->token.text.ptr));
  return FAILED;
}

/* ---- tokens */

static enum bl_filter_token_kind kind_of(const struct parser *p) {
  return p->token.kind;
}

static struct bl_filter_token take(struct parser *p) {
  struct bl_filter_token token = p->token;
  p->token = bl_filter_next_token(p->expression, &p->at);
  return token;
}

static bool take_if(struct parser *p, enum bl_filter_token_kind kind) {
  if (p->token.kind != kind) return false;
  take(p);
  return true;
}

/* ---- nodes */

static struct bl_filter_node *node_at(const struct parser *p, uint32_t index) {
  return &p->filter->nodes[index];
}

static uint32_t depth_of(const struct parser *p, uint32_t child) {
  return child != BL_FILTER_NONE ? node_at(p, child)->depth : 0;
}

static uint32_t add(struct parser *p, struct bl_filter_node node) {
  struct bl_filter *filter = p->filter;
  if (filter->node_count == BL_FILTER_NODES_MAX)
    return fail_limit(p, "constants, properties and operators", BL_FILTER_NODES_MAX);
  if (filter->node_count == p->node_cap) {
    p->node_cap = p->node_cap == 0 ? 8 : p->node_cap * 2;
    filter->nodes = realloc(filter->nodes, p->node_cap * sizeof(*filter->nodes));
    BL_ASSERT(filter->nodes != NULL);
  }
  node.next = BL_FILTER_NONE;
  filter->nodes[filter->node_count] = node;
  return filter->node_count++;
}

static uint32_t add_value(struct parser *p, struct bl_filter_value value) {
  return add(p, (struct bl_filter_node){.op = BL_FILTER_CONSTANT, .value = value});
}

/* `node` with its children in left, right, third, NONE where it has none. */
static uint32_t add_parent(struct parser *p, struct bl_filter_node node) {
  uint32_t depth = depth_of(p, node.left);
  if (node.op != BL_FILTER_IN) {
    if (depth_of(p, node.right) > depth) depth = depth_of(p, node.right);
    if (depth_of(p, node.third) > depth) depth = depth_of(p, node.third);
  }
  if (depth + 1 > BL_FILTER_DEPTH_MAX)
    return fail_limit(p, "operators within one another", BL_FILTER_DEPTH_MAX);
  node.depth = (uint16_t)(depth + 1);
  return add(p, node);
}

static uint32_t add_one(struct parser *p, enum bl_filter_op op, uint32_t left) {
  return add_parent(p,
                    (struct bl_filter_node){
                        .op = op, .left = left, .right = BL_FILTER_NONE, .third = BL_FILTER_NONE});
}

static uint32_t add_two(struct parser *p, enum bl_filter_op op, uint32_t left, uint32_t right) {
  return add_parent(
      p, (struct bl_filter_node){.op = op, .left = left, .right = right, .third = BL_FILTER_NONE});
}

/* RETURNS HELD copy. A decoded text is never longer than its source. */
static struct bl_slice keep(struct parser *p, struct bl_slice text) {
  struct bl_filter *filter = p->filter;
  char *to = filter->texts + filter->texts_bytes;
  memcpy(to, text.ptr, text.len);
  filter->texts_bytes += text.len;
  return bl_slice_of(to, text.len);
}

/* 'it''s' without its quotes. */
static struct bl_slice keep_string(struct parser *p, struct bl_slice quoted) {
  struct bl_filter *filter = p->filter;
  char *to = filter->texts + filter->texts_bytes;
  size_t len = 0;
  for (size_t i = 1; i + 1 < quoted.len; i++) {
    to[len++] = quoted.ptr[i];
    if (quoted.ptr[i] == '\'') i++;
  }
  filter->texts_bytes += len;
  return bl_slice_of(to, len);
}

static uint32_t add_property(struct parser *p, struct bl_slice name) {
  struct bl_filter *filter = p->filter;
  uint32_t place = 0;
  while (place < filter->name_count && !bl_slice_eq(filter->names[place], name)) place++;
  if (place == BL_FILTER_NAMES_MAX)
    return fail_limit(p, "different properties", BL_FILTER_NAMES_MAX);
  if (place == filter->name_count) {
    filter->names[place] = keep(p, name);
    filter->name_hashes[place] = bl_hash(name);
    filter->name_marks |= bl_filter_mark_of(name);
    filter->name_count++;
  }
  return add(p, (struct bl_filter_node){.op = BL_FILTER_PROPERTY, .left = place});
}

/* ---- what may stand where */

static bool is_constant(const struct parser *p, uint32_t node) {
  return node_at(p, node)->op == BL_FILTER_CONSTANT;
}

static enum bl_filter_type type_of(const struct parser *p, uint32_t constant) {
  return node_at(p, constant)->value.type;
}

/* Java's BooleanExpression: comparisons, logic, TRUE, FALSE, NULL. */
static bool is_boolean(const struct parser *p, uint32_t node) {
  switch (node_at(p, node)->op) {
    case BL_FILTER_CONSTANT:
      return type_of(p, node) == BL_FILTER_TYPE_BOOL || type_of(p, node) == BL_FILTER_TYPE_NULL;
    case BL_FILTER_PROPERTY:
    case BL_FILTER_NEGATE: return false;
    default: return true;
  }
}

static uint32_t as_boolean(struct parser *p, uint32_t node, const char *place) {
  if (is_boolean(p, node)) return node;
  if (node_at(p, node)->op == BL_FILTER_PROPERTY) return add_one(p, BL_FILTER_CAST, node);
  return fail_at(p, place, "a number or string stands there where a condition is expected",
                 (struct bl_slice){0});
}

/* Operands of < <= > >= and BETWEEN. */
static bool may_be_less(struct parser *p, uint32_t node, const char *place) {
  bool number = is_constant(p, node) && type_of(p, node) != BL_FILTER_TYPE_TEXT;
  if (!is_boolean(p, node) && (number || !is_constant(p, node))) return true;
  fail_at(p, place,
          "< <= > >= and BETWEEN compare numbers and properties only, neither strings, truth "
          "values nor conditions",
          (struct bl_slice){0});
  return false;
}

static uint32_t add_order(struct parser *p, enum bl_filter_op op, uint32_t left,
                          const char *left_place, uint32_t right, const char *right_place) {
  if (!may_be_less(p, left, left_place) || !may_be_less(p, right, right_place)) return FAILED;
  return add_two(p, op, left, right);
}

static uint32_t add_equal(struct parser *p, uint32_t left, uint32_t right, const char *right_place,
                          bool negated) {
  if ((is_constant(p, left) && type_of(p, left) == BL_FILTER_TYPE_NULL) ||
      (is_constant(p, right) && type_of(p, right) == BL_FILTER_TYPE_NULL)) {
    return fail_at(p, right_place, "NULL cannot be compared; write IS NULL or IS NOT NULL",
                   (struct bl_slice){0});
  }
  if (is_constant(p, left) && is_constant(p, right) && is_boolean(p, left) &&
      !is_boolean(p, right)) {
    return fail_at(p, right_place, "TRUE and FALSE cannot be compared with a number or string",
                   (struct bl_slice){0});
  }
  uint32_t node = add_two(p, BL_FILTER_EQUAL, left, right);
  return node != FAILED && negated ? add_one(p, BL_FILTER_NOT, node) : node;
}

static double real_of(const struct bl_filter_value *value) {
  return value->type == BL_FILTER_TYPE_DOUBLE ? value->real : (double)value->whole;
}

/* Of two numbers; as doubles when one is. */
static bool is_less(const struct bl_filter_value *a, const struct bl_filter_value *b) {
  if (a->type == BL_FILTER_TYPE_DOUBLE || b->type == BL_FILTER_TYPE_DOUBLE)
    return real_of(a) < real_of(b);
  return a->whole < b->whole;
}

/* ---- the levels of the grammar, from the tightest */

static uint32_t whole_number(struct parser *p) {
  struct bl_filter_token token = take(p);
  struct bl_slice digits = token.text;
  struct bl_filter_value value = {.type = BL_FILTER_TYPE_INT};
  char last = digits.ptr[digits.len - 1];
  if (last == 'l' || last == 'L') digits.len--;
  if (!bl_filter_read_long(digits, &value.whole)) {
    return fail_at(p, token.text.ptr, "whole numbers go up to 9223372036854775807, not to ",
                   token.text);
  }
  if (value.whole > INT32_MAX) value.type = BL_FILTER_TYPE_LONG;
  return add_value(p, value);
}

static uint32_t fraction(struct parser *p) {
  struct bl_filter_token token = take(p);
  struct bl_filter_value value = {.type = BL_FILTER_TYPE_DOUBLE};
  BL_ASSERT(bl_filter_read_double(token.text, &value.real));
  if (isinf(value.real)) {
    return fail_at(p, token.text.ptr, "numbers go up to 1.7976931348623157E308, not to ",
                   token.text);
  }
  if (value.real == 0) {
    return fail_at(p, token.text.ptr,
                   "the least number with a point or exponent is 4.9E-324 (for zero write 0), not ",
                   token.text);
  }
  return add_value(p, value);
}

static uint32_t primary_expression(struct parser *p) {
  struct bl_filter_value value = {.type = BL_FILTER_TYPE_BOOL};
  switch (kind_of(p)) {
    case BL_TOKEN_TEXT:
      value.type = BL_FILTER_TYPE_TEXT;
      value.text = keep_string(p, take(p).text);
      return add_value(p, value);
    case BL_TOKEN_WHOLE: return whole_number(p);
    case BL_TOKEN_FRACTION: return fraction(p);
    case BL_TOKEN_TRUE:
    case BL_TOKEN_FALSE: value.flag = take(p).kind == BL_TOKEN_TRUE; return add_value(p, value);
    case BL_TOKEN_NULL:
      take(p);
      value.type = BL_FILTER_TYPE_NULL;
      return add_value(p, value);
    case BL_TOKEN_NAME: return add_property(p, take(p).text);
    case BL_TOKEN_OPEN: {
      take(p);
      uint32_t inner = or_expression(p);
      if (inner == FAILED) return FAILED;
      return take_if(p, BL_TOKEN_CLOSE) ? inner : fail_expected(p, "an operator or )");
    }
    default: return fail_expected(p, "a property, number, string, TRUE, FALSE, NULL, NOT or (");
  }
}

static uint32_t unary_expression(struct parser *p);

static uint32_t unary_level(struct parser *p) {
  if (take_if(p, BL_TOKEN_PLUS)) return unary_expression(p);
  if (take_if(p, BL_TOKEN_MINUS)) {
    uint32_t right = unary_expression(p);
    return right != FAILED ? add_one(p, BL_FILTER_NEGATE, right) : FAILED;
  }
  if (take_if(p, BL_TOKEN_NOT)) {
    const char *place = p->token.text.ptr;
    uint32_t right = unary_expression(p);
    if (right != FAILED) right = as_boolean(p, right, place);
    return right != FAILED ? add_one(p, BL_FILTER_NOT, right) : FAILED;
  }
  return primary_expression(p);
}

/* Every way back to the start of the grammar comes through here. */
static uint32_t unary_expression(struct parser *p) {
  if (p->depth == BL_FILTER_DEPTH_MAX)
    return fail_limit(p, "operators or parentheses within one another", BL_FILTER_DEPTH_MAX);
  p->depth++;
  uint32_t node = unary_level(p);
  p->depth--;
  return node;
}

/* BETWEEN was taken. */
static uint32_t between(struct parser *p, uint32_t left, const char *left_place, bool negated) {
  const char *low_place = p->token.text.ptr;
  uint32_t low = unary_expression(p);
  if (low == FAILED) return FAILED;
  if (!take_if(p, BL_TOKEN_AND)) return fail_expected(p, "AND and the upper end of BETWEEN");
  const char *high_place = p->token.text.ptr;
  uint32_t high = unary_expression(p);
  if (high == FAILED) return FAILED;
  if (!may_be_less(p, left, left_place) || !may_be_less(p, low, low_place) ||
      !may_be_less(p, high, high_place))
    return FAILED;
  if (!negated && is_constant(p, low) && is_constant(p, high) &&
      is_less(&node_at(p, high)->value, &node_at(p, low)->value)) {
    return fail_at(p, high_place, "the upper end of BETWEEN is less than the lower one",
                   (struct bl_slice){0});
  }
  return add_parent(
      p,
      (struct bl_filter_node){
          .op = BL_FILTER_BETWEEN, .negated = negated, .left = left, .right = low, .third = high});
}

static bool add_element(struct parser *p) {
  struct bl_filter *filter = p->filter;
  if (kind_of(p) != BL_TOKEN_TEXT) {
    fail_expected(p, "a string in quotes");
    return false;
  }
  if (filter->element_count == p->element_cap) {
    p->element_cap = p->element_cap == 0 ? 8 : p->element_cap * 2;
    filter->elements = realloc(filter->elements, p->element_cap * sizeof(*filter->elements));
    BL_ASSERT(filter->elements != NULL);
  }
  filter->elements[filter->element_count++] = keep_string(p, take(p).text);
  return true;
}

static int compare_elements(const void *a, const void *b) {
  return bl_slice_cmp(*(const struct bl_slice *)a, *(const struct bl_slice *)b);
}

/* IN was taken. */
static uint32_t in_list(struct parser *p, uint32_t left, const char *left_place, bool negated) {
  uint32_t first = p->filter->element_count;
  if (!take_if(p, BL_TOKEN_OPEN)) return fail_expected(p, "( and the strings of IN");
  do {
    if (!add_element(p)) return FAILED;
  } while (take_if(p, BL_TOKEN_COMMA));
  if (!take_if(p, BL_TOKEN_CLOSE)) return fail_expected(p, ", or )");
  if (node_at(p, left)->op != BL_FILTER_PROPERTY)
    return fail_at(p, left_place, "in front of IN stands a property", (struct bl_slice){0});
  uint32_t count = p->filter->element_count - first;
  if (count >= BL_FILTER_SORTED_MIN) {
    qsort(p->filter->elements + first, count, sizeof(*p->filter->elements), compare_elements);
  }
  return add_parent(
      p, (struct bl_filter_node){
             .op = BL_FILTER_IN, .negated = negated, .left = left, .right = first, .third = count});
}

/* CONTAINS and its like were taken. */
static uint32_t part_of_text(struct parser *p, enum bl_filter_op op, uint32_t left, bool negated) {
  if (kind_of(p) != BL_TOKEN_TEXT) return fail_expected(p, "a string in quotes");
  struct bl_filter_value value = {.type = BL_FILTER_TYPE_TEXT};
  value.text = keep_string(p, take(p).text);
  return add_parent(p, (struct bl_filter_node){.op = op,
                                               .negated = negated,
                                               .left = left,
                                               .right = BL_FILTER_NONE,
                                               .third = BL_FILTER_NONE,
                                               .value = value});
}

/* What may follow NOT behind an operand, or stand without it. */
static uint32_t test_of(struct parser *p, uint32_t left, const char *left_place, bool negated) {
  switch (take(p).kind) {
    case BL_TOKEN_BETWEEN: return between(p, left, left_place, negated);
    case BL_TOKEN_IN: return in_list(p, left, left_place, negated);
    case BL_TOKEN_CONTAINS: return part_of_text(p, BL_FILTER_CONTAINS, left, negated);
    case BL_TOKEN_STARTSWITH: return part_of_text(p, BL_FILTER_STARTSWITH, left, negated);
    default: return part_of_text(p, BL_FILTER_ENDSWITH, left, negated);
  }
}

static bool is_test(enum bl_filter_token_kind kind) {
  return kind == BL_TOKEN_BETWEEN || kind == BL_TOKEN_IN || kind == BL_TOKEN_CONTAINS ||
         kind == BL_TOKEN_STARTSWITH || kind == BL_TOKEN_ENDSWITH;
}

static enum bl_filter_op order_of(enum bl_filter_token_kind kind) {
  switch (kind) {
    case BL_TOKEN_GREATER: return BL_FILTER_GREATER;
    case BL_TOKEN_GREATER_EQUAL: return BL_FILTER_GREATER_EQUAL;
    case BL_TOKEN_LESS: return BL_FILTER_LESS;
    case BL_TOKEN_LESS_EQUAL: return BL_FILTER_LESS_EQUAL;
    default: return BL_FILTER_EQUAL; /* none */
  }
}

static uint32_t comparison_expression(struct parser *p) {
  const char *left_place = p->token.text.ptr;
  uint32_t left = unary_expression(p);
  while (left != FAILED) {
    enum bl_filter_op order = order_of(kind_of(p));
    if (order != BL_FILTER_EQUAL) {
      take(p);
      const char *right_place = p->token.text.ptr;
      uint32_t right = unary_expression(p);
      if (right == FAILED) return FAILED;
      left = add_order(p, order, left, left_place, right, right_place);
    } else if (is_test(kind_of(p))) {
      left = test_of(p, left, left_place, false);
    } else if (take_if(p, BL_TOKEN_NOT)) {
      if (!is_test(kind_of(p)))
        return fail_expected(p, "BETWEEN, IN, CONTAINS, STARTSWITH or ENDSWITH behind NOT");
      left = test_of(p, left, left_place, true);
    } else {
      return left;
    }
  }
  return FAILED;
}

/* IS was taken. */
static uint32_t is_null(struct parser *p, uint32_t left) {
  bool negated = take_if(p, BL_TOKEN_NOT);
  if (!take_if(p, BL_TOKEN_NULL)) return fail_expected(p, negated ? "NULL" : "NULL or NOT NULL");
  return add_parent(p, (struct bl_filter_node){.op = BL_FILTER_IS_NULL,
                                               .negated = negated,
                                               .left = left,
                                               .right = BL_FILTER_NONE,
                                               .third = BL_FILTER_NONE});
}

static uint32_t equality_expression(struct parser *p) {
  uint32_t left = comparison_expression(p);
  while (left != FAILED) {
    bool negated = kind_of(p) == BL_TOKEN_NOT_EQUAL;
    if (take_if(p, BL_TOKEN_IS)) {
      left = is_null(p, left);
    } else if (negated || kind_of(p) == BL_TOKEN_EQUAL) {
      take(p);
      const char *right_place = p->token.text.ptr;
      uint32_t right = comparison_expression(p);
      if (right == FAILED) return FAILED;
      left = add_equal(p, left, right, right_place, negated);
    } else {
      return left;
    }
  }
  return FAILED;
}

/* a AND b AND c is one node with a chain: its value is that of (a AND b) AND c. */
static uint32_t chain(struct parser *p, enum bl_filter_op op, enum bl_filter_token_kind word,
                      uint32_t (*operand)(struct parser *p)) {
  const char *place = p->token.text.ptr;
  uint32_t first = operand(p);
  if (first == FAILED || kind_of(p) != word) return first;
  first = as_boolean(p, first, place);
  if (first == FAILED) return FAILED;
  /* What an operand in parentheses chains hangs at its own operands, not at itself. */
  uint32_t last = first;
  uint32_t depth = depth_of(p, first);
  while (take_if(p, word)) {
    place = p->token.text.ptr;
    uint32_t next = operand(p);
    if (next != FAILED) next = as_boolean(p, next, place);
    if (next == FAILED) return FAILED;
    node_at(p, last)->next = next;
    last = next;
    if (depth_of(p, next) > depth) depth = depth_of(p, next);
  }
  uint32_t node = add_one(p, op, first);
  if (node == FAILED) return FAILED;
  if (depth + 1 > BL_FILTER_DEPTH_MAX)
    return fail_limit(p, "operators within one another", BL_FILTER_DEPTH_MAX);
  node_at(p, node)->depth = (uint16_t)(depth + 1);
  return node;
}

static uint32_t and_expression(struct parser *p) {
  return chain(p, BL_FILTER_AND, BL_TOKEN_AND, equality_expression);
}

static uint32_t or_expression(struct parser *p) {
  return chain(p, BL_FILTER_OR, BL_TOKEN_OR, and_expression);
}

/* Java looks at one word behind the expression and at nothing more. */
static uint32_t selector(struct parser *p) {
  const char *place = p->token.text.ptr;
  uint32_t root = or_expression(p);
  if (root != FAILED) root = as_boolean(p, root, place);
  if (root != FAILED && kind_of(p) == BL_TOKEN_BAD)
    return fail_expected(p, "an operator or the end");
  return root;
}

/* RETURNS OWNED. */
static struct bl_filter *new_filter(size_t texts_bytes) {
  struct bl_filter *filter = calloc(1, sizeof(*filter));
  BL_ASSERT(filter != NULL);
  filter->references = 1;
  filter->names = calloc(BL_FILTER_NAMES_MAX, sizeof(*filter->names));
  filter->name_hashes = calloc(BL_FILTER_NAMES_MAX, sizeof(*filter->name_hashes));
  filter->texts = malloc(texts_bytes + 1);
  BL_ASSERT(filter->names != NULL && filter->name_hashes != NULL && filter->texts != NULL);
  return filter;
}

static void *shrink(void *memory, size_t bytes) {
  void *shrunk = realloc(memory, bytes > 0 ? bytes : 1);
  BL_ASSERT(shrunk != NULL);
  return shrunk;
}

bl_err bl_filter_compile(struct bl_slice expression, struct bl_filter **out_filter,
                         struct bl_why *why) {
  if (expression.len > BL_FILTER_TEXT_BYTES_MAX) {
    return bl_why_set(why, BL_ERR_SUBSCRIPTION_PARSE,
                      "the SQL92 expression has %zu bytes; the most that may be are %d",
                      expression.len, BL_FILTER_TEXT_BYTES_MAX);
  }
  if (expression.ptr == NULL) expression = BL_SLICE("");
  struct parser p = {.expression = expression, .filter = new_filter(expression.len), .why = why};
  struct bl_filter *filter = p.filter;
  p.token = bl_filter_next_token(expression, &p.at);
  filter->root = selector(&p);
  if (filter->root == FAILED) {
    bl_filter_free(filter);
    return BL_ERR_SUBSCRIPTION_PARSE;
  }
  filter->nodes = shrink(filter->nodes, filter->node_count * sizeof(*filter->nodes));
  filter->names = shrink(filter->names, filter->name_count * sizeof(*filter->names));
  filter->name_hashes = shrink(filter->name_hashes, filter->name_count * sizeof(uint32_t));
  if (filter->elements != NULL)
    filter->elements = shrink(filter->elements, filter->element_count * sizeof(*filter->elements));
  *out_filter = filter;
  return BL_OK;
}

struct bl_filter *bl_filter_share(struct bl_filter *filter) {
  filter->references++;
  return filter;
}

void bl_filter_free(struct bl_filter *filter) {
  if (filter == NULL || --filter->references > 0) return;
  free(filter->nodes);
  free(filter->names);
  free(filter->name_hashes);
  free(filter->elements);
  free(filter->texts);
  free(filter);
}

size_t bl_filter_bytes(const struct bl_filter *filter) {
  return sizeof(*filter) + filter->node_count * sizeof(*filter->nodes) +
         filter->name_count * (sizeof(*filter->names) + sizeof(*filter->name_hashes)) +
         filter->element_count * sizeof(*filter->elements) + filter->texts_bytes;
}

uint32_t bl_filter_cost(const struct bl_filter *filter) {
  return 1 + filter->node_count / ORDINARY_NODES;
}
