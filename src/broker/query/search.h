/* Messages by key: candidates from the key index (a hash), decided by their records. Thread: core.
 * Source: apache/rocketmq DefaultMessageStore#queryMessage, IndexService. */
#ifndef BOLIDE_BROKER_QUERY_SEARCH_H
#define BOLIDE_BROKER_QUERY_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/timer.h"
#include "broker/query/read.h"
#include "store/keys/keys.h"

#define BL_MESSAGE_SEARCH_MAX 256
/* Answers stay well below the largest frame. */
#define BL_MESSAGE_SEARCH_BYTES_MAX (12 << 20)

struct bl_broker;

struct bl_message_search {
  struct bl_broker *broker;
  struct bl_keys_search keys;
  struct bl_query_warm warm;
  struct bl_timer timer;   /* the next step of a long one */
  struct bl_arena arena;   /* texts and what was found */
  struct bl_arena scratch; /* the record being looked at */
  struct bl_slice topic;   /* in the arena */
  struct bl_slice key;
  int64_t begin_ms;
  int64_t end_ms;
  uint32_t max;
  uint32_t next; /* candidate */
  int rounds;
  bool past; /* a candidate was stored before begin_ms: so were all that follow */
  int tries;
  int64_t bytes;
  struct bl_slice
      found[BL_MESSAGE_SEARCH_MAX]; /* FILLED: whole records, newest first; in the arena */
  uint32_t found_count;
  int64_t newest_offset; /* FILLED: of the newest message found, and when it was stored */
  int64_t newest_ms;
  bl_err err;
  void (*done)(struct bl_message_search *search);
};

/* Finds messages of the topic that carry the key (a word of KEYS, or UNIQ_KEY) and were stored in
 * [begin_ms, end_ms]. Copies the texts. HOLDS the search until done, which comes later, never from
 * inside. */
void bl_message_search_start(struct bl_message_search *search, struct bl_broker *broker,
                             struct bl_slice topic, struct bl_slice key, int64_t begin_ms,
                             int64_t end_ms, int32_t max,
                             void (*done)(struct bl_message_search *search));
void bl_message_search_fini(struct bl_message_search *search);

/* Whether the record carries the key. */
bool bl_record_has_key(const struct bl_record *record, struct bl_slice topic, struct bl_slice key);

#endif
