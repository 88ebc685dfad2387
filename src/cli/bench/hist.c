#include "cli/bench/hist.h"

#include <string.h>

void bl_hist_clear(struct bl_hist *hist) {
  memset(hist, 0, sizeof(*hist));
}

void bl_hist_merge(struct bl_hist *hist, const struct bl_hist *other) {
  for (uint32_t i = 0; i < BL_HIST_COUNTERS; i++) hist->counts[i] += other->counts[i];
  hist->total += other->total;
  hist->sum += other->sum;
  if (other->max > hist->max) hist->max = other->max;
}

/* The greatest value that is counted there. */
static uint64_t top_of(uint32_t place) {
  if (place < 1u << BL_HIST_EXACT_BITS) return place;
  uint32_t shift = (place >> (BL_HIST_EXACT_BITS - 1)) - 1;
  uint64_t step = place - (shift << (BL_HIST_EXACT_BITS - 1));
  return ((step + 1) << shift) - 1;
}

uint64_t bl_hist_percentile(const struct bl_hist *hist, double percent) {
  if (hist->total == 0) return 0;
  /* In whole millionths: 99.9 is no binary fraction, and one value too many is seen in the tail. */
  uint64_t millionths = (uint64_t)(percent * 10000 + 0.5);
  uint64_t wanted = (uint64_t)(((unsigned __int128)hist->total * millionths + 999999) / 1000000);
  if (wanted == 0) wanted = 1;
  uint64_t seen = 0;
  for (uint32_t i = 0; i < BL_HIST_COUNTERS; i++) {
    seen += hist->counts[i];
    if (seen < wanted) continue;
    uint64_t top = top_of(i);
    return top < hist->max ? top : hist->max;
  }
  return hist->max;
}

double bl_hist_mean(const struct bl_hist *hist) {
  return hist->total == 0 ? 0 : (double)hist->sum / (double)hist->total;
}
