/* What the verbs server, namesrv and broker share: their options and configuration file. */
#ifndef BOLIDE_CLI_SERVE_H
#define BOLIDE_CLI_SERVE_H

#include <stdbool.h>

struct bl_verb;

/* RETURNS the exit code. */
int bl_serve(const struct bl_verb *verb, bool namesrv, bool broker, int argc, char **argv);

#endif
