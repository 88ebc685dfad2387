/* The loop: poll, timers, the owner's end of turn, writes. */
#include "net/net.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "net/net_internal.h"

#define SWEEP_MS 10000
#define TIMERS_PER_TURN 4096
#define SPIN_MISSES_MAX 8

void bl_net_settings_default(struct bl_net_settings *settings) {
  *settings = (struct bl_net_settings){.input_bytes_max = 512LL << 20,
                                       .output_pause_bytes = 2LL << 20,
                                       .output_bytes_max = 256LL << 20,
                                       .conns_max = 65536,
                                       .idle_ms = 120000,
                                       .spin_us = 0};
}

void bl_net__begin_turn(struct bl_net *net) {
  if (net->turned) return;
  net->turned = true;
  net->turn_from_ns = bl_clock_mono_ns(net->clock);
}

static void on_wake(uv_async_t *wake) {
  bl_net__begin_turn(wake->data);
}

static void on_sleep_end(uv_timer_t *timer) {
  bl_net__begin_turn(timer->data);
}

/* Closes connections that were silent for too long. Two sweeps a limit at least, so that nobody
 * waits much longer. */
static void on_sweep(struct bl_timer *timer, int64_t now_ms) {
  struct bl_net *net = BL_CONTAINER(timer, struct bl_net, sweep);
  size_t cursor = 0;
  struct bl_conn *conn;
  while ((conn = bl_net_next(net, &cursor)) != NULL) {
    if (!conn->closing && now_ms - conn->active_ms >= net->settings.idle_ms) {
      net->stats.idle_closed++;
      bl_conn_close(conn);
    }
  }
  int64_t step = net->settings.idle_ms / 4 < SWEEP_MS ? net->settings.idle_ms / 4 : SWEEP_MS;
  if (net->stats.conns > 0) bl_timer_set(net->timers, timer, now_ms + (step > 0 ? step : 1));
}

struct bl_net *bl_net_new(const struct bl_net_settings *settings, const struct bl_clock *clock,
                          struct bl_timers *timers) {
  struct bl_net *net = calloc(1, sizeof(*net));
  BL_ASSERT(net != NULL);
  net->settings = *settings;
  net->clock = clock;
  net->timers = timers;
  net->next_generation = 1;
  net->sweep.fire = on_sweep;
  bl_list_init(&net->dirty);
  bl_list_init(&net->listeners);
  net->scratch = malloc(BL_NET_SCRATCH_BYTES);
  BL_ASSERT(net->scratch != NULL);
  BL_ASSERT(uv_loop_init(&net->loop) == 0);
  BL_ASSERT(uv_timer_init(&net->loop, &net->sleep_timer) == 0);
  BL_ASSERT(uv_async_init(&net->loop, &net->wake, on_wake) == 0);
  net->sleep_timer.data = net;
  net->wake.data = net;
  net->now_ms = bl_clock_mono_ms(clock);
  return net;
}

static void free_listener(uv_handle_t *handle) {
  free(handle->data);
}

void bl_listener_close(struct bl_listener *listener) {
  if (listener == NULL) return;
  bl_list_remove(&listener->node);
  uv_poll_stop(&listener->poll);
  close(listener->fd);
  if (listener->spare_fd >= 0) close(listener->spare_fd);
  uv_close((uv_handle_t *)&listener->poll, free_listener);
}

void bl_net_free(struct bl_net *net) {
  if (net == NULL) return;
  net->closing = true;
  while (!bl_list_empty(&net->listeners)) {
    bl_listener_close(BL_CONTAINER(net->listeners.next, struct bl_listener, node));
  }
  size_t cursor = 0;
  struct bl_conn *conn;
  while ((conn = bl_net_next(net, &cursor)) != NULL) bl_conn__destroy(conn);
  bl_timer_cancel(net->timers, &net->sweep);
  uv_close((uv_handle_t *)&net->sleep_timer, NULL);
  uv_close((uv_handle_t *)&net->wake, NULL);
  if (net->has_signals) {
    uv_close((uv_handle_t *)&net->signals[0], NULL);
    uv_close((uv_handle_t *)&net->signals[1], NULL);
  }
  while (uv_run(&net->loop, UV_RUN_DEFAULT) != 0) {}
  BL_ASSERT(uv_loop_close(&net->loop) == 0);
  for (int i = 0; i < net->spare_count; i++) bl_buf_fini(&net->spare[i]);
  free(net->conns);
  free(net->free_slots);
  free(net->scratch);
  free(net);
}

void bl_net_on_turn(struct bl_net *net, bool (*end_turn)(void *context), void *context) {
  net->end_turn = end_turn;
  net->turn_context = context;
}

void bl_net_on_slow_turn(struct bl_net *net, void (*on_slow)(void *context, int64_t turn_ns),
                         void *context) {
  net->on_slow = on_slow;
  net->slow_context = context;
}

static void note_turn(struct bl_net *net) {
  int64_t turn_ns = bl_clock_mono_ns(net->clock) - net->turn_from_ns;
  if (turn_ns > net->stats.turn_ns_max) net->stats.turn_ns_max = turn_ns;
  if (turn_ns <= BL_NET_SLOW_TURN_NS) return;
  net->stats.slow_turns++;
  if (net->on_slow != NULL) net->on_slow(net->slow_context, turn_ns);
}

static void end_of_turn(struct bl_net *net) {
  int64_t now_ns = bl_clock_mono_ns(net->clock);
  net->now_ms = now_ns / 1000000;
  if (!net->turned) net->turn_from_ns = now_ns;
  net->stats.turns++;
  bl_timers_run(net->timers, net->now_ms, TIMERS_PER_TURN);
  net->again = net->end_turn != NULL && net->end_turn(net->turn_context);
  while (!bl_list_empty(&net->dirty)) {
    struct bl_list *node = bl_list_take_first(&net->dirty);
    struct bl_conn *conn = BL_CONTAINER(node, struct bl_conn, dirty_node);
    conn->dirty = false;
    bl_conn__flush(conn);
  }
  note_turn(net);
}

/* Looks for events for a while before sleeping: a wake-up from sleep costs tens of microseconds.
 * Adaptive: after looks that saw nothing, twice as many turns go to sleep at once. */
static bool spin(struct bl_net *net) {
  if (net->spin_skip > 0) {
    net->spin_skip--;
    return false;
  }
  int64_t until_ns = bl_clock_mono_ns(net->clock) + net->settings.spin_us * 1000;
  do {
    uv_run(&net->loop, UV_RUN_NOWAIT);
    if (net->turned) {
      net->spin_misses = 0;
      net->stats.spin_hits++;
      return true;
    }
  } while (bl_clock_mono_ns(net->clock) < until_ns);
  net->stats.spin_misses++;
  if (net->spin_misses < SPIN_MISSES_MAX) net->spin_misses++;
  net->spin_skip = (1u << net->spin_misses) - 1;
  return false;
}

void bl_net_run_once(struct bl_net *net, int64_t wait_ms) {
  int64_t now_ms = bl_clock_mono_ms(net->clock);
  int64_t timer_ms = bl_timers_wait_ms(net->timers, now_ms);
  if (timer_ms >= 0 && (wait_ms < 0 || timer_ms < wait_ms)) wait_ms = timer_ms;
  if (net->again) wait_ms = 0;
  bool was_busy = net->turned;
  net->turned = false;
  if (wait_ms != 0 && was_busy && net->settings.spin_us > 0 && spin(net)) wait_ms = 0;
  if (wait_ms > 0) {
    uv_update_time(&net->loop);
    /* Repeating: uv_run fires what is due before it polls, and would then sleep without an end. */
    uv_timer_start(&net->sleep_timer, on_sleep_end, (uint64_t)wait_ms, (uint64_t)wait_ms);
  }
  if (!net->turned) uv_run(&net->loop, wait_ms == 0 ? UV_RUN_NOWAIT : UV_RUN_ONCE);
  if (wait_ms > 0) uv_timer_stop(&net->sleep_timer);
  end_of_turn(net);
}

void bl_net_run(struct bl_net *net) {
  net->stopped = false;
  while (!net->stopped) bl_net_run_once(net, -1);
}

void bl_net_stop(struct bl_net *net) {
  net->stopped = true;
}

void bl_net_wake(void *net) {
  uv_async_send(&((struct bl_net *)net)->wake);
}

static void on_uv_signal(uv_signal_t *handle, int signal_number) {
  struct bl_net *net = handle->data;
  bl_net__begin_turn(net);
  net->on_signal(net->signal_context, signal_number);
}

void bl_net_on_signals(struct bl_net *net, void (*on_signal)(void *context, int signal_number),
                       void *context) {
  static const int numbers[2] = {SIGTERM, SIGINT};
  net->on_signal = on_signal;
  net->signal_context = context;
  net->has_signals = true;
  for (int i = 0; i < 2; i++) {
    BL_ASSERT(uv_signal_init(&net->loop, &net->signals[i]) == 0);
    net->signals[i].data = net;
    BL_ASSERT(uv_signal_start(&net->signals[i], on_uv_signal, numbers[i]) == 0);
    uv_unref((uv_handle_t *)&net->signals[i]);
  }
}

int64_t bl_net_turn_from_ns(const struct bl_net *net) {
  return net->turn_from_ns;
}

int64_t bl_net_now_ms(const struct bl_net *net) {
  return net->now_ms;
}

void bl_net_stats(const struct bl_net *net, struct bl_net_stats *out_stats) {
  *out_stats = net->stats;
}

struct bl_conn *bl_net_next(const struct bl_net *net, size_t *cursor) {
  while (*cursor < net->slot_cap) {
    struct bl_conn *conn = net->conns[(*cursor)++];
    if (conn != NULL) return conn;
  }
  return NULL;
}
