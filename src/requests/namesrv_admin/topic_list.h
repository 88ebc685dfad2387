/* Lists of topic names differ by what passes. */
#ifndef BOLIDE_REQUESTS_NAMESRV_ADMIN_TOPIC_LIST_H
#define BOLIDE_REQUESTS_NAMESRV_ADMIN_TOPIC_LIST_H

#include "namesrv/cluster_json.h"
#include "remoting/call.h"

/* Writes the list in steps and answers; `enabled` false: answers 1 "disable". */
enum bl_outcome bl_topic_list(struct bl_call *call, bool enabled,
                              enum bl_namesrv_topic_filter filter, struct bl_slice cluster);

#endif
