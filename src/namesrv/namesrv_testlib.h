/* A name server on a fake clock and a fake disk. For tests in this folder. */
#ifndef BOLIDE_NAMESRV_NAMESRV_TESTLIB_H
#define BOLIDE_NAMESRV_NAMESRV_TESTLIB_H

#include "base/timer.h"
#include "namesrv/namesrv.h"
#include "namesrv/routes.h"
#include "os/fake/disk_fake.h"

#define NS_TEST_EVENTS_MAX 16

struct ns_test {
  struct bl_clock_fake clock;
  struct bl_timers timers;
  struct bl_disk_fake *disk;
  struct bl_worker *worker;
  struct bl_namesrv_settings settings;
  struct bl_namesrv *ns;
  uint64_t closed[NS_TEST_EVENTS_MAX]; /* connections that the name server wanted closed */
  size_t closed_count;
  char told[NS_TEST_EVENTS_MAX][256]; /* "to: id addr offline ha" */
  size_t told_count;
};

int ns_test_setup(void **state);
int ns_test_teardown(void **state);
/* A new name server on the same disk. */
void ns_test_restart(struct ns_test *t);
/* Moves the clock and runs what is due. */
void ns_test_wait(struct ns_test *t, int64_t ms);

/* A registration with topics given as "name:perm name:perm" (4 queues each), version {counter 1}.
 * Static storage, valid until the next call. */
struct bl_namesrv_registration *ns_test_registration(const char *name, int64_t id, const char *addr,
                                                     const char *topics);
/* Registers it and asserts success. */
void ns_test_register(struct ns_test *t, const struct bl_namesrv_registration *registration);
/* The route in the standard dialect as text, or "none". Static storage. */
const char *ns_test_route(struct ns_test *t, const char *topic);

#endif
