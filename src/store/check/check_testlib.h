/* A small store with everything in it that a server leaves, on a fake disk: for the tests of what
 * looks at stores and repairs them. */
#ifndef BOLIDE_STORE_CHECK_CHECK_TESTLIB_H
#define BOLIDE_STORE_CHECK_CHECK_TESTLIB_H

#include "os/fake/disk_fake.h"
#include "store/check/verify.h"
#include "store/dedup/dedup.h"
#include "store/expiry/expiry.h"
#include "store/keys/keys_internal.h"
#include "store/meta/meta.h"
#include "store/queues/queues.h"
#include "store/store.h"

#define CT_DIR "/s"
#define CT_SEGMENT_BYTES 8192

struct ct {
  struct bl_disk_fake *fake;
  struct bl_disk *disk;
  struct bl_clock_fake clock;
  struct bl_timers timers;
  struct bl_worker *worker;
  struct bl_store_settings settings;
  struct bl_queues *queues;
  struct bl_keys *keys;
  struct bl_meta *meta;
  struct bl_dedup *dedup;
  struct bl_expiry *expiry;
  struct bl_list active; /* topics with a key window, and with a topic for what expired */
  struct bl_list topic;
  struct bl_follower *followers[5];
  struct bl_store *store;
  bool expires; /* what is sent has an end */
  int64_t sent;
  int64_t ends[256]; /* log offset behind each message */
  char note[512];    /* what the store said last */
  /* What the last look found. */
  struct bl_verify_totals totals;
  char first_file[128]; /* of the first damage */
  int64_t first_offset; /* in the file; -1 */
  int64_t first_bytes;
  char first_topic[64];
  int64_t first_queue_offset;
  char first_id[64];
  char kinds[256]; /* of all damage, a blank behind each */
};

void ct_init(struct ct *ct);
void ct_fini(struct ct *ct);
void ct_open(struct ct *ct);
void ct_close(struct ct *ct);
/* Message number ct->sent of topic "Small", queue number % 2. */
void ct_send(struct ct *ct, size_t body_bytes);
/* A store of `count` messages, closed, with snapshots, index chunks, key runs, config/. */
void ct_fill(struct ct *ct, int count);
/* Looks through it. RETURNS the number of damages. */
int64_t ct_verify(struct ct *ct);
/* Bytes of a file behind everybody's back. name: below the store. */
void ct_read(struct ct *ct, const char *name, int64_t offset, void *to, size_t len);
void ct_write(struct ct *ct, const char *name, int64_t offset, const void *from, size_t len);
void ct_flip(struct ct *ct, const char *name, int64_t bit);
int64_t ct_size(struct ct *ct, const char *name);

#endif
