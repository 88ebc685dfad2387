#include "wire/properties.h"
#include "broker/broker.h"
#include "broker/send/send_internal.h"

/* Properties that the broker acts on; the others are copied as they are. */
enum special {
  PLAIN,
  DROPPED,
  UNIQ,
  KEYS,
  WAIT,
  DELAY,
  TRANSACTION,
  LIGHT,
  LITE,
  INNER,
  TTL,
  EXPIRES
};
static const struct {
  const char *name;
  enum special special;
} SPECIALS[] = {
    {"UNIQ_KEY", UNIQ},
    {"KEYS", KEYS},
    {"WAIT", WAIT},
    {"DELAY", DELAY},
    {"TIMER_DELAY_SEC", DELAY},
    {"TIMER_DELAY_MS", DELAY},
    {"TIMER_DELIVER_MS", DELAY},
    {"TIMER_OUT_MS", DELAY},
    {"TIMER_DEL_UNIQKEY", DELAY},
    {"REAL_TOPIC", DELAY},
    {"REAL_QID", DELAY},
    {BL_PENDING_MARK, DROPPED},
    {BL_PENDING_DUE, DROPPED},
    {"TRAN_MSG", TRANSACTION},
    {"TRAN_PREPARED_QUEUE_OFFSET", DROPPED}, /* it would end the half message that it names */
    {"TRANSACTION_CHECK_TIMES", DROPPED},
    {"CLUSTER", DROPPED},
    {"MSG_REGION", DROPPED},
    {"TRACE_ON", DROPPED},
    {"POP_CK", DROPPED},
    {"INNER_MULTI_DISPATCH", LIGHT},
    {"INNER_MULTI_QUEUE_OFFSET", DROPPED},
    {"INNER_NUM", INNER},
    {"INNER_BASE", DROPPED},
    {"__LITE_TOPIC", LITE},
    {"__TTL_MS", TTL},
    {"__EXPIRES_AT", EXPIRES},
    {BL_RECORD_CRC_PROPERTY, DROPPED},
};

static enum special special_of(struct bl_slice name) {
  char first = name.ptr[0];
  /* Most properties are the application's: the first letter rules nearly all of them out. */
  if (strchr("UKWDTCMPIRB_", first) == NULL) return PLAIN;
  for (size_t i = 0; i < sizeof(SPECIALS) / sizeof(SPECIALS[0]); i++) {
    if (bl_slice_is(name, SPECIALS[i].name)) return SPECIALS[i].special;
  }
  return PLAIN;
}

void bl_send__copy_properties(struct bl_buf *out, struct bl_slice properties,
                              struct bl_send_wishes *wishes) {
  struct bl_slice name;
  struct bl_slice value;
  memset(wishes, 0, sizeof(*wishes));
  while (bl_properties_next(&properties, &name, &value)) {
    switch (special_of(name)) {
      case DROPPED: continue;
      case WAIT: wishes->no_wait = bl_slice_is(value, "false"); break;
      case UNIQ: wishes->uniq_key = value; break;
      case KEYS: wishes->keys = value; break;
      case DELAY: bl_delay_take(&wishes->delay, name, value); continue;
      case TRANSACTION: wishes->transaction = bl_slice_bool(value); break;
      case LIGHT: wishes->light_names = value; continue;
      case LITE: wishes->lite_topic = value; break;
      case INNER: wishes->inner = true; continue;
      case TTL: wishes->ttl.own = value; break;
      case EXPIRES: wishes->ttl.expires_at = value; continue;
      case PLAIN: break;
    }
    bl_properties_put(out, name, value);
  }
}

void bl_send__put_broker_properties(struct bl_broker *broker, struct bl_buf *out) {
  bl_properties_put(out, BL_PROP_CLUSTER, bl_slice_text(broker->settings->cluster_name));
  bl_properties_put(out, BL_PROP_MSG_REGION, bl_slice_text(broker->settings->region_id));
  bl_properties_put(out, BL_PROP_TRACE_ON,
                    broker->settings->trace_on ? BL_SLICE("true") : BL_SLICE("false"));
}
