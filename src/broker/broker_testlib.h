/* For tests of the broker's parts: a broker on the fake disk and the fake clock with inline
 * workers, without a network. */
#ifndef BOLIDE_BROKER_BROKER_TESTLIB_H
#define BOLIDE_BROKER_BROKER_TESTLIB_H

#include "broker/broker.h"
#include "os/fake/disk_fake.h"

struct bt {
  struct bl_disk_fake *fake;
  struct bl_disk *disk;
  struct bl_clock_fake clock;
  struct bl_timers timers;
  struct bl_worker *flush;
  struct bl_worker *pool;
  struct bl_broker_settings settings;
  struct bl_broker *broker;
};

/* Segments of 1 MiB, a ring of 1 MiB. */
void bt_start(struct bt *bt);
void bt_stop(struct bt *bt);
/* Stops and starts on the same disk. */
void bt_restart(struct bt *bt);
/* The power goes now, and comes back. What was not synced is there or not, by the seed. */
void bt_power_loss(struct bt *bt, uint64_t seed);
/* After bl_disk_fake_kill or _power_loss. */
void bt_reopen_after_crash(struct bt *bt);
/* The system forgets all pages; indexes in memory are gone, too. */
void bt_cold(struct bt *bt);
/* Turns and jobs until nothing more happens. */
void bt_settle(struct bt *bt);
/* Time passes. */
void bt_pass(struct bt *bt, int64_t ms);

/* Sends a message to the queue; it is visible when this returns. */
void bt_send(struct bt *bt, const char *topic, int32_t queue_id, const char *properties,
             uint32_t body_bytes);
/* The same with a record that has `count` queue offsets. */
void bt_send_batch(struct bt *bt, const char *topic, int32_t queue_id, uint32_t count);
struct bl_queue *bt_queue(struct bt *bt, const char *topic, int32_t queue_id);

#endif
