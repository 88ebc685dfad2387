/* The message record of the commit log, which is also what a pull answers. Pure.
 * Layout: apache/rocketmq store MessageExtEncoder, CommitLog; reference protocol.md 4.1. */
#ifndef BOLIDE_WIRE_RECORD_H
#define BOLIDE_WIRE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "wire/host.h"

#define BL_RECORD_MAGIC_V1 0xDAA320A7u
#define BL_RECORD_MAGIC_V2 0xDAA320ABu /* topic length in two bytes */
#define BL_RECORD_MAGIC_BLANK 0xCBD43194u
#define BL_RECORD_BLANK_BYTES 8
#define BL_RECORD_PROPERTIES_BYTES_MAX 32767
#define BL_RECORD_TOPIC_V1_BYTES_MAX 127
#define BL_RECORD_CRC_PROPERTY "__CRC32#"
#define BL_RECORD_CRC_BYTES 20 /* name, 0x01, ten digits, 0x02 */

/* sysFlag bits (MessageSysFlag). */
#define BL_SYS_COMPRESSED 0x1
#define BL_SYS_MULTI_TAGS 0x2
#define BL_SYS_PREPARED 0x4
#define BL_SYS_COMMIT 0x8
#define BL_SYS_ROLLBACK 0xC
#define BL_SYS_TRANSACTION_MASK 0xC
#define BL_SYS_BORN_V6 0x10
#define BL_SYS_STORE_V6 0x20
#define BL_SYS_NEED_UNWRAP 0x40
#define BL_SYS_INNER_BATCH 0x80

struct bl_record {
  int32_t queue_id;
  int32_t flag;
  int32_t sys_flag;
  int32_t reconsume_times;
  int64_t queue_offset;
  int64_t log_offset;
  int64_t born_ms;
  int64_t store_ms;
  int64_t prepared_offset;
  struct bl_host born_host;
  struct bl_host store_host;
  struct bl_slice topic;
  struct bl_slice body;
  struct bl_slice properties; /* as stored; on encode without the CRC property */
  uint32_t size_bytes;        /* of the whole record; FILLED by decode and bl_record_size */
  bool with_crc;              /* encode appends the CRC property; decode says it is there */
  const char *start;          /* FILLED by decode: its first byte, BORROWED; else NULL */
};

/* Bytes of the record once encoded; sets the IPv6 bits of sys_flag from the hosts. */
uint32_t bl_record_size(struct bl_record *record);
/* Writes size_bytes (as bl_record_size gave it) to `out`: offsets and times as they are in
 * `record`. */
void bl_record_encode(const struct bl_record *record, char *out);

enum bl_record_check { BL_RECORD_UNCHECKED, BL_RECORD_CHECKED };

/* FILLS a view that BORROWS `bytes`, which may be longer than the record. Structure is always
 * verified (sizes agree, total length equality). CHECKED also verifies the property CRC when there
 * is one, else the body CRC. BL_ERR_SHORT: fewer bytes than the record says; BL_ERR_FORMAT;
 * BL_ERR_CRC; BL_ERR_NOT_FOUND: the blank record that ends a segment (size_bytes = the rest of the
 * segment). */
BL_MUST_CHECK bl_err bl_record_decode(struct bl_slice bytes, enum bl_record_check check,
                                      struct bl_record *out_record);

/* Whether these bytes are the whole record that was written at that log offset: as decode with
 * CHECKED, and faster. */
bool bl_record_is_sound(struct bl_slice bytes, int64_t log_offset);

/* The tags code of a record: Java hash of the TAGS property sign-extended, 0 without tags. */
int64_t bl_record_tags_code(const struct bl_record *record);

#endif
