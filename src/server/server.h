/* A running server: name server, broker, or both in one process. The composition root: nothing else
 * knows all the parts. Thread: the core is the thread that calls bl_server_run. */
#ifndef BOLIDE_SERVER_SERVER_H
#define BOLIDE_SERVER_SERVER_H

#include <stdbool.h>

#include "broker/settings.h"
#include "namesrv/namesrv.h"

struct bl_server_settings {
  bool namesrv;       /* run a name server */
  bool broker;        /* run a broker */
  const char *listen; /* BORROWED: address for every listener */
  bool insecure;      /* listening beyond loopback is meant */
  int namesrv_port;   /* 0: any free one */
  int broker_port;
  const char *advertise;                        /* may be NULL */
  const char *ready_file;                       /* may be NULL: written once it serves */
  struct bl_broker_settings *broker_settings;   /* when broker */
  struct bl_namesrv_settings *namesrv_settings; /* when namesrv */
};

/* Serves until SIGTERM or SIGINT. RETURNS the exit code of the program; what went wrong was printed
 * in one sentence. */
int bl_server_run(const struct bl_server_settings *settings);

#endif
