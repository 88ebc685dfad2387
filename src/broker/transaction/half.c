#include "broker/delay/delay.h"
#include "broker/transaction/transaction.h"
#include "wire/properties.h"

static void put_if(struct bl_buf *properties, struct bl_slice name, struct bl_slice value) {
  if (value.ptr != NULL) bl_properties_put(properties, name, value);
}

void bl_transaction_make_half(const struct bl_delay_ask *ask, struct bl_slice uniq_key,
                              struct bl_record *record, struct bl_buf *properties) {
  put_if(properties, BL_PROP_DELAY, ask->level);
  put_if(properties, BL_PROP_TIMER_DELAY_SEC, ask->delay_sec);
  put_if(properties, BL_PROP_TIMER_DELAY_MS, ask->delay_ms);
  put_if(properties, BL_PROP_TIMER_DELIVER_MS, ask->deliver_ms);
  if (uniq_key.len > 0) bl_properties_put(properties, BL_PROP_TRAN_ID, uniq_key);
  bl_properties_put(properties, BL_PROP_REAL_TOPIC, record->topic);
  bl_properties_put_i64(properties, BL_PROP_REAL_QUEUE, record->queue_id);
  record->topic = BL_SLICE(BL_HALF_TOPIC);
  record->queue_id = BL_HALF_QUEUE_ID;
}
