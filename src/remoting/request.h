/* A request code is a table row: what a handler file in src/requests/ declares. */
#ifndef BOLIDE_REMOTING_REQUEST_H
#define BOLIDE_REMOTING_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "remoting/call.h"
#include "wire/header.h"

/* Which server answers the code. */
#define BL_ROLE_NAMESRV 1u
#define BL_ROLE_BROKER 2u
#define BL_ROLE_CLIENT 4u

/* Flags. */
#define BL_REQUEST_NOT_ON_FAST_PORT 1u /* RocketMQ's VIP port does not serve it */
#define BL_REQUEST_NEEDS_BODY 2u       /* an empty body is answered with code 1 */

struct bl_request {
  int32_t code;
  const char *name; /* RocketMQ's: "PULL_MESSAGE" */
  uint32_t roles;
  uint32_t flags;
  const struct bl_header_table *header; /* NULL: no header fields */
  enum bl_outcome (*handle)(struct bl_call *call);
};

/* Generated from the files in src/requests/: every row. */
extern const struct bl_request *const bl_request_table[];
extern const size_t bl_request_table_count;

#endif
