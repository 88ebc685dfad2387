/* What a verb that talks to a server stands on: a loop, a client, a worker for standard input and
 * output, signals. Thread: the loop's. */
#ifndef BOLIDE_CLI_SESSION_H
#define BOLIDE_CLI_SESSION_H

#include <stdbool.h>

#include "base/err.h"
#include "base/timer.h"
#include "client/client.h"
#include "net/net.h"
#include "os/worker.h"

#define BL_SESSION_NAMESRV_DEFAULT "127.0.0.1:9876"
#define BL_SESSION_NAMESRV_VARIABLE "BOLIDE_SERVER"

struct bl_session {
  const char *verb;
  struct bl_timers timers;
  struct bl_net *net;
  struct bl_client *client;
  struct bl_worker *worker;
  int signals; /* SIGINT and SIGTERM so far; at the third the process ends at once */
  bool closing;
  /* The verb's end of turn; may be NULL. */
  void (*on_turn)(void *context);
  /* The first signal. */
  void (*on_stop)(void *context);
  void *context;
};

/* namesrv NULL: the variable, else the default. BL_ERR_USAGE with a sentence. The verb's callbacks
 * are set by it before. */
BL_MUST_CHECK bl_err bl_session_open(struct bl_session *session, const char *verb,
                                     const char *namesrv, struct bl_why *why);
/* Until bl_session_stop. */
void bl_session_run(struct bl_session *session);
void bl_session_stop(struct bl_session *session);
/* Producers and consumers must be freed first. Accepts a zeroed struct. */
void bl_session_close(struct bl_session *session);

/* "bolide VERB: sentence." to standard error. */
void bl_session_say(const struct bl_session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Whether the name may be one of a topic or group: RocketMQ's letters, at most max_bytes; else
 * prints why not. */
bool bl_session_check_name(const char *verb, const char *what, const char *name, size_t max_bytes);

#endif
