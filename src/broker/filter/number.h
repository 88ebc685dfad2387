/* Numbers as Java reads them from texts: Integer#valueOf, Long#valueOf, Double#valueOf. Digits are
 * those of ASCII. Pure, no allocation. */
#ifndef BOLIDE_BROKER_FILTER_NUMBER_H
#define BOLIDE_BROKER_FILTER_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* false: not the whole text is a number of that type (Java: NumberFormatException). */
bool bl_filter_read_int(struct bl_slice text, int64_t *out_value); /* 32 bits */
bool bl_filter_read_long(struct bl_slice text, int64_t *out_value);
/* With blanks around, sign, exponent, suffix (f F d D), "NaN", "Infinity", hexadecimal with a p
 * exponent; rounded as Java does, beyond the range to infinity or zero. */
bool bl_filter_read_double(struct bl_slice text, double *out_value);

/* Double#compareTo: -0.0 is less than 0.0, NaN equals itself and is greater than anything. */
int bl_filter_compare_doubles(double a, double b);

#endif
