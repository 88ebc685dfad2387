#include "cli/session.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/clock.h"
#include "os/stdio.h"

void bl_session_say(const struct bl_session *session, const char *format, ...) {
  char text[1024];
  va_list values;
  va_start(values, format);
  vsnprintf(text, sizeof(text), format, values);
  va_end(values);
  size_t len = strlen(text);
  /* \r and the blank-out: a progress line may stand there. */
  fprintf(stderr, "%sbolide %s: %s%s\n", bl_stdio_is_terminal(BL_STDERR) ? "\r\033[K" : "",
          session->verb, text, len > 0 && text[len - 1] == '?' ? "" : ".");
}

static void on_note(void *context, const char *sentence) {
  const struct bl_session *session = context;
  if (!session->closing) bl_session_say(session, "%s", sentence);
}

static void on_signal(void *context, int signal_number) {
  struct bl_session *session = context;
  session->signals++;
  if (session->signals == 1) session->on_stop(session->context);
  if (session->signals == 3) _Exit(128 + signal_number);
}

static bool end_turn(void *context) {
  struct bl_session *session = context;
  bl_worker_drain(session->worker);
  if (session->on_turn != NULL) session->on_turn(session->context);
  return bl_client_turn(session->client);
}

bl_err bl_session_open(struct bl_session *session, const char *verb, const char *namesrv,
                       struct bl_why *why) {
  const struct bl_clock *clock = bl_clock_real();
  const char *from_variable = getenv(BL_SESSION_NAMESRV_VARIABLE);
  if (namesrv == NULL && from_variable != NULL && from_variable[0] != '\0') namesrv = from_variable;
  if (namesrv == NULL) namesrv = BL_SESSION_NAMESRV_DEFAULT;
  session->verb = verb;
  bl_stdio_ignore_broken_pipe();
  bl_timers_init(&session->timers);
  struct bl_net_settings net_settings;
  bl_net_settings_default(&net_settings);
  session->net = bl_net_new(&net_settings, clock, &session->timers);
  struct bl_client_settings settings = {
      .servers = bl_slice_text(namesrv), .on_note = on_note, .context = session};
  bl_err err =
      bl_client_new(session->net, clock, &session->timers, &settings, &session->client, why);
  if (err != BL_OK) {
    bl_session_close(session);
    return err;
  }
  session->worker = bl_worker_new("bolide-stdio", 2, false, bl_net_wake, session->net);
  bl_net_on_turn(session->net, end_turn, session);
  bl_net_on_signals(session->net, on_signal, session);
  return BL_OK;
}

void bl_session_run(struct bl_session *session) {
  bl_net_wake(session->net); /* the verb has its first turn without an event */
  bl_net_run(session->net);
}

void bl_session_stop(struct bl_session *session) {
  bl_net_stop(session->net);
}

void bl_session_close(struct bl_session *session) {
  bl_worker_free(session->worker);
  session->closing = true;
  bl_net_free(session->net);
  bl_client_free(session->client);
  bl_timers_fini(&session->timers);
  session->worker = NULL;
  session->client = NULL;
  session->net = NULL;
}

bool bl_session_check_name(const char *verb, const char *what, const char *name, size_t max_bytes) {
  size_t len = strlen(name);
  for (size_t i = 0; i < len; i++) {
    char c = name[i];
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
        c == '-' || c == '%' || c == '|') {
      continue;
    }
    fprintf(stderr,
            "bolide %s: '%s' is not the name of a %s; it has letters, digits and _ - %% | only.\n",
            verb, name, what);
    return false;
  }
  if (len > 0 && len <= max_bytes) return true;
  fprintf(stderr, "bolide %s: the name of a %s has 1 to %zu bytes, this one %zu.\n", verb, what,
          max_bytes, len);
  return false;
}
