/* A name server and broker for tests of the client: one topic, messages in memory, answers that a
 * test may spoil. It runs on the test's own loop. */
#ifndef BOLIDE_CLIENT_FAKE_TESTLIB_H
#define BOLIDE_CLIENT_FAKE_TESTLIB_H

#include "base/arena.h"
#include "client/client.h"
#include "remoting/remoting.h"

#define BL_FAKE_QUEUES_MAX 8
#define BL_FAKE_MESSAGES_MAX 8192 /* of a queue */
#define BL_FAKE_MEMBERS_MAX 4

struct bl_fake_queue {
  struct bl_slice bodies[BL_FAKE_MESSAGES_MAX]; /* in the arena */
  int64_t count;
  int64_t committed; /* -1: the group has no offset */
};

struct bl_fake {
  struct bl_timers timers;
  struct bl_net *net;
  struct bl_remoting *remoting;
  struct bl_role role;
  struct bl_listener *listener;
  int port;
  struct bl_arena arena;
  struct bl_client *client;
  /* What it has and got. */
  const char *topic; /* NULL: none, and only TBW102 */
  int queue_count;
  struct bl_fake_queue queues[BL_FAKE_QUEUES_MAX];
  char other_members[BL_FAKE_MEMBERS_MAX][64]; /* of the group, besides the client under test */
  int other_member_count;
  char member[64]; /* the client's id, "" when it is in no group */
  int heartbeats, sends, batches, pulls, leaves;
  /* How it spoils. */
  int fail_sends; /* so many sends are refused ... */
  int fail_code;  /* ... with this code */
  int drop_sends; /* so many are neither stored nor answered: the connection closes */
};

/* The loop, the server on a free port, and a client that knows it. */
void bl_fake_init(struct bl_fake *fake, const char *topic, int queue_count);
void bl_fake_fini(struct bl_fake *fake);
/* Turns until *flag is at least `value`; false: not within ten seconds. */
bool bl_fake_run_until(struct bl_fake *fake, const int *flag, int value);
/* Turns for so long. */
void bl_fake_run_ms(struct bl_fake *fake, int64_t ms);
void bl_fake_store(struct bl_fake *fake, int queue_id, const char *body);
/* Tells the client that the members of the group changed (40). */
void bl_fake_notify(struct bl_fake *fake, const char *group);

#endif
