/* For tests of retention: a broker on a fake disk and a fake clock, with inline workers. */
#ifndef BOLIDE_BROKER_RETENTION_RETENTION_TESTLIB_H
#define BOLIDE_BROKER_RETENTION_RETENTION_TESTLIB_H

#include "broker/broker.h"
#include "broker/retention/retention.h"
#include "os/fake/disk_fake.h"

#define RT_MIB (1 << 20)
#define RT_HOUR 3600000ll
#define RT_START 1700000000000ll /* 22:13 UTC */

struct rt {
  struct bl_broker_settings settings;
  struct bl_disk_fake *fake;
  struct bl_clock_fake clock;
  struct bl_timers timers;
  struct bl_worker *flush;
  struct bl_worker *pool;
  struct bl_broker *broker;
};

/* Files of 1 MiB; messages are kept for an hour, and deleted at 4 and 16 o'clock. */
void rt_begin(struct rt *rt);
void rt_end(struct rt *rt);
void rt_open(struct rt *rt);
void rt_close(struct rt *rt);
void rt_set(struct rt *rt, const char *name, const char *value);
/* Turns and jobs until nothing more happens. */
void rt_settle(struct rt *rt);
/* Time passes, in steps in which timers fire. wall_ms: what the wall clock makes of it. */
void rt_pass_as(struct rt *rt, int64_t ms, int64_t wall_ms);
void rt_pass(struct rt *rt, int64_t ms);
bl_err rt_send(struct rt *rt, const char *topic, int32_t queue_id, uint32_t bytes,
               struct bl_sent *out_sent, struct bl_why *why);
void rt_topic(struct rt *rt, const char *name, int queues, const char *attributes);

#endif
