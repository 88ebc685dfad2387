/* Calls that take more than one turn: the handler is called once a turn until it is done. */
#include <stdlib.h>

#include "base/assert.h"
#include "remoting/remoting_internal.h"

/* What all of them together may take of a turn. */
#define TURN_NS 1000000

static struct bl_slice copy(struct bl_arena *arena, struct bl_slice text) {
  return text.ptr != NULL ? bl_arena_copy(arena, text) : text;
}

/* The command with everything it points to in the arena. */
static void copy_command(struct bl_again *again, const struct bl_command *from) {
  struct bl_command *to = &again->command;
  *to = *from;
  to->remark = copy(&again->arena, from->remark);
  to->body = copy(&again->arena, from->body);
  to->fields = bl_arena_take(&again->arena, (from->field_count + 1) * sizeof(*to->fields));
  for (uint32_t i = 0; i < from->field_count; i++) {
    to->fields[i].name = copy(&again->arena, from->fields[i].name);
    to->fields[i].value = copy(&again->arena, from->fields[i].value);
  }
}

void bl_remoting__again(struct bl_remoting *remoting, const struct bl_call *call,
                        size_t stats_index) {
  struct bl_again *again = calloc(1, sizeof(*again));
  BL_ASSERT(again != NULL && !call->answered);
  bl_arena_init(&again->arena);
  bl_buf_init(&again->body, call->body->max_bytes);
  bl_buf_put_slice(&again->body, bl_buf_slice(call->body));
  copy_command(again, call->command);
  again->call = *call;
  again->call.command = &again->command;
  again->call.arena = &again->arena;
  again->call.body = &again->body;
  again->conn_id = bl_conn_id(call->conn);
  again->stats_index = stats_index;
  const struct bl_header_table *table = call->request->header;
  if (table != NULL) {
    void *header = bl_arena_take(&again->arena, table->struct_bytes);
    BL_ASSERT(bl_header_decode(table, &again->command, header, NULL) == BL_OK);
    again->call.header = header;
  }
  bl_list_add_last(&remoting->again, &again->node);
  remoting->again_count++;
  remoting->stats[stats_index].agains++;
}

bool bl_remoting__again_full(const struct bl_remoting *remoting, size_t stats_index) {
  return remoting->again_count >= BL_REMOTING_AGAIN_MAX && remoting->stats[stats_index].agains > 0;
}

static void free_again(struct bl_again *again) {
  bl_arena_fini(&again->arena);
  bl_buf_fini(&again->body);
  free(again);
}

/* One step. The connection may have closed meanwhile: the handler still runs to its end, so that it
 * frees its progress; its answer goes nowhere. */
static bool step(struct bl_remoting *remoting, struct bl_again *again) {
  struct bl_conn *conn = bl_net_conn(remoting->net, again->conn_id);
  again->call.conn = conn;
  if (conn == NULL) again->command.flag |= BL_FLAG_ONEWAY;
  int64_t from_ns = bl_clock_mono_ns(remoting->clock);
  enum bl_outcome outcome = again->call.request->handle(&again->call);
  bl_remoting__note_time(remoting, again->stats_index, bl_clock_mono_ns(remoting->clock) - from_ns);
  BL_ASSERT(outcome != BL_DONE || again->call.answered || bl_command_is_oneway(&again->command));
  return outcome == BL_AGAIN;
}

/* The turn itself is what the call waits for. */
static void on_again_timer(struct bl_timer *timer, int64_t now_ms) {
  (void)timer;
  (void)now_ms;
}

/* RETURNS whether a call wants the next turn at once; else the timer makes one in time. */
static bool wait_again(struct bl_remoting *remoting, int64_t least_ms) {
  struct bl_timer *timer = &remoting->again_timer;
  bl_timer_cancel(remoting->timers, timer);
  if (bl_list_empty(&remoting->again)) return false;
  if (least_ms == 0) return true;
  timer->fire = on_again_timer;
  bl_timer_set(remoting->timers, timer, bl_net_now_ms(remoting->net) + least_ms);
  return false;
}

bool bl_remoting_turn(struct bl_remoting *remoting) {
  if (bl_list_empty(&remoting->again)) return false;
  int64_t until_ns = bl_clock_mono_ns(remoting->clock) + TURN_NS;
  int64_t least_ms = INT64_MAX;
  /* Each at most once a turn; whoever had no step goes first in the next. */
  for (size_t left = remoting->again_count; left > 0; left--) {
    struct bl_list *node = bl_list_take_first(&remoting->again);
    BL_ASSERT(node != NULL);
    struct bl_again *again = BL_CONTAINER(node, struct bl_again, node);
    again->call.again_ms = 0;
    if (step(remoting, again)) {
      bl_list_add_last(&remoting->again, &again->node);
      if (again->call.again_ms < least_ms) least_ms = again->call.again_ms;
    } else {
      remoting->again_count--;
      free_again(again);
    }
    if (left > 1 && bl_clock_mono_ns(remoting->clock) >= until_ns) {
      least_ms = 0;
      break;
    }
  }
  return wait_again(remoting, least_ms);
}
