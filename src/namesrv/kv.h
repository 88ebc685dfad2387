/* Named values in namespaces, kept in one file in RocketMQ's format. Thread: core; the file is
 * written on the worker. Source: apache/rocketmq KVConfigManager, KVConfigSerializeWrapper. */
#ifndef BOLIDE_NAMESRV_KV_H
#define BOLIDE_NAMESRV_KV_H

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/slice.h"

struct bl_namesrv;

#define BL_NAMESRV_ORDER_NAMESPACE "ORDER_TOPIC_CONFIG"
#define BL_NAMESRV_KV_BYTES_MAX                                                                    \
  4194304 /* namespaces, keys and values together: each save writes all */

/* The value, or the absent slice. BORROWED until the next change. */
struct bl_slice bl_namesrv_kv_get(const struct bl_namesrv *ns, struct bl_slice space,
                                  struct bl_slice key);
/* Appends {"table":{...}}; false: no such namespace. */
bool bl_namesrv_kv_list(const struct bl_namesrv *ns, struct bl_slice space, struct bl_buf *out);

/* Somebody who waits for a change to be on disk. The owner keeps the struct until done. */
struct bl_namesrv_kv_wait {
  struct bl_list node;
  void (*done)(struct bl_namesrv_kv_wait *wait, bl_err err, const struct bl_why *why);
};
/* The change shows at once; `wait` is done later when it is in the file, or at once, inside this
 * call, when there is no file. HOLDS wait until then, unless an error is returned: BL_ERR_FULL. */
BL_MUST_CHECK bl_err bl_namesrv_kv_put(struct bl_namesrv *ns, struct bl_slice space,
                                       struct bl_slice key, struct bl_slice value,
                                       struct bl_namesrv_kv_wait *wait);
void bl_namesrv_kv_delete(struct bl_namesrv *ns, struct bl_slice space, struct bl_slice key,
                          struct bl_namesrv_kv_wait *wait);

#endif
