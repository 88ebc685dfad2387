/* What every answer to a send says of the broker. */
#ifndef BOLIDE_REQUESTS_SEND_ORIGIN_H
#define BOLIDE_REQUESTS_SEND_ORIGIN_H

#include "base/err.h"
#include "remoting/call.h"

struct bl_broker_settings;
struct bl_send_reply_header;

/* FILLS region and trace switch; the texts BORROW the settings. */
void bl_send_set_origin(const struct bl_broker_settings *settings,
                        struct bl_send_reply_header *header);
/* Answers with the error and those two; counts a failed send. RETURNS BL_DONE. */
enum bl_outcome bl_send_refuse(struct bl_call *call, bl_err err, const struct bl_why *why);

#endif
