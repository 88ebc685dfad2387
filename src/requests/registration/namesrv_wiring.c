#include "requests/registration/namesrv_wiring.h"

#include "base/log.h"
#include "namesrv/routes.h"
#include "net/net.h"
#include "remoting/remoting.h"
#include "wire/headers.h"

#define NOTIFY_MIN_BROKER_ID_CHANGE 905

static void tell_min_broker(void *remoting, struct bl_slice to_addr,
                            const struct bl_namesrv_min_change *change) {
  struct bl_min_broker_change_header header = {0};
  BL_SET(&header, min_broker_change, min_broker_id, change->min_broker_id);
  BL_SET(&header, min_broker_change, min_broker_addr, change->min_broker_addr);
  if (change->offline_broker_addr.ptr != NULL) {
    BL_SET(&header, min_broker_change, offline_addr, change->offline_broker_addr);
  }
  if (change->ha_broker_addr.ptr != NULL) {
    BL_SET(&header, min_broker_change, ha_addr, change->ha_broker_addr);
  }
  struct bl_outgoing outgoing = {
      .code = NOTIFY_MIN_BROKER_ID_CHANGE,
      .table = &bl_min_broker_change_table,
      .header = &header,
  };
  bl_err err = bl_remoting_send_address(remoting, to_addr, &outgoing);
  if (err == BL_OK) return;
  bl_log(BL_LOG_WARN, "namesrv", "min_broker.not_told",
         "broker=%.*s why=\"%s\"; it learns it by asking", BL_FMT(to_addr), bl_err_text(err));
}

static void close_silent(void *remoting, uint64_t conn_id) {
  struct bl_conn *conn = bl_net_conn(bl_remoting_net(remoting), conn_id);
  if (conn != NULL) bl_conn_close(conn);
}

struct bl_namesrv_actions bl_namesrv_actions_on(struct bl_remoting *remoting) {
  return (struct bl_namesrv_actions){
      .context = remoting, .close_conn = close_silent, .min_broker_changed = tell_min_broker};
}

void bl_namesrv_on_conn_close(void *server, struct bl_conn *conn) {
  bl_namesrv_conn_closed(server, bl_conn_id(conn));
}
