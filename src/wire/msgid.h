/* Message ids: hex of a host and a commit log offset (offsetMsgId); unique keys. Pure.
 * Source: apache/rocketmq common MessageDecoder#createMessageId, MessageClientIDSetter. */
#ifndef BOLIDE_WIRE_MSGID_H
#define BOLIDE_WIRE_MSGID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "wire/host.h"

#define BL_MSGID_TEXT_MAX 57

/* Upper-case hex, 32 or 56 characters, NUL behind. RETURNS the length. */
size_t bl_msgid_text(const struct bl_host *host, int64_t log_offset,
                     char out_text[BL_MSGID_TEXT_MAX]);
bool bl_msgid_parse(struct bl_slice text, struct bl_host *out_host, int64_t *out_log_offset);

/* What makes unique keys of one process distinct. */
struct bl_uniqkey {
  uint8_t addr[4];
  uint16_t pid;
  uint32_t salt;
  uint16_t counter;
  int64_t month_start_ms;
  int64_t next_month_ms;
};
void bl_uniqkey_init(struct bl_uniqkey *keys, const uint8_t addr[4], uint16_t pid, uint32_t salt);
/* 32 characters, NUL behind. now_ms: wall clock. */
void bl_uniqkey_next(struct bl_uniqkey *keys, int64_t now_ms, char out_text[33]);

#endif
