/* A change of the table of values is answered when it is on disk. */
#ifndef BOLIDE_REQUESTS_KV_KV_REPLY_H
#define BOLIDE_REQUESTS_KV_KV_REPLY_H

#include "namesrv/kv.h"
#include "remoting/call.h"

/* RETURNS OWNED until its done, which answers the call and frees it. */
struct bl_namesrv_kv_wait *bl_kv_wait_new(const struct bl_call *call);
void bl_kv_wait_free(struct bl_namesrv_kv_wait *wait);

#endif
