#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "judge_internal.h"

const char *bl_hist_wrong_name(enum bl_hist_wrong wrong) {
  static const char *const names[BL_HIST_WRONGS] = {"lost",      "unsent",     "early", "twice",
                                                    "moved",     "again",      "start", "order",
                                                    "key_order", "two_owners", "stray", "no_owner"};
  return names[wrong];
}

void bl_hist__found(struct bl_hist_judge *judge, enum bl_hist_wrong wrong, const char *format,
                    ...) {
  char text[400], line[440];
  va_list args;
  if (judge->report->wrongs[wrong]++ >= judge->says_each || judge->say == NULL) return;
  va_start(args, format);
  vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  snprintf(line, sizeof(line), "%s: %s", bl_hist_wrong_name(wrong), text);
  judge->say(line);
}

void *bl_hist__new(size_t count, size_t bytes) {
  void *memory = calloc(count > 0 ? count : 1, bytes);
  if (memory == NULL) abort();
  return memory;
}

void bl_hist__place(struct bl_hist_judge *judge, uint64_t message, uint32_t queue, int64_t offset) {
  struct bl_hist_places *places = &judge->places[queue];
  uint32_t *place = &places->messages[offset - places->first];
  if (*place == 0) *place = (uint32_t)message + 1;
  if (*place == (uint32_t)message + 1) return;
  bl_hist__found(judge, BL_HIST_TWICE, "queue %u at %lld has message %u and message %llu", queue,
                 (long long)offset, *place - 1, (unsigned long long)message);
}

static void free_group(struct bl_hist_group *group, uint32_t queue_count) {
  for (uint32_t q = 0; group->lanes != NULL && q < queue_count; q++) {
    while (group->lanes[q].owners != NULL) {
      struct bl_hist_owner *next = group->lanes[q].owners->next;
      free(group->lanes[q].owners);
      group->lanes[q].owners = next;
    }
    free(group->lanes[q].commits);
  }
  free(group->lanes);
  free(group->epochs);
}

static void free_judge(struct bl_hist_judge *judge) {
  for (uint32_t q = 0; judge->places != NULL && q < judge->queue_count; q++)
    free(judge->places[q].messages);
  for (uint32_t g = 0; g < BL_HIST_GROUPS_MAX; g++)
    free_group(&judge->groups[g], judge->queue_count);
  free(judge->places);
  free(judge->messages);
  free(judge);
}

static const char *judge_bytes(const char *bytes, size_t len, uint32_t says_each,
                               void (*say)(const char *line), struct bl_hist_report *out_report) {
  struct bl_hist_head head;
  if (len < sizeof(head)) return "it is shorter than a history's head";
  memcpy(&head, bytes, sizeof(head));
  if (memcmp(head.magic, BL_HIST_MAGIC, sizeof(head.magic)) != 0) return "it is no history";
  if (head.record_bytes != sizeof(struct bl_hist_record)) return "its records have another size";
  if ((len - sizeof(head)) % sizeof(struct bl_hist_record) != 0) return "its last record is cut";
  memset(out_report, 0, sizeof(*out_report));
  struct bl_hist_judge *judge = bl_hist__new(1, sizeof(*judge));
  judge->records = (const struct bl_hist_record *)(bytes + sizeof(head));
  judge->record_count = (len - sizeof(head)) / sizeof(struct bl_hist_record);
  judge->says_each = says_each;
  judge->say = say;
  judge->report = out_report;
  out_report->records = judge->record_count;
  const char *bad = bl_hist__load(judge);
  if (bad == NULL) bad = bl_hist__walk(judge);
  free_judge(judge);
  return bad;
}

const char *bl_hist_judge(const char *path, uint32_t says_each, void (*say)(const char *line),
                          struct bl_hist_report *out_report) {
  struct stat stat;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 || fstat(file, &stat) != 0 || stat.st_size == 0) {
    if (file >= 0) close(file);
    return "it cannot be read";
  }
  void *bytes = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  if (bytes == MAP_FAILED) return "it cannot be mapped";
  const char *bad = judge_bytes(bytes, (size_t)stat.st_size, says_each, say, out_report);
  munmap(bytes, (size_t)stat.st_size);
  return bad;
}
