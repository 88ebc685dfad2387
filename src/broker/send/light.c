#include "broker/send/light.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "store/entry.h"

#define OFFSET_BYTES_MAX 20 /* digits, comma */
/* What the delivery of a delayed message adds besides (broker/delay). */
#define LATER_BYTES 192

bl_err bl_light_open(struct bl_broker *broker, struct bl_slice name, struct bl_queue **out_queue) {
  const struct bl_broker_settings *settings = broker->settings;
  *out_queue = bl_queues_find(broker->queues, name, BL_LIGHT_QUEUE_ID);
  if (*out_queue != NULL) return BL_OK;
  int32_t limit = settings->lmq_quota_enable ? settings->lmq_queues_max : BL_LIGHT_QUEUES_MAX;
  if (bl_queues_light_count(broker->queues) >= (uint32_t)limit) {
    broker->sends.light_refused++;
    return BL_ERR_LMQ_FULL;
  }
  return bl_queues_open_queue(broker->queues, name, BL_LIGHT_QUEUE_ID, out_queue);
}

/* Names behind one another. A list that a Java broker could not dispatch (of light queues and
 * others) would stop it when it gets the store. */
static bl_err check_names(struct bl_slice names, uint32_t *out_count, struct bl_why *why) {
  uint32_t count = 0;
  uint32_t light = 0;
  for (struct bl_slice rest = names; rest.len > 0;) {
    struct bl_slice name = bl_slice_cut(&rest, ',');
    int shown = (int)(name.len < 200 ? name.len : 200);
    count++;
    if (!bl_slice_starts(name, BL_LIGHT_PREFIX)) continue;
    if (!bl_light_is_name(name)) {
      return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                        "INNER_MULTI_DISPATCH names the light queue %.*s, which cannot be: at most "
                        "%d bytes, no slash",
                        shown, name.ptr, BL_LIGHT_NAME_BYTES_MAX);
    }
    light++;
  }
  if (light > 0 && light < count) {
    return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                      "INNER_MULTI_DISPATCH names light queues (%%LMQ%%...) and something else");
  }
  if (light > BL_LIGHT_PER_MESSAGE_MAX) {
    return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                      "INNER_MULTI_DISPATCH names %u light queues; at most %d", light,
                      BL_LIGHT_PER_MESSAGE_MAX);
  }
  *out_count = light;
  return BL_OK;
}

static void room_for_queues(struct bl_sends *sends, uint32_t count) {
  if (count <= sends->light_cap) return;
  sends->light = realloc(sends->light, count * sizeof(struct bl_light_take));
  BL_ASSERT(sends->light != NULL);
  sends->light_cap = count;
}

/* Whether records of that topic may go to the queues of the list, without the empty end as Java
 * splits. */
static bool is_wanted(const struct bl_broker *broker, struct bl_slice topic,
                      struct bl_slice *names) {
  while (names->len > 0 && names->ptr[names->len - 1] == ',') names->len--;
  return names->len > 0 && broker->settings->lmq_enable &&
         broker->settings->multi_dispatch_enable && bl_light_is_allowed(topic);
}

bl_err bl_light_prepare_later(struct bl_broker *broker, struct bl_slice topic,
                              struct bl_slice names, struct bl_buf *properties,
                              struct bl_why *why) {
  uint32_t count = 0;
  if (is_wanted(broker, topic, &names)) {
    bl_err err = check_names(names, &count, why);
    if (err != BL_OK) return err;
  }
  size_t bytes = LATER_BYTES + (count > 0 ? BL_PROP_LIGHT_OFFSETS.len + 2 : 0) +
                 (size_t)count * OFFSET_BYTES_MAX;
  if (properties->max_bytes - properties->len < bytes) properties->failed = true;
  return BL_OK;
}

bl_err bl_light_prepare(struct bl_broker *broker, struct bl_slice topic, struct bl_slice names,
                        struct bl_buf *properties, struct bl_why *why) {
  struct bl_sends *sends = &broker->sends;
  uint32_t count = 0;
  sends->light_count = 0;
  if (!is_wanted(broker, topic, &names)) return BL_OK;
  bl_err err = check_names(names, &count, why);
  if (err != BL_OK || count == 0) return err;
  room_for_queues(sends, count);
  for (uint32_t i = 0; i < count; i++) {
    err = bl_light_open(broker, bl_slice_cut(&names, ','), &sends->light[i].queue);
    if (err == BL_ERR_LMQ_FULL) {
      return bl_why_set(why, err,
                        "[LMQ_CONSUME_QUEUE_NUM_EXCEEDED]lmq consume queue num exceeded.");
    }
    if (err != BL_OK) {
      return bl_why_set(why, err, "the broker has as many topics or queues as it may have");
    }
    sends->light[i].offset = bl_queue_assigned_offset(sends->light[i].queue);
  }
  bl_buf_put_slice(properties, BL_PROP_LIGHT_OFFSETS);
  for (uint32_t i = 0; i < count; i++) {
    bl_buf_put_char(properties, i == 0 ? '\x01' : ',');
    bl_buf_put_i64_text(properties, sends->light[i].offset);
  }
  bl_buf_put_char(properties, '\x02');
  sends->light_count = count;
  return BL_OK;
}

/* Who is named twice has the message once. */
void bl_light_take(struct bl_broker *broker) {
  struct bl_sends *sends = &broker->sends;
  for (uint32_t i = 0; i < sends->light_count; i++) {
    const struct bl_light_take *take = &sends->light[i];
    if (bl_queue_assigned_offset(take->queue) == take->offset) bl_queue_assign(take->queue, 1);
  }
  sends->light_count = 0;
}

/* Horspool's search: nearly always a byte in twenty is looked at. */
bool bl_light_has_offsets(struct bl_slice properties) {
  static const char needle[] = "\x02INNER_MULTI_QUEUE_OFFSET\x01";
  const size_t len = sizeof(needle) - 2; /* without the 0x02, which the first pair has not */
  static uint8_t skips[256];
  if (skips[0] == 0) {
    memset(skips, (int)len, sizeof(skips));
    for (size_t i = 0; i + 1 < len; i++)
      skips[(unsigned char)needle[i + 1]] = (uint8_t)(len - 1 - i);
  }
  for (size_t end = len; end <= properties.len;) {
    const char *at = properties.ptr + end - len;
    if (memcmp(at, needle + 1, len) == 0 && (end == len || at[-1] == needle[0])) return true;
    end += skips[(unsigned char)at[len - 1]];
  }
  return false;
}

void bl_light_put_lite_name(struct bl_buf *out, struct bl_slice topic, struct bl_slice lite_topic) {
  bl_buf_put_slice(out, BL_LIGHT_PREFIX);
  bl_buf_put_char(out, '$');
  bl_buf_put_slice(out, topic);
  bl_buf_put_char(out, '$');
  bl_buf_put_slice(out, lite_topic);
}
