/* A whole table, or a page of it, as the body of an answer: 21 and 201. Some entries a turn. */
#ifndef BOLIDE_REQUESTS_TABLE_ANSWER_H
#define BOLIDE_REQUESTS_TABLE_ANSWER_H

#include <stdint.h>

#include "broker/table.h"
#include "remoting/call.h"

struct bl_table_answer {
  const struct bl_table *table;
  uint32_t first; /* entry of the page */
  uint32_t count; /* entries at most */
  /* Writes what stands before and behind the table in the object. May be NULL. */
  void (*before)(struct bl_json_writer *w, const struct bl_table *table);
  void (*behind)(struct bl_json_writer *w);
  const struct bl_header_table *header_table;
  const void *header;
};

/* The handler's work: called with the same values each turn. */
enum bl_outcome bl_table_answer(struct bl_call *call, const struct bl_table_answer *answer);

#endif
