/* Numbers about ourselves: histograms of microseconds and rates. No allocation. Pure; one owner
 * each. */
#ifndef BOLIDE_BASE_METRIC_H
#define BOLIDE_BASE_METRIC_H

#include <stddef.h>
#include <stdint.h>

/* Buckets are 8 to each doubling, so a value is known to an eighth; up to 2^32 us (71 minutes),
 * what is more counts there. A zeroed struct is empty. 2 KiB. */
#define BL_HISTOGRAM_BUCKETS 240

struct bl_histogram {
  uint64_t counts[BL_HISTOGRAM_BUCKETS];
  uint64_t count;
  uint64_t sum_us;
  uint64_t max_us;
};

/* A negative duration (a clock that was set back) counts as 0. */
void bl_histogram_record(struct bl_histogram *histogram, int64_t us);
/* A value that `percent` of the recorded ones do not exceed, to the end of its bucket and never
 * above the largest; 0 when nothing was recorded. 0 <= percent <= 100. */
uint64_t bl_histogram_percentile_us(const struct bl_histogram *histogram, double percent);
/* Adds the content of `from`. */
void bl_histogram_add(struct bl_histogram *histogram, const struct bl_histogram *from);
void bl_histogram_clear(struct bl_histogram *histogram);
/* The largest value of a bucket, for those who print all: bucket < BL_HISTOGRAM_BUCKETS. */
uint64_t bl_histogram_bucket_end_us(size_t bucket);

/* A counter sampled once a second for ten minutes, as RocketMQ's putTps and getTotalTps want it
 * (StoreStatsService: over 10, 60 and 600 seconds). 10 KiB. A zeroed struct is empty. */
#define BL_RATE_SAMPLES 601

struct bl_rate {
  struct bl_rate_sample {
    int64_t at_ms;
    int64_t total;
  } samples[BL_RATE_SAMPLES];
  size_t next;  /* where the next sample goes */
  size_t count; /* samples taken, at most BL_RATE_SAMPLES */
};

/* `total` is the counter's value; call once a second, monotonic time. */
void bl_rate_sample(struct bl_rate *rate, int64_t now_ms, int64_t total);
/* Per second over the last `samples` steps, or over as many as there are; 0 before the second
 * sample. 1 <= samples < BL_RATE_SAMPLES. */
double bl_rate_per_second(const struct bl_rate *rate, size_t samples);

#endif
