/* Latencies, counted log-linearly (as HdrHistogram does with three significant digits): below 2,048
 * exact, above 1,024 counters for each doubling, so a value is known to 0.1 %. Pure. Nanoseconds,
 * but any unit will do. */
#ifndef BOLIDE_CLI_BENCH_HIST_H
#define BOLIDE_CLI_BENCH_HIST_H

#include <stdint.h>

#define BL_HIST_EXACT_BITS 11
#define BL_HIST_VALUE_BITS 43 /* 2.4 hours in ns; what is above counts as that */
#define BL_HIST_COUNTERS                                                                           \
  (((BL_HIST_VALUE_BITS - BL_HIST_EXACT_BITS) << (BL_HIST_EXACT_BITS - 1)) +                       \
   (1 << BL_HIST_EXACT_BITS))

/* A zeroed struct is an empty histogram. */
struct bl_hist {
  uint64_t counts[BL_HIST_COUNTERS];
  uint64_t total;
  uint64_t sum;
  uint64_t max;
};

static inline uint32_t bl_hist_place(uint64_t value) {
  if (value < 1u << BL_HIST_EXACT_BITS) return (uint32_t)value;
  uint32_t shift = (uint32_t)(64 - __builtin_clzll(value)) - BL_HIST_EXACT_BITS;
  return (shift << (BL_HIST_EXACT_BITS - 1)) + (uint32_t)(value >> shift);
}

/* A negative value counts as 0. */
static inline void bl_hist_add_many(struct bl_hist *hist, int64_t value, uint64_t times) {
  uint64_t v = value < 0 ? 0 : (uint64_t)value;
  if (v >> BL_HIST_VALUE_BITS != 0) v = (1ull << BL_HIST_VALUE_BITS) - 1;
  hist->counts[bl_hist_place(v)] += times;
  hist->total += times;
  hist->sum += v * times;
  if (v > hist->max) hist->max = v;
}

void bl_hist_clear(struct bl_hist *hist);
/* Adds what `other` counted. */
void bl_hist_merge(struct bl_hist *hist, const struct bl_hist *other);
/* The least value that so many percent (0 to 100) of all are not above, to the histogram's
 * precision and never above the maximum. 0 when empty. */
uint64_t bl_hist_percentile(const struct bl_hist *hist, double percent);
double bl_hist_mean(const struct bl_hist *hist);

#endif
