/* The topic table. What a topic is: queues, permissions, attributes. Thread: core.
 * JSON: apache/rocketmq TopicConfig, TopicConfigSerializeWrapper; reference protocol.md 2.7, 4.9.
 */
#ifndef BOLIDE_BROKER_TOPIC_TOPICS_H
#define BOLIDE_BROKER_TOPIC_TOPICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/list.h"
#include "broker/table.h"
#include "os/clock.h"

#define BL_PERM_INHERIT 1
#define BL_PERM_WRITE 2
#define BL_PERM_READ 4
#define BL_TOPIC_BYTES_MAX 127
#define BL_TOPIC_SPECIAL_BYTES_MAX 255 /* retry and dead letter topics */
#define BL_TOPIC_QUEUES_MAX 65536
#define BL_RETRY_PREFIX BL_SLICE("%RETRY%")
#define BL_DLQ_PREFIX BL_SLICE("%DLQ%")
#define BL_LMQ_PREFIX BL_SLICE("%LMQ%")

struct bl_queue;
struct bl_series;

/* What the attributes retention.ms and retention.bytes say. */
struct bl_topic_retention {
  bool timed;    /* retention.ms is set: `ms` counts, not the time of the whole log */
  int64_t ms;    /* -1: without limit */
  int64_t bytes; /* of all queues together; -1: without limit */
};

/* What the attributes dedup.window, message.ttl, ttl.property and ttl.topic say; ours. */
struct bl_topic_features {
  int64_t dedup_ms;          /* a retried send within it stores nothing; 0: none */
  int64_t ttl_ms;            /* messages without one of their own; 0: none */
  bool ttl_own;              /* messages with one of their own came (property __TTL_MS) */
  struct bl_slice ttl_topic; /* in `attributes`; absent: what expired is only passed over */
};
#define BL_DEDUP_WINDOW_MS_MIN 1000ll
#define BL_DEDUP_WINDOW_MS_MAX (30 * 86400000ll)
#define BL_TTL_MS_MAX (3650 * 86400000ll)

/* What src/broker/retention knows of a queue whose topic has a limit in bytes or time. */
struct bl_kept_queue {
  int64_t first;    /* queue offset of its first message when first_ms was read; -1: not read */
  int64_t first_ms; /* store time of that message */
  int64_t from;     /* [from, to): messages whose bytes are counted */
  int64_t to;
  int64_t bytes;
};

struct bl_topic {
  struct bl_slice name; /* HELD; NUL behind */
  int32_t read_queues;
  int32_t write_queues;
  int32_t perm;
  int32_t sys_flag;
  bool order;
  bool multi_tag;
  bool batch_cq;              /* from the attributes: queue.type=BatchCQ, batches stay one record */
  struct bl_slice attributes; /* HELD: a JSON object, "{}" at least */
  struct bl_topic_retention retention; /* from the attributes */
  struct bl_topic_features features;   /* from the attributes */
  struct bl_list deduped;              /* of bl_topics, while there is a dedup.window */
  struct bl_list expiring;             /* of bl_topics, while its messages may expire */
  struct bl_list moving;               /* of bl_topics, while there is a ttl.topic */
  struct bl_list retained;    /* of bl_topics, while the attributes have a retention of their own */
  struct bl_kept_queue *kept; /* by queue id; made when they are looked at */
  int32_t kept_count;
  int64_t kept_bytes;       /* of the messages that are counted in `kept` */
  struct bl_queue **queues; /* queues looked up so far, by id; `queue_slots` of them */
  int32_t queue_slots;
  struct bl_series *series; /* HELD; NULL: nobody sent to it lately */
  int64_t put_count;        /* messages since start */
  int64_t put_bytes;
};

/* What may be changed of a topic. */
struct bl_topic_change {
  struct bl_slice name;
  int32_t read_queues;
  int32_t write_queues;
  int32_t perm;
  int32_t sys_flag;
  bool order;
  bool multi_tag;
  struct bl_slice attributes; /* JSON object; absent: keep */
};

struct bl_light_topic;

struct bl_topics {
  struct bl_table table;        /* name -> struct bl_topic */
  struct bl_light_topic *light; /* NULL: light queues are not served */
  const struct bl_clock *clock;
  int64_t limit;           /* topics at most */
  struct bl_list retained; /* struct bl_topic: those with a retention of their own */
  struct bl_list deduped;  /* struct bl_topic: those with a dedup.window */
  struct bl_list expiring; /* struct bl_topic: those whose messages may expire */
  struct bl_list moving;   /* struct bl_topic: those with a ttl.topic */
};

void bl_topics_init(struct bl_topics *topics, const struct bl_clock *clock);
void bl_topics_fini(struct bl_topics *topics);

/* Names of light queues (store/entry.h) are topics with one queue from now on, which are not in the
 * table. Source: apache/rocketmq LmqTopicConfigManager. */
void bl_topics_serve_light(struct bl_topics *topics);

/* NULL when there is none. BORROWS until the topic is removed; what stands for a light queue only
 * until the next look for one. */
struct bl_topic *bl_topics_find(const struct bl_topics *topics, struct bl_slice name);
/* Makes or changes it; the version moves on when something differs. *out_changed says so. A light
 * queue stays what it is.
 * BL_ERR_FULL: the limit. */
BL_MUST_CHECK bl_err bl_topics_put(struct bl_topics *topics, const struct bl_topic_change *change,
                                   struct bl_topic **out_topic, bool *out_changed);
/* false: there was none. */
bool bl_topics_remove(struct bl_topics *topics, struct bl_slice name);

/* The checks of TopicValidator, in RocketMQ's words: BL_ERR_PARAMETER. */
BL_MUST_CHECK bl_err bl_topic_name_check(struct bl_slice name, struct bl_why *why);
bool bl_topic_is_system(struct bl_slice name);
bool bl_topic_is_send_forbidden(struct bl_slice name);
/* What bl_topics_find gives for a light queue. */
bool bl_topic_is_light(const struct bl_topics *topics, const struct bl_topic *topic);
static inline bool bl_topic_is_retry(struct bl_slice name) {
  return bl_slice_starts(name, BL_RETRY_PREFIX);
}
static inline bool bl_topic_is_dlq(struct bl_slice name) {
  return bl_slice_starts(name, BL_DLQ_PREFIX);
}
/* Letters, digits, %, |, _ and - only. */
bool bl_name_is_valid(struct bl_slice name);

/* Applies "+key=value,-key" to the JSON object `attributes` and FILLS out with the result.
 * BL_ERR_PARAMETER with RocketMQ's words for unknown keys and bad values. */
BL_MUST_CHECK bl_err bl_topic_attributes_change(struct bl_slice attributes, struct bl_slice changes,
                                                struct bl_arena *arena, struct bl_slice *out,
                                                struct bl_why *why);

/* attributes: with a NUL behind. */
struct bl_topic_retention bl_topic_retention_of(struct bl_slice attributes);

/* attributes: with a NUL behind; BORROWED by the result. What is no good value counts as not there.
 */
struct bl_topic_features bl_topic_features_of(struct bl_slice attributes);
/* Whether messages of the topic may expire. */
static inline bool bl_topic_expires(const struct bl_topic *topic) {
  return topic->features.ttl_ms > 0 || topic->features.ttl_own;
}
/* "500ms", "10s", "10m", "2h", "7d". false: not that, or more than 64 bits. */
bool bl_duration_parse(struct bl_slice text, int64_t *out_ms);
/* Whether the value is good for an attribute of ours; *out_is_ours false: it is another's.
 * BL_ERR_PARAMETER with what is allowed. */
BL_MUST_CHECK bl_err bl_topic_feature_check(struct bl_slice name, struct bl_slice value,
                                            bool *out_is_ours, struct bl_why *why);

/* Whether they say queue.type=BatchCQ; with a NUL behind. Source: QueueTypeUtils#isBatchCq. */
bool bl_topic_is_batch_cq(struct bl_slice attributes);

/* TopicConfig JSON. */
void bl_topic_write(struct bl_json_writer *w, const struct bl_topic *topic);
/* FILLS a change whose texts are in the arena or BORROW json. BL_ERR_FORMAT. */
BL_MUST_CHECK bl_err bl_topic_read(const struct bl_json *json, struct bl_slice name,
                                   struct bl_arena *arena, struct bl_topic_change *out_change);
/* "RWX"-like text of a permission: "RW-". */
const char *bl_perm_text(int32_t perm);
/* The table as Java prints one topic: "TopicConfig [topicName=...". */
struct bl_slice bl_topic_text(const struct bl_topic *topic, struct bl_arena *arena);

/* Doors for the metadata (bl_meta_table). context: struct bl_topics. */
void bl_topics_apply(void *context, struct bl_slice name, const struct bl_json *json,
                     int64_t log_offset);
bl_err bl_topics_replace(void *context, const struct bl_json *root, struct bl_why *why);
bool bl_topics_write_step(void *context, struct bl_buf *out, void **progress);

#endif
