/* Which address a client is told to use: --advertise [CIDR=]HOST:PORT, separated by commas; by the
 * client's network, the entry without CIDR for everyone else. Without one: the address that the
 * client came in on. Pure. */
#ifndef BOLIDE_SERVER_ADVERTISE_H
#define BOLIDE_SERVER_ADVERTISE_H

#include <stdbool.h>

#include "base/err.h"
#include "net/net.h"

#define BL_ADVERTISE_MAX 32

struct bl_advertise_entry {
  struct bl_net_addr network;
  int prefix_bits; /* -1: everyone */
  char address[288];
};
struct bl_advertise {
  struct bl_advertise_entry entries[BL_ADVERTISE_MAX];
  int count;
};

/* BL_ERR_USAGE with a sentence. */
BL_MUST_CHECK bl_err bl_advertise_parse(const char *text, struct bl_advertise *out_advertise,
                                        struct bl_why *why);
/* The entry for everyone: what name servers of other processes are told. BORROWS; NULL: there is
 * none. */
const char *bl_advertise_default(const struct bl_advertise *advertise);
/* BORROWS; NULL: none fits. */
const char *bl_advertise_for(const struct bl_advertise *advertise, const struct bl_net_addr *peer);

#endif
