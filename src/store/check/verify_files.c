/* bolide's small files, and config/ against the checksums in bolide/meta.covered. The formats are
 * in docs/on-disk.md and beside the code that writes them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32.h"
#include "base/json.h"
#include "store/check/verify_internal.h"
#include "store/halves/halves.h"

#define GENERATIONS_MAX 64

/* What bolide/meta.covered names: a table's file of that size and checksum is one that we wrote. */
struct covered {
  struct {
    char table[32];
    int64_t size_bytes;
    int64_t crc;
  } items[GENERATIONS_MAX];
  int count;
  bool found;
};

static void damaged(struct bl_verify *verify, const char *file, int64_t offset, const char *what,
                    const char *next) {
  bl_verify__tell_file(verify, BL_FINDING_DAMAGE, file, offset, -1, what, next);
}

static void count_file(struct bl_verify *verify, struct bl_slice bytes, bool checked) {
  verify->totals->files++;
  verify->totals->file_bytes += (int64_t)bytes.len;
  if (!checked) verify->totals->unchecked_bytes += (int64_t)bytes.len;
}

/* "KEYWORD NUMBER\n" exactly, and the number is the CRC of all before. */
static bool ends_in_crc(struct bl_slice bytes, const char *keyword) {
  char line[64];
  int len = snprintf(line, sizeof(line), "%s%" PRIu32 "\n", keyword, (uint32_t)0);
  for (size_t digits = 1; digits <= 10; digits++) {
    size_t line_len = (size_t)len - 1 + digits;
    if (bytes.len < line_len) return false;
    size_t before = bytes.len - line_len;
    snprintf(line, sizeof(line), "%s%" PRIu32 "\n", keyword, bl_crc32(0, bytes.ptr, before));
    if (strlen(line) == line_len && memcmp(bytes.ptr + before, line, line_len) == 0) return true;
  }
  return false;
}

static void check_identity(struct bl_verify *verify) {
  static const char name[] = "bolide/identity";
  static const char next[] =
      "restore it from a copy, or remove it and give brokerName at the start";
  struct bl_slice head = BL_SLICE("bolide identity 1\nbrokerName=");
  struct bl_slice bytes;
  if (bl_verify__read(verify, name, &bytes) != BL_OK) return;
  bool checked = ends_in_crc(bytes, "checksum=");
  count_file(verify, bytes, checked);
  if (!bl_slice_starts(bytes, head)) {
    damaged(verify, name, 0, "it does not begin as an identity file of version 1", next);
    return;
  }
  if (checked) return;
  struct bl_slice rest = bl_slice_from(bytes, head.len);
  struct bl_slice broker = bl_slice_cut(&rest, '\n');
  bool plain = rest.ptr != NULL && rest.len == 0 && broker.len > 0;
  for (size_t i = 0; plain && i < broker.len; i++) plain = broker.ptr[i] != '=';
  if (!plain) {
    damaged(verify, name, -1, "its checksum does not match", next);
    return;
  }
  bl_verify__tell_file(verify, BL_FINDING_NOTE, name, -1, (int64_t)bytes.len,
                       "it has no checksum, as bolide before version 0.1 wrote it", NULL);
}

static bool all_zero(struct bl_slice bytes) {
  for (size_t i = 0; bytes.ptr != NULL && i < bytes.len; i++) {
    if (bytes.ptr[i] != 0) return false;
  }
  return true;
}

static struct bl_slice part(struct bl_slice bytes, size_t from, size_t len) {
  struct bl_slice rest = bl_slice_from(bytes, from);
  if (rest.len > len) rest.len = len;
  return rest;
}

/* FILLS the first offset that is wrong; false: none. */
static bool checkpoint_is_bad(struct bl_slice bytes, int64_t *out_at) {
  size_t last = BL_CHECKPOINT_SLOT_SPACING;
  bool any = false;
  for (size_t at = 0; at <= last; at += BL_CHECKPOINT_SLOT_SPACING) {
    struct bl_slice slot = part(bytes, at, BL_CHECKPOINT_SLOT_BYTES);
    struct bl_slice behind =
        part(bytes, at + slot.len, at == last ? bytes.len : last - BL_CHECKPOINT_SLOT_BYTES);
    struct bl_checkpoint_mark mark;
    *out_at = (int64_t)at;
    bool good = slot.len == BL_CHECKPOINT_SLOT_BYTES && bl_checkpoint_decode(slot.ptr, &mark);
    if (!good && !all_zero(slot)) return true;
    /* A slot of zeros was never written: only the other one's sequence can say so. */
    if (good && at == 0 && bytes.len <= last && mark.sequence % 2 != 0) return true;
    any |= good;
    *out_at = (int64_t)(at + slot.len);
    if (!all_zero(behind)) return true;
  }
  *out_at = 0;
  return !any && bytes.len > 0;
}

static void check_checkpoint(struct bl_verify *verify) {
  static const char name[] = "bolide/log.checkpoint";
  struct bl_slice bytes = {NULL, 0};
  int64_t at = 0;
  int looks = 0;
  bl_err err;
  do {
    err = bl_verify__read(verify, name, &bytes);
  } while (err == BL_OK && checkpoint_is_bad(bytes, &at) && bl_verify__again(verify, &looks));
  if (err != BL_OK) return;
  count_file(verify, bytes, true);
  if (checkpoint_is_bad(bytes, &at))
    damaged(verify, name, at,
            "one of its two slots does not match its checksum, or is not zero "
            "where it should be",
            "nothing: the other slot counts, and the next one written replaces it");
}

static void check_halves(struct bl_verify *verify) {
  static const char name[] = "bolide/halves";
  struct bl_slice bytes = {NULL, 0};
  int looks = 0;
  bl_err err;
  do {
    err = bl_verify__read(verify, name, &bytes);
  } while (err == BL_OK && !bl_halves_file_is_sound(bytes) && bl_verify__again(verify, &looks));
  if (err != BL_OK) return;
  count_file(verify, bytes, true);
  if (!bl_halves_file_is_sound(bytes))
    damaged(verify, name, -1, "its checksum does not match, or it is of another version",
            "nothing: the next start takes open transactions from the log");
}

static void check_java_queues(struct bl_verify *verify) {
  static const char name[] = "bolide/java.queues";
  struct bl_slice bytes;
  if (bl_verify__read(verify, name, &bytes) != BL_OK) return;
  count_file(verify, bytes, true);
  struct bl_slice rest = bytes;
  int64_t end = 0;
  char line[128];
  (void)bl_slice_cut(&rest, ' ');
  (void)bl_slice_cut(&rest, ' ');
  bool good = bl_slice_i64(bl_slice_cut(&rest, ' '), &end);
  int len = snprintf(line, sizeof(line), "bolide-java-queues 1 %" PRId64, end);
  uint32_t crc = bl_crc32(0, line, (size_t)len);
  len += snprintf(line + len, sizeof(line) - (size_t)len, " %" PRIu32 "\n", crc);
  if (!good || !bl_slice_eq(bytes, bl_slice_of(line, (size_t)len)))
    damaged(verify, name, -1, "its checksum does not match",
            "nothing: the next start looks at Java's consume queues again");
}

static void take_generations(struct bl_slice rest, struct covered *covered) {
  while (rest.len > 0 && covered->count < GENERATIONS_MAX) {
    struct bl_slice line = bl_slice_cut(&rest, '\n');
    int64_t number[3] = {0, 0, 0};
    (void)bl_slice_cut(&line, ' ');
    struct bl_slice table = bl_slice_cut(&line, ' ');
    bool good = true;
    for (int i = 0; good && i < 3; i++) good = bl_slice_i64(bl_slice_cut(&line, ' '), &number[i]);
    if (!good) continue;
    snprintf(covered->items[covered->count].table, 32, "%.*s",
             (int)(table.len < 31 ? table.len : 31), table.ptr);
    covered->items[covered->count].size_bytes = number[1];
    covered->items[covered->count++].crc = number[2];
  }
}

static void check_covered(struct bl_verify *verify, const char *name, bool tell,
                          struct covered *covered) {
  struct bl_slice bytes;
  if (bl_verify__read(verify, name, &bytes) != BL_OK) return;
  bool good =
      bl_slice_starts(bytes, BL_SLICE("bolide-meta-covered 1\n")) && ends_in_crc(bytes, "end ");
  if (tell) count_file(verify, bytes, true);
  if (good) {
    covered->found = true;
    take_generations(bytes, covered);
  } else if (tell) {
    damaged(verify, name, -1, "its checksum does not match, or it is of another version",
            "copy bolide/meta.covered.bak over it when that one is good; without either the files "
            "in config/ count as another program's");
  }
}

/* The table of a file of ours, or NULL: other files of config/ are a Java broker's or the name
 * server's. */
static const char *table_of(const char *name) {
  static const char *const tables[][2] = {{"topics.json", "topic"},
                                          {"subscriptionGroup.json", "group"},
                                          {"consumerOffset.json", "offset"},
                                          {"lmqConsumerOffset.json", "lightOffset"},
                                          {"messageRequestMode.json", "mode"},
                                          {"queueLocks.json", "lock"}};
  for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
    if (strncmp(name, tables[i][0], strlen(tables[i][0])) == 0) return tables[i][1];
  }
  return NULL;
}

static bool is_known(const struct covered *covered, const char *table, struct bl_slice bytes) {
  int64_t crc = bl_crc32(0, bytes.ptr, bytes.len);
  for (int i = 0; i < covered->count; i++) {
    if (covered->items[i].size_bytes == (int64_t)bytes.len && covered->items[i].crc == crc &&
        strcmp(covered->items[i].table, table) == 0)
      return true;
  }
  return false;
}

static bool is_json(struct bl_slice bytes) {
  struct bl_arena arena;
  const struct bl_json *root = NULL;
  bl_arena_init(&arena);
  bl_err err = bl_json_parse(bytes, BL_JSON_DIALECT, &arena, &root, NULL);
  bool good = err == BL_OK && root->kind == BL_JSON_OBJECT;
  bl_arena_fini(&arena);
  return good;
}

static void check_config(struct bl_verify *verify, const char *name, struct covered *covered,
                         int *io_looks) {
  char path[300];
  struct bl_slice bytes;
  snprintf(path, sizeof(path), "config/%.200s", name);
  if (bl_verify__read(verify, path, &bytes) != BL_OK) return;
  const char *table = table_of(name);
  bool ours = verify->source->ours && table != NULL && covered->found;
  while (ours && !is_known(covered, table, bytes) && bl_verify__again(verify, io_looks)) {
    covered->count = 0; /* a server is writing new ones */
    check_covered(verify, "bolide/meta.covered", false, covered);
    check_covered(verify, "bolide/meta.covered.bak", false, covered);
    if (bl_verify__read(verify, path, &bytes) != BL_OK) return;
  }
  count_file(verify, bytes, ours);
  if (ours && is_known(covered, table, bytes)) return;
  bool json = is_json(bytes);
  if (!json) {
    damaged(verify, path, -1, "it is not the JSON that it should be",
            strstr(name, ".bak") != NULL ? "nothing: it is the copy before the current one"
                                         : "copy its .bak over it when that one is good; bolide "
                                           "does so itself at the next start");
  } else if (ours && !verify->source->java) {
    damaged(
        verify, path, -1,
        "it is not what bolide wrote (bolide/meta.covered has another checksum): it is damaged, "
        "or another program changed it. At the next start it counts as it is",
        "if nobody changed it, put its .bak in its place before the next start");
  } else if (ours) {
    bl_verify__tell_file(verify, BL_FINDING_NOTE, path, -1, (int64_t)bytes.len,
                         "a Java broker wrote it; it has no checksum", NULL);
  }
}

static void check_configs(struct bl_verify *verify) {
  struct covered covered = {.count = 0};
  const char *const *names;
  size_t count = 0;
  int looks = 0;
  check_covered(verify, "bolide/meta.covered", true, &covered);
  check_covered(verify, "bolide/meta.covered.bak", true, &covered);
  bl_verify__list(verify, "config", &names, &count);
  for (size_t i = 0; i < count; i++) {
    if (strstr(names[i], ".json") == NULL || strstr(names[i], ".tmp") != NULL) continue;
    check_config(verify, names[i], &covered, &looks);
  }
}

/* What stands in bolide/ without being checked. */
static void name_others(struct bl_verify *verify) {
  static const char *const known[] = {"identity",
                                      "log.checkpoint",
                                      "queues",
                                      "index",
                                      "halves",
                                      "keys.snapshot",
                                      "keys",
                                      "meta.covered",
                                      "meta.covered.bak",
                                      "java.queues",
                                      "spare",
                                      "aside",
                                      "dedup.snapshot",
                                      "dedup",
                                      "expiry.snapshot",
                                      "timers.snapshot",
                                      "timers",
                                      NULL};
  const char *const *names;
  size_t count = 0;
  bl_verify__list(verify, "bolide", &names, &count);
  for (size_t i = 0; i < count; i++) {
    size_t k = 0;
    while (known[k] != NULL && strcmp(known[k], names[i]) != 0) k++;
    if (known[k] != NULL || strstr(names[i], ".tmp") != NULL) continue;
    char path[300];
    snprintf(path, sizeof(path), "bolide/%.200s", names[i]);
    bl_verify__tell_file(verify, BL_FINDING_NOTE, path, -1, -1,
                         "this program does not know the file, so it did not check it", NULL);
  }
}

void bl_verify__files(struct bl_verify *verify) {
  check_configs(verify);
  if (!verify->source->ours) return;
  check_identity(verify);
  check_checkpoint(verify);
  check_halves(verify);
  check_java_queues(verify);
  name_others(verify);
}
