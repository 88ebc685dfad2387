/* Messages as lines of JSON, with RocketMQ's field names. Pure. */
#ifndef BOLIDE_CLI_JSONLINE_H
#define BOLIDE_CLI_JSONLINE_H

#include "base/buf.h"
#include "base/json.h"
#include "base/slice.h"
#include "client/message.h"
#include "client/producer.h"

/* Appends the message and a new line. A body (or property) that is not UTF-8 is given in base64,
 * the body as bodyBase64. */
void bl_jsonline_message(struct bl_buf *out, struct bl_slice broker_name,
                         const struct bl_message *message);
/* A body as a member of an object: as_base64, or not UTF-8: bodyBase64. */
void bl_jsonline_put_body(struct bl_json_writer *w, struct bl_slice body, bool as_base64);
/* Appends the result of a send and a new line. */
void bl_jsonline_sent(struct bl_buf *out, const struct bl_send_result *result);

/* Whether the bytes are UTF-8: shortest forms, no surrogates, at most U+10FFFF. */
bool bl_jsonline_is_utf8(struct bl_slice bytes);

#endif
