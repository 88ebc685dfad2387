/* For tests of handlers: a broker on a temporary folder with inline workers, behind a real endpoint
 * on loopback, and a client that calls it. */
#ifndef BOLIDE_REQUESTS_ADMIN_TESTLIB_H
#define BOLIDE_REQUESTS_ADMIN_TESTLIB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "broker/broker.h"
#include "remoting/remoting.h"

#define AT_FIELDS_MAX 24

struct at_answer {
  int32_t code;
  struct bl_slice remark;
  struct bl_slice body;
  struct bl_field fields[AT_FIELDS_MAX];
  uint32_t field_count;
};

struct at {
  char dir[64];
  struct bl_broker_settings settings;
  struct bl_timers timers;
  struct bl_worker *flush;
  struct bl_worker *pool;
  struct bl_net *net;
  struct bl_remoting *remoting;
  struct bl_listener *listener;
  struct bl_role broker_role;
  struct bl_role client_role;
  struct bl_broker *broker;
  bool never_cached; /* the system keeps no page in memory: what the pool did not read is cold */
  struct bl_disk_ops disk_ops;
  struct bl_disk disk;
  char address[32];
  struct bl_outcall call;
  bool answered;
  bl_err err;
  struct bl_arena arena; /* answers, until the next call */
  struct at_answer answer;
  int relayed;                  /* requests that the client got */
  struct bl_slice relayed_body; /* of the last; in the arena */
};

void at_start(struct at *at);
void at_stop(struct at *at);
/* Stops and starts on the same folder. */
void at_restart(struct at *at);

/* Calls the broker with extFields "name", "value", ..., NULL and a body (may be NULL). The answer
 * is good until the next call. */
const struct at_answer *at_call(struct at *at, int32_t code, const char *body, ...);
/* The same; asserts the code and, unless NULL, the remark. */
const struct at_answer *at_expect(struct at *at, const struct at_answer *answer, int32_t code,
                                  const char *remark);
/* Asserts that the text is in the body. */
void at_has(const struct at_answer *answer, const char *text);
struct bl_slice at_field(const struct at_answer *answer, const char *name);
/* Sends a message with KEYS and a body; RETURNS its offset message id, in the arena of the answer.
 */
struct bl_slice at_send(struct at *at, const char *topic, int queue_id, const char *keys,
                        const char *body);
/* A heartbeat of a consumer in the group, subscribed to the topic with "*". */
void at_join(struct at *at, const char *group, const char *topic);
void at_topic(struct at *at, const char *name, int queues);
/* Turns for that long. */
void at_run(struct at *at, int64_t ms);

#endif
