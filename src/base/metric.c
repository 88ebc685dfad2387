#include "base/metric.h"

#include <string.h>

#include "base/assert.h"

#define SUB_BITS 3
#define SUBS (1u << SUB_BITS)
#define LARGEST_US ((1ull << 32) - 1)

/* Values below 8 have a bucket each; above, the bucket is the place of the highest bit and the
 * three bits behind it. */
static size_t bucket_of(uint64_t us) {
  if (us < SUBS) return us;
  unsigned shift = 63u - (unsigned)__builtin_clzll(us) - SUB_BITS;
  return (size_t)(shift + 1) * SUBS + (us >> shift) - SUBS;
}

_Static_assert(BL_HISTOGRAM_BUCKETS == (32 - SUB_BITS + 1) * SUBS,
               "2^32 - 1 is in the last bucket");

void bl_histogram_record(struct bl_histogram *histogram, int64_t us) {
  uint64_t value = us > 0 ? (uint64_t)us : 0;
  histogram->counts[bucket_of(value < LARGEST_US ? value : LARGEST_US)]++;
  histogram->count++;
  histogram->sum_us += value;
  if (value > histogram->max_us) histogram->max_us = value;
}

uint64_t bl_histogram_bucket_end_us(size_t bucket) {
  BL_ASSERT(bucket < BL_HISTOGRAM_BUCKETS);
  if (bucket < SUBS) return bucket;
  size_t shift = bucket / SUBS - 1;
  return ((bucket % SUBS + SUBS + 1) << shift) - 1;
}

uint64_t bl_histogram_percentile_us(const struct bl_histogram *histogram, double percent) {
  BL_ASSERT(percent >= 0 && percent <= 100);
  if (histogram->count == 0) return 0;
  double wanted = (double)histogram->count * percent / 100;
  uint64_t seen = 0;
  for (size_t i = 0; i < BL_HISTOGRAM_BUCKETS - 1; i++) {
    seen += histogram->counts[i];
    if (seen > 0 && (double)seen >= wanted) {
      uint64_t end_us = bl_histogram_bucket_end_us(i);
      return end_us < histogram->max_us ? end_us : histogram->max_us;
    }
  }
  return histogram->max_us;
}

void bl_histogram_add(struct bl_histogram *histogram, const struct bl_histogram *from) {
  for (size_t i = 0; i < BL_HISTOGRAM_BUCKETS; i++) histogram->counts[i] += from->counts[i];
  histogram->count += from->count;
  histogram->sum_us += from->sum_us;
  if (from->max_us > histogram->max_us) histogram->max_us = from->max_us;
}

void bl_histogram_clear(struct bl_histogram *histogram) {
  memset(histogram, 0, sizeof(*histogram));
}

void bl_rate_sample(struct bl_rate *rate, int64_t now_ms, int64_t total) {
  rate->samples[rate->next] = (struct bl_rate_sample){now_ms, total};
  rate->next = (rate->next + 1) % BL_RATE_SAMPLES;
  if (rate->count < BL_RATE_SAMPLES) rate->count++;
}

double bl_rate_per_second(const struct bl_rate *rate, size_t samples) {
  BL_ASSERT(samples > 0 && samples < BL_RATE_SAMPLES);
  if (rate->count < 2) return 0;
  if (samples > rate->count - 1) samples = rate->count - 1;
  size_t last = (rate->next + BL_RATE_SAMPLES - 1) % BL_RATE_SAMPLES;
  size_t first = (last + BL_RATE_SAMPLES - samples) % BL_RATE_SAMPLES;
  int64_t ms = rate->samples[last].at_ms - rate->samples[first].at_ms;
  if (ms <= 0) return 0;
  return (double)(rate->samples[last].total - rate->samples[first].total) * 1000 / (double)ms;
}
