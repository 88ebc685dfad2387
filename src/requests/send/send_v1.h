/* The header with long names, which 10 and 324 share. */
#ifndef BOLIDE_REQUESTS_SEND_SEND_V1_H
#define BOLIDE_REQUESTS_SEND_SEND_V1_H

#include "broker/send/send.h"
#include "wire/headers.h"

static inline struct bl_send bl_send_from_v1(const struct bl_send_message_header *h) {
  return (struct bl_send){.producer_group = h->producer_group,
                          .topic = h->topic,
                          .default_topic = h->default_topic,
                          .default_queues = h->default_queues,
                          .queue_id = h->queue_id,
                          .sys_flag = h->sys_flag,
                          .born_ms = h->born_ms,
                          .flag = h->flag,
                          .properties = h->properties,
                          .reconsume_times = h->reconsume_times,
                          .max_reconsume_times = BL_HAS(h, send_message, max_reconsume_times)
                                                     ? h->max_reconsume_times
                                                     : -1,
                          .unit_mode = h->unit_mode,
                          .batch = h->batch};
}

#endif
