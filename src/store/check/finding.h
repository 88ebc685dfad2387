/* What a look at a store finds, in a form for people and for programs. */
#ifndef BOLIDE_STORE_CHECK_FINDING_H
#define BOLIDE_STORE_CHECK_FINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum bl_finding_level {
  BL_FINDING_NOTE,   /* worth knowing; nothing is wrong */
  BL_FINDING_DAMAGE, /* bytes are not what was written, or are missing */
};

struct bl_finding {
  enum bl_finding_level level;
  const char *kind;        /* one word: record, lost, fill, tail, order, file, ... */
  const char *file;        /* below the store; NULL: none */
  int64_t file_offset;     /* -1: the whole file */
  int64_t bytes;           /* -1: not known */
  int64_t log_offset;      /* -1: none */
  struct bl_slice topic;   /* absent: none */
  int32_t queue_id;        /* with a topic; -1: not known */
  int64_t queue_offset;    /* -1: none */
  int64_t queue_offset_to; /* one after the last, of a range; -1: only that one */
  const char *message_id;  /* offsetMsgId; NULL: none */
  struct bl_slice unique_key;
  bool guessed;     /* topic, queue and ids were read from damaged bytes */
  const char *what; /* what is wrong and what it means */
  const char *next; /* what to do; NULL: nothing */
};

/* All fields that say "none". */
static inline struct bl_finding bl_finding_of(enum bl_finding_level level, const char *kind,
                                              const char *file, const char *what,
                                              const char *next) {
  return (struct bl_finding){.level = level,
                             .kind = kind,
                             .file = file,
                             .file_offset = -1,
                             .bytes = -1,
                             .log_offset = -1,
                             .queue_id = -1,
                             .queue_offset = -1,
                             .queue_offset_to = -1,
                             .what = what,
                             .next = next};
}

#endif
