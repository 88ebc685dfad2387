/* The name server's options. Source of names and defaults: apache/rocketmq NamesrvConfig; of the
 * keys that are never set from outside: DefaultRequestProcessor#initConfigBlackList. */
#include "base/properties.h"
#include "namesrv/internal.h"

#define AT(field) offsetof(struct bl_namesrv_settings, field)

static const struct bl_option rows[] = {
    {.name = "configBlackList",
     .kind = BL_OPTION_TEXT,
     .offset = AT(config_black_list),
     .default_text = "configBlackList;configStorePath;kvConfigPath",
     .help = "Keys that updateNamesrvConfig may not change, separated by semicolons.",
     .flags = BL_OPTION_READ_ONLY},
    {.name = "deleteTopicWithBrokerRegistration",
     .kind = BL_OPTION_BOOL,
     .offset = AT(delete_topic_with_broker_registration),
     .default_text = "false",
     .help = "A broker's topics that are not in its new registration are removed."},
    {.name = "enableAllTopicList",
     .kind = BL_OPTION_BOOL,
     .offset = AT(enable_all_topic_list),
     .default_text = "true",
     .help = "The list of all topics is given to who asks."},
    {.name = "enableTopicList",
     .kind = BL_OPTION_BOOL,
     .offset = AT(enable_topic_list),
     .default_text = "true",
     .help = "Lists of some topics (of a cluster, of units) are given to who asks."},
    {.name = "listenPort",
     .kind = BL_OPTION_I32,
     .offset = AT(listen_port),
     .default_text = "9876",
     .min = 0,
     .max = 65535,
     .help = "Port of the name server; 0: any free one.",
     .flags = BL_OPTION_READ_ONLY},
    {.name = "kvConfigPath",
     .kind = BL_OPTION_TEXT,
     .offset = AT(kv_config_path),
     .default_text = "",
     .help =
         "The file that keeps the values set by updateKvConfig; empty: they are lost at the end.",
     .flags = BL_OPTION_READ_ONLY},
    {.name = "needWaitForService",
     .kind = BL_OPTION_BOOL,
     .offset = AT(need_wait_for_service),
     .default_text = "false",
     .help = "Route queries fail until waitSecondsForService after the start."},
    {.name = "notifyMinBrokerIdChanged",
     .kind = BL_OPTION_BOOL,
     .offset = AT(notify_min_broker_id_changed),
     .default_text = "false",
     .help = "Brokers of a set are told when another one has become the one with the smallest id."},
    {.name = "orderMessageEnable",
     .kind = BL_OPTION_BOOL,
     .offset = AT(order_message_enable),
     .default_text = "false",
     .help = "Routes carry the order configuration of the namespace ORDER_TOPIC_CONFIG."},
    {.name = "returnOrderTopicConfigToBroker",
     .kind = BL_OPTION_BOOL,
     .offset = AT(return_order_topic_config_to_broker),
     .default_text = "true",
     .help = "A broker that registers gets the namespace ORDER_TOPIC_CONFIG."},
    {.name = "scanNotActiveBrokerInterval",
     .kind = BL_OPTION_I64,
     .offset = AT(scan_not_active_broker_interval_ms),
     .default_text = "5000",
     .min = 10,
     .max = 600000,
     .unit = "ms",
     .help = "Silent brokers are looked for at most once in this time."},
    {.name = "supportActingMaster",
     .kind = BL_OPTION_BOOL,
     .offset = AT(support_acting_master),
     .default_text = "false",
     .help =
         "Without a master, the slave with the smallest id is shown in its place, for reading."},
    {.name = "waitSecondsForService",
     .kind = BL_OPTION_I32,
     .offset = AT(wait_seconds_for_service),
     .default_text = "45",
     .min = 0,
     .max = 86400,
     .unit = "s",
     .help = "How long needWaitForService waits."},
};

const struct bl_options bl_namesrv_options = {rows, sizeof(rows) / sizeof(rows[0])};

static bl_err check_key(void *context, int line, struct bl_slice key, struct bl_slice value,
                        struct bl_why *why) {
  (void)line;
  (void)value;
  static const char *const never[] = {"configBlackList", "configStorePath", "kvConfigPath",
                                      "rocketmqHome"};
  bool listed = false;
  for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
    listed |= bl_slice_is(key, never[i]);
  const struct bl_namesrv *ns = context;
  struct bl_slice rest = bl_slice_text(ns->settings->config_black_list);
  while (rest.len > 0) listed |= bl_slice_eq(bl_slice_cut(&rest, ';'), key);
  if (!listed) return BL_OK;
  return bl_why_set(why, BL_ERR_NO_PERMISSION, "Can not update config in black list.");
}

static void pass_over(void *context, int line, struct bl_slice name, const struct bl_why *why) {
  (void)context;
  (void)line;
  (void)name;
  (void)why;
}

bl_err bl_namesrv_update_config(struct bl_namesrv *ns, struct bl_slice text, struct bl_why *why) {
  bl_err err = bl_javaprops_parse(text, check_key, ns, why);
  if (err != BL_OK) return err;
  err = bl_options_set_properties(&bl_namesrv_options, ns->settings, text, BL_OPTION_RUNNING,
                                  pass_over, NULL, why);
  ns->settings_stamp = ++ns->stamp;
  return err;
}

void bl_namesrv_put_config(const struct bl_namesrv *ns, struct bl_buf *out) {
  bl_options_put_properties(&bl_namesrv_options, ns->settings, out);
}
