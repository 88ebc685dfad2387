/* Words of an SQL92 expression. Longest match, as the token manager of RocketMQ's grammar; blanks,
 * comments (-- to the end of a line that ends, slash-star) between them. Pure.
 * Source: apache/rocketmq SelectorParser.jj. */
#ifndef BOLIDE_BROKER_FILTER_LEXER_H
#define BOLIDE_BROKER_FILTER_LEXER_H

#include "base/err.h"
#include "base/slice.h"

enum bl_filter_token_kind {
  BL_TOKEN_END,
  BL_TOKEN_BAD, /* no word of the language begins here */
  BL_TOKEN_NOT,
  BL_TOKEN_AND,
  BL_TOKEN_OR,
  BL_TOKEN_BETWEEN,
  BL_TOKEN_IN,
  BL_TOKEN_TRUE,
  BL_TOKEN_FALSE,
  BL_TOKEN_NULL,
  BL_TOKEN_IS,
  BL_TOKEN_CONTAINS,
  BL_TOKEN_STARTSWITH,
  BL_TOKEN_ENDSWITH,
  BL_TOKEN_WHOLE,    /* 17, 17L */
  BL_TOKEN_FRACTION, /* 1.5, .5, 1E3 */
  BL_TOKEN_TEXT,     /* 'it''s', with its quotes */
  BL_TOKEN_NAME,
  BL_TOKEN_EQUAL,
  BL_TOKEN_NOT_EQUAL,
  BL_TOKEN_GREATER,
  BL_TOKEN_GREATER_EQUAL,
  BL_TOKEN_LESS,
  BL_TOKEN_LESS_EQUAL,
  BL_TOKEN_OPEN,
  BL_TOKEN_COMMA,
  BL_TOKEN_CLOSE,
  BL_TOKEN_PLUS,
  BL_TOKEN_MINUS,
};

struct bl_filter_token {
  enum bl_filter_token_kind kind;
  struct bl_slice text; /* BORROWED from the expression; BAD: what is left */
};

/* The next word at or behind *at, which moves behind it. */
struct bl_filter_token bl_filter_next_token(struct bl_slice expression, size_t *at);

#endif
