/* Bodies of the storm: mark of the run, number of the message, bytes that follow from it; and the
 * records of an answer to a pull. */
#ifndef BOLIDE_TESTS_STORM_MESSAGE_H
#define BOLIDE_TESTS_STORM_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BL_STORM_BODY_BYTES_MIN 16

/* FILLS len >= BL_STORM_BODY_BYTES_MIN bytes. */
void bl_storm_body_make(char *body, size_t len, uint64_t mark, uint64_t number);

struct bl_storm_record {
  int32_t queue;
  int64_t offset;
  uint64_t number;
  bool mine;  /* it has the run's mark */
  bool whole; /* and the bytes that belong to its number */
};
/* The record at *position, which moves behind it; false: no more, or (then *position is not len)
 * bytes that are no record. Source: apache/rocketmq MessageDecoder. */
bool bl_storm_record_next(const char *bytes, size_t len, size_t *position, uint64_t mark,
                          struct bl_storm_record *out_record);

#endif
