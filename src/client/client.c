#include "client/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "client/client_internal.h"
#include "client/routes.h"
#include "os/entropy.h"
#include "os/process.h"

struct bl_slice bl_client__copy(struct bl_slice text) {
  char *copy = malloc(text.len + 1);
  BL_ASSERT(copy != NULL);
  if (text.ptr != NULL) memcpy(copy, text.ptr, text.len);
  copy[text.len] = '\0';
  return bl_slice_of(copy, text.len);
}

struct bl_slice bl_client__first_line(struct bl_slice text) {
  if (text.ptr == NULL) return text;
  struct bl_slice line = bl_slice_cut(&text, '\n');
  if (line.len > 0 && line.ptr[line.len - 1] == '.') line.len--;
  return line;
}

static bool told_lately(struct bl_client *client, const char *text) {
  uint32_t hash = bl_hash(bl_slice_text(text));
  int64_t now_ms = bl_clock_mono_ms(client->clock);
  for (uint32_t i = 0; i < BL_CLIENT_NOTES; i++) {
    if (client->notes[i].hash == hash && now_ms < client->notes[i].until_ms) return true;
  }
  client->notes[client->next_note++ % BL_CLIENT_NOTES] =
      (struct bl_note){.hash = hash, .until_ms = now_ms + BL_CLIENT_NOTE_MS};
  return false;
}

void bl_client__note(struct bl_client *client, const char *format, ...) {
  char text[sizeof(struct bl_why)];
  va_list values;
  va_start(values, format);
  vsnprintf(text, sizeof(text), format, values);
  va_end(values);
  if (client->settings.on_note == NULL || told_lately(client, text)) return;
  client->settings.on_note(client->settings.context, text);
}

/* "http://" in front is RocketMQ's way to name an endpoint (NameServerAddressUtils); it means
 * nothing here. */
static struct bl_slice without_scheme(struct bl_slice text) {
  return bl_slice_starts(text, BL_SLICE("http://")) ? bl_slice_from(text, 7) : text;
}

static bl_err take_server(struct bl_client *client, struct bl_slice text, struct bl_why *why) {
  int32_t port;
  size_t colon = text.len;
  while (colon > 0 && text.ptr[colon - 1] != ':') colon--;
  if (colon < 2 || !bl_slice_i32(bl_slice_from(text, colon), &port) || port < 1 || port > 65535) {
    return bl_why_set(why, BL_ERR_USAGE,
                      "'%.*s' is not the address of a name server; it is HOST:PORT, for example "
                      "127.0.0.1:9876",
                      BL_FMT(text));
  }
  client->servers = realloc(client->servers, (client->server_count + 1) * sizeof(*client->servers));
  BL_ASSERT(client->servers != NULL);
  client->servers[client->server_count++] = bl_client__copy(text);
  return BL_OK;
}

static bl_err take_servers(struct bl_client *client, struct bl_slice list, struct bl_why *why) {
  while (list.ptr != NULL) {
    struct bl_slice part = bl_slice_cut(&list, ';');
    while (part.ptr != NULL) {
      struct bl_slice one = without_scheme(bl_slice_trim(bl_slice_cut(&part, ',')));
      if (one.len == 0) continue;
      bl_err err = take_server(client, one, why);
      if (err != BL_OK) return err;
    }
  }
  if (client->server_count == 0) return bl_why_set(why, BL_ERR_USAGE, "no name server is given");
  return BL_OK;
}

static void name_client(struct bl_client *client) {
  uint8_t ip[4];
  bl_process_host_ipv4(ip);
  snprintf(client->id, sizeof(client->id), "%u.%u.%u.%u@%d#%lld", ip[0], ip[1], ip[2], ip[3],
           bl_process_pid(), (long long)bl_clock_mono_ns(client->clock));
  bl_uniqkey_init(&client->uniqkeys, ip, (uint16_t)bl_process_pid(), (uint32_t)bl_entropy_u64());
}

bl_err bl_client_new(struct bl_net *net, const struct bl_clock *clock, struct bl_timers *timers,
                     const struct bl_client_settings *settings, struct bl_client **out_client,
                     struct bl_why *why) {
  struct bl_client *client = calloc(1, sizeof(*client));
  BL_ASSERT(client != NULL);
  client->net = net;
  client->clock = clock;
  client->timers = timers;
  client->settings = *settings;
  bl_map_init(&client->topics);
  bl_map_init(&client->brokers);
  bl_list_init(&client->parts);
  bl_buf_init(&client->scratch, 0);
  bl_err err = take_servers(client, settings->servers, why);
  if (err != BL_OK) {
    bl_client_free(client);
    return err;
  }
  name_client(client);
  client->remoting =
      bl_remoting_new(net, clock, timers, bl_client__requests, bl_client__requests_count);
  client->role = (struct bl_role){.role = BL_ROLE_CLIENT, .server = client};
  bl_remoting_outgoing_role(client->remoting, &client->role);
  *out_client = client;
  return BL_OK;
}

void bl_client_free(struct bl_client *client) {
  if (client == NULL) return;
  BL_ASSERT(bl_list_empty(&client->parts));
  bl_routes_free(client);
  bl_client__free_brokers(client);
  bl_remoting_free(client->remoting);
  for (uint32_t i = 0; i < client->server_count; i++) free((char *)client->servers[i].ptr);
  free(client->servers);
  bl_map_fini(&client->topics);
  bl_map_fini(&client->brokers);
  bl_buf_fini(&client->scratch);
  free(client);
}

struct bl_slice bl_client_id(const struct bl_client *client) {
  return bl_slice_text(client->id);
}

bool bl_client_turn(struct bl_client *client) {
  return bl_remoting_turn(client->remoting);
}
