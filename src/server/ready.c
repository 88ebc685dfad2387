/* What a newcomer sees, and what a script reads, once it serves. */
#include <stdio.h>

#include "os/process.h"
#include "server/server_internal.h"

static bool is_any(const char *listen) {
  return strcmp(listen, "*") == 0 || strcmp(listen, "0.0.0.0") == 0 || strcmp(listen, "::") == 0;
}

#define HOST_BYTES_MAX 64

/* An address that works on this machine, in brackets when it has colons. RETURNS out_text. */
static const char *shown_host(const struct bl_server *server, char out_text[HOST_BYTES_MAX]) {
  const char *listen = server->settings->listen;
  if (is_any(listen) || strcmp(listen, "localhost") == 0) listen = "127.0.0.1";
  snprintf(out_text, HOST_BYTES_MAX, strchr(listen, ':') != NULL ? "[%s]" : "%s", listen);
  return out_text;
}

void bl_server__print_ready(const struct bl_server *server) {
  char host_text[HOST_BYTES_MAX];
  const char *host = shown_host(server, host_text);
  int namesrv_port =
      server->namesrv_listener != NULL ? bl_listener_port(server->namesrv_listener) : 0;
  printf("bolide serves\n");
  if (server->namesrv != NULL) printf("  name server  %s:%d\n", host, namesrv_port);
  if (server->broker != NULL) {
    printf("  broker       %s:%d (VIP %d)   name %s, cluster %s\n", host,
           bl_listener_port(server->broker_listener), bl_listener_port(server->vip_listener),
           server->broker->settings->broker_name, server->broker->settings->cluster_name);
    printf("  store        %s   an ack means: %s\n", server->broker->settings->store_dir,
           server->broker->settings->flush_mode == BL_FLUSH_SYNC ? "on disk" : "in the kernel");
  }
  if (server->namesrv != NULL && server->broker != NULL) {
    char at[96] = "";
    if (namesrv_port != 9876) snprintf(at, sizeof(at), " --namesrv %s:%d", host, namesrv_port);
    printf("\nTry, in another terminal:\n");
    printf("  build/bolide produce hello \"first message\"%s\n", at);
    printf("  build/bolide consume hello --from earliest --count 1%s\n", at);
    printf("  seq 1000000 | build/bolide produce numbers -%s\n", at);
    printf("\nCtrl-C stops it.\n");
  }
  fflush(stdout);
}

bl_err bl_server__write_ready(const struct bl_server *server, struct bl_why *why) {
  char text[512];
  char host_text[HOST_BYTES_MAX];
  const char *host = shown_host(server, host_text);
  const char *path = server->settings->ready_file;
  if (path == NULL) return BL_OK;
  int n = snprintf(text, sizeof(text), "{");
  if (server->namesrv != NULL) {
    n += snprintf(text + n, sizeof(text) - (size_t)n, "\"namesrv\":\"%s:%d\",", host,
                  bl_listener_port(server->namesrv_listener));
  }
  if (server->broker != NULL) {
    n += snprintf(text + n, sizeof(text) - (size_t)n, "\"broker\":\"%s:%d\",\"vip\":\"%s:%d\",",
                  host, bl_listener_port(server->broker_listener), host,
                  bl_listener_port(server->vip_listener));
  }
  n += snprintf(text + n, sizeof(text) - (size_t)n, "\"pid\":%d}\n", bl_process_pid());
  return bl_disk_replace_file(bl_disk_real(), path, bl_slice_of(text, (size_t)n), false, why);
}
