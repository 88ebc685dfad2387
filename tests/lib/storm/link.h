/* Connections on one epoll set, and what is under way on each. Thread: one. */
#ifndef BOLIDE_TESTS_STORM_LINK_H
#define BOLIDE_TESTS_STORM_LINK_H

#include <netinet/in.h>

#include "frame.h"

/* A request whose answer is waited for. */
struct bl_storm_call {
  int32_t opaque, kind; /* its owner's kind, not 0 */
  uint32_t queue, stamp;
  int64_t begin_us, value;
};

struct bl_storm_link {
  int fd; /* -1: none */
  int epoll;
  void *owner;
  /* A whole frame; `call` is NULL unless it answers one. May close the link. */
  void (*on_frame)(struct bl_storm_link *link, const struct bl_storm_frame *frame,
                   const struct bl_storm_call *call);
  void (*on_lost)(struct bl_storm_link *link); /* the broker closed it; it is closed by then */
  bool deaf;                                   /* reads nothing, but learns of its end */
  bool wants_write;
  struct bl_storm_bytes in, out;
  size_t in_from, out_from;
  int32_t opaque;
  struct bl_storm_call *calls;
  uint32_t call_count, call_cap;
  struct bl_storm_link *next_dirty; /* with output that is not written yet */
  bool dirty;
};

struct bl_storm_loop {
  int epoll;
  struct sockaddr_in address;
  uint64_t bytes_in, bytes_out, frames_in;
};

int64_t bl_storm_now_us(void);
/* "IPV4:PORT" */
void bl_storm_loop_init(struct bl_storm_loop *loop, const char *address);
/* Waits until_us at most, handles what came, writes what was asked for. */
void bl_storm_loop_turn(struct bl_storm_loop *loop, int64_t until_us);

/* Connects and waits for that. */
void bl_storm_link_open(struct bl_storm_loop *loop, struct bl_storm_link *link);
/* Accepts a closed one. What is under way is forgotten: take it from calls before. */
void bl_storm_link_close(struct bl_storm_link *link);
/* The connection goes to `left` (zeroed), which hears nothing but its end; `link` is closed. */
void bl_storm_link_abandon(struct bl_storm_link *link, struct bl_storm_link *left);

/* Begins a request whose answer comes with `kind`; end it with bl_storm_end. */
struct bl_storm_call *bl_storm_ask(struct bl_storm_link *link, struct bl_storm_request *request,
                                   int32_t code, int32_t kind);

#endif
