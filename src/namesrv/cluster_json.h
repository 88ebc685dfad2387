/* Lists of brokers and topics as JSON bodies. Long ones are written in steps. Thread: core.
 * Source: apache/rocketmq ClusterInfo, TopicList, GetBrokerMemberGroupResponseBody. */
#ifndef BOLIDE_NAMESRV_CLUSTER_JSON_H
#define BOLIDE_NAMESRV_CLUSTER_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/slice.h"
#include "namesrv/routes.h"

/* Appends ClusterInfo, about `brokers` brokers per call; walk: zeroed at first. RETURNS true when
 * done. */
struct bl_namesrv_cluster_walk {
  struct bl_json_writer writer;
  size_t cursor;
  int phase;
};
bool bl_namesrv_cluster_step(struct bl_namesrv *ns, const struct bl_namesrv_asker *asker,
                             struct bl_namesrv_cluster_walk *walk, size_t brokers,
                             struct bl_buf *out);

enum bl_namesrv_topic_filter {
  BL_NAMESRV_TOPICS_ALL,
  BL_NAMESRV_TOPICS_OF_CLUSTER,
  BL_NAMESRV_TOPICS_UNIT,            /* TopicSysFlag: of a unit */
  BL_NAMESRV_TOPICS_UNIT_SUB,        /* subscribed to by a unit */
  BL_NAMESRV_TOPICS_UNIT_SUB_UNUNIT, /* that, and not of a unit */
};
/* Appends a TopicList, `topics` topics looked at per call; walk: zeroed at first. cluster: for
 * OF_CLUSTER only. RETURNS true when done. */
struct bl_namesrv_topic_walk {
  struct bl_json_writer writer;
  size_t cursor;
  bool begun;
};
bool bl_namesrv_topics_step(struct bl_namesrv *ns, enum bl_namesrv_topic_filter filter,
                            struct bl_slice cluster, struct bl_namesrv_topic_walk *walk,
                            size_t topics, struct bl_buf *out);

/* Appends a TopicList of the names that brokers take for topics: clusters and brokers, and one
 * broker's address. */
void bl_namesrv_system_topics(struct bl_namesrv *ns, const struct bl_namesrv_asker *asker,
                              struct bl_buf *out);
/* Appends the addresses of one broker set. */
void bl_namesrv_members(struct bl_namesrv *ns, const struct bl_namesrv_asker *asker,
                        struct bl_slice cluster, struct bl_slice broker_name, struct bl_buf *out);

#endif
