/* SQL92 filters: an expression over the properties of a message, compiled once and then evaluated
 * on the properties as they lie in the record, without allocation.
 *
 * Language and results are RocketMQ's, so that a consumer gets from this broker what it gets from
 * that one. What is not obvious:
 * - NOT, + and - bind tighter than comparisons: NOT a = 1 is (NOT a) = 1.
 * - Properties are texts. Compared with a number, the text is read as the type that the number has
 *   (32 bits, 64 bits, double); a text that is none makes the whole message not match (Java: an
 *   exception). < <= > >= of two properties compare doubles.
 * - NULL (an absent property) makes comparisons unknown; AND, OR, NOT are three-valued; 'x' = a is
 *   false and not unknown when a is absent, and a = b is true when both are.
 * - CONTAINS, STARTSWITH, ENDSWITH and their NOT forms are false for an absent property.
 * - Reading stops in front of the first word that cannot go on the expression.
 *
 * Pure. Source: apache/rocketmq SelectorParser.jj, ComparisonExpression, LogicExpression,
 * UnaryExpression, UnaryInExpression, PropertyExpression, ConstantExpression,
 * MessageEvaluationContext. */
#ifndef BOLIDE_BROKER_FILTER_FILTER_H
#define BOLIDE_BROKER_FILTER_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

#define BL_FILTER_TEXT_BYTES_MAX 16384
/* How deep parentheses and operators may stand in one another. */
#define BL_FILTER_DEPTH_MAX 64
/* Constants, properties and operators; a list of IN counts as one. Bounds what a message costs. */
#define BL_FILTER_NODES_MAX 2048
/* Different properties. */
#define BL_FILTER_NAMES_MAX 64

struct bl_filter;

/* RETURNS OWNED with one reference. BL_ERR_SUBSCRIPTION_PARSE: `why` (may be NULL) says at which
 * character what was expected, or which limit was reached. */
BL_MUST_CHECK bl_err bl_filter_compile(struct bl_slice expression, struct bl_filter **out_filter,
                                       struct bl_why *why);
/* One more reference to it; RETURNS filter. */
struct bl_filter *bl_filter_share(struct bl_filter *filter);
/* Gives up a reference. Accepts NULL. */
void bl_filter_free(struct bl_filter *filter);
/* What it takes in memory. */
size_t bl_filter_bytes(const struct bl_filter *filter);
/* What it costs to evaluate, in expressions of ordinary length. */
uint32_t bl_filter_cost(const struct bl_filter *filter);

enum bl_filter_answer {
  BL_FILTER_FALSE,
  BL_FILTER_TRUE,
  BL_FILTER_UNKNOWN,
  BL_FILTER_FAILED, /* a text was no number, or a comparison is none: Java throws */
};
/* `properties` as in a record (wire/properties.h). */
enum bl_filter_answer bl_filter_evaluate(const struct bl_filter *filter,
                                         struct bl_slice properties);
static inline bool bl_filter_matches(const struct bl_filter *filter, struct bl_slice properties) {
  return bl_filter_evaluate(filter, properties) == BL_FILTER_TRUE;
}

#endif
