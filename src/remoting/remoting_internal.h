/* Inside src/remoting only. */
#ifndef BOLIDE_REMOTING_REMOTING_INTERNAL_H
#define BOLIDE_REMOTING_REMOTING_INTERNAL_H

#include "base/map.h"
#include "remoting/remoting.h"

#define BL_REMOTING_HASH_SLOTS 1024
#define BL_REMOTING_AGAIN_MAX 1024

/* A call that asked AGAIN: it owns a copy of its frame. */
struct bl_again {
  struct bl_list node;
  struct bl_call call;
  struct bl_command command;
  struct bl_arena arena;
  struct bl_buf body;
  uint64_t conn_id;
  size_t stats_index;
};

struct bl_remoting {
  struct bl_net *net;
  const struct bl_clock *clock;
  struct bl_timers *timers;
  const struct bl_request *const *requests;
  size_t request_count;
  uint32_t slots[BL_REMOTING_HASH_SLOTS]; /* index + 1 into requests, by role and code */
  struct bl_request_stats *stats;         /* by index */
  struct bl_role *outgoing_role;
  struct bl_role no_role;
  int64_t longest_turn_ns; /* the turn (bl_net_turn_from_ns) of the next two */
  int64_t longest_ns;      /* its longest call */
  size_t longest_index;
  int64_t call_from_ns;  /* when the call that runs began to be decoded */
  struct bl_arena arena; /* of the call that runs */
  struct bl_buf body;
  struct bl_list again;
  size_t again_count;
  struct bl_timer again_timer;  /* wakes the loop for calls that wait */
  bool closing;                 /* bl_remoting_free runs: no new calls */
  struct bl_outcall **outcalls; /* by slot: the low bits of the opaque */
  uint32_t *outcall_generations;
  uint32_t *free_outcalls;
  uint32_t outcall_cap;
  uint32_t free_outcall_count;
  struct bl_map peers; /* address -> struct bl_peer */
};

struct bl_peer {
  uint64_t conn_id;
};

/* remoting.c */
extern const struct bl_conn_ops bl_remoting__conn_ops;
/* RETURNS request_count when there is none. */
size_t bl_remoting__find(const struct bl_remoting *remoting, uint32_t role, int32_t code);
/* outcall.c */
void bl_remoting__on_response(struct bl_remoting *remoting, struct bl_conn *conn,
                              const struct bl_command *response);
void bl_remoting__on_conn_closed(struct bl_remoting *remoting, uint64_t conn_id);
/* again.c */
void bl_remoting__again(struct bl_remoting *remoting, const struct bl_call *call,
                        size_t stats_index);
/* Too many calls wait for a turn for one more of a kind that does. */
bool bl_remoting__again_full(const struct bl_remoting *remoting, size_t stats_index);
void bl_remoting__note_time(struct bl_remoting *remoting, size_t stats_index, int64_t ns);

#endif
