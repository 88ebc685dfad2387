/* Frames in, requests to their handlers. */
#include "remoting/remoting.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "remoting/remoting_internal.h"

#define BODY_BYTES_MAX (256u << 20)
#define HELD_NS 200000

static uint32_t slot_of(uint32_t role, int32_t code) {
  return ((uint32_t)code * 2654435761u ^ role * 40503u) >> 7 & (BL_REMOTING_HASH_SLOTS - 1);
}

static void on_slow_turn(void *context, int64_t turn_ns) {
  struct bl_remoting *remoting = context;
  (void)turn_ns;
  if (remoting->longest_turn_ns != bl_net_turn_from_ns(remoting->net)) return; /* no call in it */
  remoting->stats[remoting->longest_index].slow_turns++;
}

static void index_requests(struct bl_remoting *remoting) {
  for (size_t i = 0; i < remoting->request_count; i++) {
    const struct bl_request *request = remoting->requests[i];
    for (uint32_t role = 1; role <= BL_ROLE_CLIENT; role <<= 1) {
      if ((request->roles & role) == 0) continue;
      BL_ASSERT(bl_remoting__find(remoting, role, request->code) == remoting->request_count);
      uint32_t slot = slot_of(role, request->code);
      while (remoting->slots[slot] != 0) slot = (slot + 1) % BL_REMOTING_HASH_SLOTS;
      remoting->slots[slot] = (uint32_t)i + 1;
    }
  }
}

size_t bl_remoting__find(const struct bl_remoting *remoting, uint32_t role, int32_t code) {
  uint32_t slot = slot_of(role, code);
  while (remoting->slots[slot] != 0) {
    size_t index = remoting->slots[slot] - 1;
    const struct bl_request *request = remoting->requests[index];
    if (request->code == code && (request->roles & role) != 0) return index;
    slot = (slot + 1) % BL_REMOTING_HASH_SLOTS;
  }
  return remoting->request_count;
}

struct bl_remoting *bl_remoting_new(struct bl_net *net, const struct bl_clock *clock,
                                    struct bl_timers *timers,
                                    const struct bl_request *const *requests,
                                    size_t request_count) {
  struct bl_remoting *remoting = calloc(1, sizeof(*remoting));
  BL_ASSERT(remoting != NULL && request_count < BL_REMOTING_HASH_SLOTS / 2);
  remoting->net = net;
  remoting->clock = clock;
  remoting->timers = timers;
  remoting->requests = requests;
  remoting->request_count = request_count;
  remoting->stats = calloc(request_count + 1, sizeof(*remoting->stats));
  BL_ASSERT(remoting->stats != NULL);
  remoting->no_role.remoting = remoting;
  remoting->outgoing_role = &remoting->no_role;
  bl_arena_init(&remoting->arena);
  bl_buf_init(&remoting->body, BODY_BYTES_MAX);
  bl_list_init(&remoting->again);
  bl_map_init(&remoting->peers);
  index_requests(remoting);
  bl_net_on_slow_turn(net, on_slow_turn, remoting);
  return remoting;
}

void bl_remoting_free(struct bl_remoting *remoting) {
  if (remoting == NULL) return;
  remoting->closing = true;
  bl_timer_cancel(remoting->timers, &remoting->again_timer);
  for (uint32_t slot = 0; slot < remoting->outcall_cap; slot++) {
    struct bl_outcall *call = remoting->outcalls[slot];
    if (call == NULL) continue;
    bl_remoting_cancel(call);
    call->done(call, BL_ERR_CLOSED, NULL);
  }
  while (!bl_list_empty(&remoting->again)) {
    struct bl_list *node = bl_list_take_first(&remoting->again);
    struct bl_again *again = BL_CONTAINER(node, struct bl_again, node);
    bl_arena_fini(&again->arena);
    bl_buf_fini(&again->body);
    free(again);
  }
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&remoting->peers, &cursor)) != NULL) free(entry->value);
  bl_map_fini(&remoting->peers);
  bl_arena_fini(&remoting->arena);
  bl_buf_fini(&remoting->body);
  free(remoting->outcalls);
  free(remoting->outcall_generations);
  free(remoting->free_outcalls);
  free(remoting->stats);
  free(remoting);
}

struct bl_net *bl_remoting_net(const struct bl_remoting *remoting) {
  return remoting->net;
}

bl_err bl_remoting_listen(struct bl_remoting *remoting, const char *host, int port,
                          struct bl_role *role, struct bl_listener **out_listener,
                          struct bl_why *why) {
  role->remoting = remoting;
  return bl_net_listen(remoting->net, host, port, &bl_remoting__conn_ops, role, out_listener, why);
}

void bl_remoting_outgoing_role(struct bl_remoting *remoting, struct bl_role *role) {
  role->remoting = remoting;
  remoting->outgoing_role = role;
}

void bl_remoting__note_time(struct bl_remoting *remoting, size_t stats_index, int64_t ns) {
  struct bl_request_stats *stats = &remoting->stats[stats_index];
  stats->count++;
  stats->total_ns += ns;
  if (ns > stats->max_ns) stats->max_ns = ns;
  if (ns > HELD_NS) stats->over_200us++;
  int64_t turn_ns = bl_net_turn_from_ns(remoting->net);
  if (ns > remoting->longest_ns || turn_ns != remoting->longest_turn_ns) {
    remoting->longest_turn_ns = turn_ns;
    remoting->longest_ns = ns;
    remoting->longest_index = stats_index;
  }
}

/* Java reads a missing required field as null and fails with code 1; we say which. */
static bool decode_header(struct bl_call *call) {
  const struct bl_header_table *table = call->request->header;
  if (table == NULL) return true;
  struct bl_why why;
  void *header = bl_arena_take(call->arena, table->struct_bytes);
  bl_err err = bl_header_decode(table, call->command, header, &why);
  if (err != BL_OK) {
    bl_call_fail(call, BL_ERR_SYSTEM, "%s", why.text);
    return false;
  }
  call->header = header;
  return true;
}

static void handle(struct bl_remoting *remoting, struct bl_call *call, size_t index) {
  enum bl_outcome outcome = BL_DONE;
  if ((call->request->flags & BL_REQUEST_NEEDS_BODY) != 0 && call->command->body.len == 0) {
    bl_call_fail(call, BL_ERR_SYSTEM, "the request has no body");
  } else if (bl_remoting__again_full(remoting, index)) {
    bl_call_fail(call, BL_ERR_BUSY, "%d long requests are being answered, try again",
                 BL_REMOTING_AGAIN_MAX);
  } else if (decode_header(call)) {
    outcome = call->request->handle(call);
  }
  BL_ASSERT(outcome != BL_DONE || call->answered || bl_command_is_oneway(call->command));
  if (outcome == BL_AGAIN) {
    bl_remoting__again(remoting, call, index);
  }
  int64_t now_ns = bl_clock_mono_ns(remoting->clock);
  bl_remoting__note_time(remoting, index, now_ns - remoting->call_from_ns);
  remoting->call_from_ns = now_ns; /* of the next in the same input */
}

static void dispatch(struct bl_remoting *remoting, struct bl_conn *conn,
                     const struct bl_command *command) {
  struct bl_role *role = bl_conn_context(conn);
  bl_buf_clear(&remoting->body);
  struct bl_call call = {.remoting = remoting,
                         .conn = conn,
                         .server = role->server,
                         .command = command,
                         .arena = &remoting->arena,
                         .body = &remoting->body};
  size_t index = bl_remoting__find(remoting, role->role, command->code);
  if (index < remoting->request_count) call.request = remoting->requests[index];
  if (call.request == NULL ||
      (role->fast_port && (call.request->flags & BL_REQUEST_NOT_ON_FAST_PORT) != 0)) {
    bl_call_fail(&call, BL_ERR_CODE_UNSUPPORTED, " request type %d not supported", command->code);
    return;
  }
  handle(remoting, &call, index);
}

/* RETURNS the bytes of whole frames used. */
static size_t on_input(struct bl_conn *conn, struct bl_slice input, size_t *out_need) {
  struct bl_role *role = bl_conn_context(conn);
  struct bl_remoting *remoting = role->remoting;
  size_t used = 0;
  remoting->call_from_ns = bl_clock_mono_ns(remoting->clock);
  while (!bl_conn_closing(conn) && !bl_conn_output_full(conn)) {
    struct bl_slice rest = bl_slice_from(input, used);
    size_t frame_bytes = 8;
    bl_err err = bl_frame_size(rest, &frame_bytes);
    if (err == BL_ERR_SHORT || (err == BL_OK && frame_bytes > rest.len)) {
      *out_need = frame_bytes;
      return used;
    }
    struct bl_command command;
    bl_arena_reset(&remoting->arena);
    if (err == BL_OK) {
      err = bl_command_decode(bl_slice_of(rest.ptr, frame_bytes), &remoting->arena, &command);
    }
    if (err != BL_OK) {
      bl_log(BL_LOG_WARN, "remoting", "frame.bad", "peer=%s why=%s; closing the connection",
             bl_conn_peer_text(conn), bl_err_text(err));
      bl_conn_close(conn);
      return used;
    }
    used += frame_bytes;
    if (bl_command_is_response(&command)) {
      bl_remoting__on_response(remoting, conn, &command);
    } else {
      dispatch(remoting, conn, &command);
    }
  }
  return used;
}

static void on_close(struct bl_conn *conn) {
  struct bl_role *role = bl_conn_context(conn);
  bl_remoting__on_conn_closed(role->remoting, bl_conn_id(conn));
  if (role->on_close != NULL) role->on_close(role->server, conn);
}

const struct bl_conn_ops bl_remoting__conn_ops = {.on_input = on_input, .on_close = on_close};

const struct bl_request_stats *bl_remoting_stats(const struct bl_remoting *remoting, size_t index) {
  return &remoting->stats[index];
}

const struct bl_request *bl_remoting_request(const struct bl_remoting *remoting, size_t index) {
  return remoting->requests[index];
}

size_t bl_remoting_request_count(const struct bl_remoting *remoting) {
  return remoting->request_count;
}
