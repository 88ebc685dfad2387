/* What the compiler makes and the evaluator reads: nodes in one array, each behind those that it
 * uses. Only for the files of this folder. */
#ifndef BOLIDE_BROKER_FILTER_PROGRAM_H
#define BOLIDE_BROKER_FILTER_PROGRAM_H

#include <stdint.h>

#include "broker/filter/filter.h"

/* The types of Java's values. */
enum bl_filter_type {
  BL_FILTER_TYPE_FAILED,
  BL_FILTER_TYPE_NULL,
  BL_FILTER_TYPE_BOOL,
  BL_FILTER_TYPE_INT,
  BL_FILTER_TYPE_LONG,
  BL_FILTER_TYPE_DOUBLE,
  BL_FILTER_TYPE_TEXT,
};

struct bl_filter_value {
  enum bl_filter_type type;
  union {
    bool flag;
    int64_t whole; /* INT, LONG */
    double real;
    struct bl_slice text; /* BORROWED */
  };
};

enum bl_filter_op {
  BL_FILTER_CONSTANT, /* value */
  BL_FILTER_PROPERTY, /* left: place of its name */
  BL_FILTER_NEGATE,   /* left */
  BL_FILTER_NOT,      /* left */
  BL_FILTER_CAST,     /* left: a property where a truth value is asked for: false unless absent */
  BL_FILTER_AND,      /* left, then its chain by `next` */
  BL_FILTER_OR,
  BL_FILTER_EQUAL, /* left, right */
  BL_FILTER_GREATER,
  BL_FILTER_GREATER_EQUAL,
  BL_FILTER_LESS,
  BL_FILTER_LESS_EQUAL,
  BL_FILTER_IS_NULL,    /* left; negated: IS NOT NULL */
  BL_FILTER_BETWEEN,    /* left, right, third; negated */
  BL_FILTER_IN,         /* left; elements [right, right + third); negated */
  BL_FILTER_CONTAINS,   /* left, value.text; negated */
  BL_FILTER_STARTSWITH, /* left, value.text; negated */
  BL_FILTER_ENDSWITH,   /* left, value.text; negated */
};

#define BL_FILTER_NONE UINT32_MAX

struct bl_filter_node {
  uint8_t op; /* enum bl_filter_op */
  bool negated;
  uint16_t depth;
  uint32_t next; /* in a chain; NONE: its end */
  uint32_t left;
  uint32_t right;
  uint32_t third;
  struct bl_filter_value value;
};

/* From so many elements on a list of IN is sorted. */
#define BL_FILTER_SORTED_MIN 5

struct bl_filter {
  uint32_t references;
  uint32_t root;
  uint32_t node_count;
  uint32_t name_count;
  uint32_t element_count;
  uint64_t name_marks; /* a bit for each length and first character of a name */
  struct bl_filter_node *nodes;
  struct bl_slice *names;
  uint32_t *name_hashes;
  struct bl_slice *elements; /* of all lists */
  char *texts;               /* of names and strings */
  size_t texts_bytes;
};

static inline uint64_t bl_filter_mark_of(struct bl_slice name) {
  return UINT64_C(1) << ((name.len + (size_t)(unsigned char)name.ptr[0] * 7) & 63);
}

#endif
