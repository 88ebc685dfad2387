/* What happened to a broker under test, as records in a file, and the judge of it.
 *
 * Whoever runs a test writes down what was sent, answered, delivered, committed and owned, with
 * times of one clock; the judge decides from that alone whether the broker kept its word. It knows
 * no protocol. Queues, groups, clients and messages are numbers that the writer chose; messages
 * are numbered from 0 without gaps that are larger than the file.
 *
 * The file: struct bl_hist_head, then struct bl_hist_record, little endian. Per group, records of
 * the kinds DELIVER, OWN and LEAVE stand in the order of their times; the others anywhere.
 * tests/lib/bolide_test/history.py writes the same from Python. */
#ifndef BOLIDE_TESTS_HISTORY_H
#define BOLIDE_TESTS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BL_HIST_MAGIC "BLHIST1\n"
#define BL_HIST_GROUPS_MAX 64
#define BL_HIST_NEVER_US INT64_MAX /* the end of what had no answer */

enum bl_hist_kind {
  BL_HIST_SEND = 1,    /* message to queue, by client; begin: sent, end: answered; offset if ACKED;
                        * key: not 0: it was sent after the answer to the one before of that key; due:
                        * not to be delivered before, 0: at once */
  BL_HIST_DELIVER = 2, /* of group to client, from queue at offset; begin: when */
  BL_HIST_COMMIT = 3,  /* of group by client: queue up to offset; begin: sent, end: answered */
  BL_HIST_OWN = 4, /* client of group reads queue from end on; begin: asked where, offset: what the
                    * broker said, -1: it knew none */
  BL_HIST_LEAVE = 5, /* client of group reads queue no longer from begin on */
  BL_HIST_GROUP = 6, /* what is promised to the group: result: flags below; queue, key: its first
                      * queue and how many; begin, end: when each should have an owner; due: for how
                      * long it may have none at most */
};
enum bl_hist_result { BL_HIST_ACKED = 0, BL_HIST_UNKNOWN = 1, BL_HIST_REFUSED = 2 };
enum bl_hist_left { BL_HIST_HANDED_BACK = 0, BL_HIST_CLOSED = 1, BL_HIST_SILENT = 2 };
enum bl_hist_flags {
  BL_HIST_ORDERED = 1, /* one owner of a queue at a time, messages in the order of their offsets */
  BL_HIST_DRAINED = 2, /* at the end it had time to get everything */
  BL_HIST_FORGETS = 4, /* commits that were answered may be lost (a broker that is killed) */
  BL_HIST_UNOWNED = 8, /* there are no OWN and LEAVE: deliveries only */
};

struct bl_hist_head {
  char magic[8];
  uint32_t record_bytes;
  uint32_t zero;
};

struct bl_hist_record {
  uint8_t kind;
  uint8_t result;
  uint16_t group;
  uint32_t client;
  uint64_t message;
  uint32_t queue;
  uint32_t key;
  int64_t offset;
  int64_t begin_us;
  int64_t end_us;
  int64_t due_us;
};
_Static_assert(sizeof(struct bl_hist_record) == 56, "records have no gaps");

/* What can be wrong. */
enum bl_hist_wrong {
  BL_HIST_LOST,       /* acked, never delivered */
  BL_HIST_UNSENT,     /* delivered, never sent, or refused */
  BL_HIST_EARLY,      /* delivered before it was sent or due */
  BL_HIST_TWICE,      /* an offset with two messages */
  BL_HIST_MOVED,      /* a message at another place than its ack said */
  BL_HIST_AGAIN,      /* delivered twice within one ownership */
  BL_HIST_START,      /* an owner began where no commit explains it */
  BL_HIST_ORDER,      /* a message for the first time after a later one; or backwards */
  BL_HIST_KEY_ORDER,  /* messages of one key, sent one after the other, stored otherwise */
  BL_HIST_TWO_OWNERS, /* of a queue of an ordered group */
  BL_HIST_STRAY,      /* a delivery to who does not own the queue */
  BL_HIST_NO_OWNER,   /* for longer than allowed */
  BL_HIST_WRONGS,
};
const char *bl_hist_wrong_name(enum bl_hist_wrong wrong);

struct bl_hist_group_report {
  bool told; /* there is a GROUP record */
  uint64_t delivered, again, committed, owned;
  int64_t longest_unowned_us;
  uint32_t longest_unowned_queue;
  int64_t longest_shared_us; /* by two owners */
};

struct bl_hist_report {
  uint64_t records, sent, acked, unknown, refused;
  uint64_t wrongs[BL_HIST_WRONGS];
  struct bl_hist_group_report groups[BL_HIST_GROUPS_MAX];
};

/* FILLS the report; each finding is one line for `say` (the first of each kind, at most
 * says_each). NULL, or a sentence: the file is no history. */
const char *bl_hist_judge(const char *path, uint32_t says_each, void (*say)(const char *line),
                          struct bl_hist_report *out_report);

/* Writes a history. Thread: one. */
struct bl_hist_writer;
/* NULL: the file cannot be made. */
struct bl_hist_writer *bl_hist_open(const char *path);
void bl_hist_put(struct bl_hist_writer *writer, const struct bl_hist_record *record);
/* false: not everything was written. */
bool bl_hist_close(struct bl_hist_writer *writer);

#endif
