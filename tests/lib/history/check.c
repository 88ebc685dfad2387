/* history_check FILE: the judgement as one JSON object on standard output, findings on standard
 * error. Exit status 0: nothing is wrong, 1: something is, 2: it is no history. */
#include <stdio.h>

#include "history.h"

#define SAYS_EACH 5

static void say(const char *line) {
  fprintf(stderr, "%s\n", line);
}

static void tell_group(uint32_t number, const struct bl_hist_group_report *group, bool first) {
  printf(
      "%s\"%u\":{\"delivered\":%llu,\"again\":%llu,\"committed\":%llu,\"owned\":%llu,"
      "\"longest_unowned_ms\":%.1f,\"longest_unowned_queue\":%u,\"longest_shared_ms\":%.1f}",
      first ? "" : ",", number, (unsigned long long)group->delivered,
      (unsigned long long)group->again, (unsigned long long)group->committed,
      (unsigned long long)group->owned, (double)group->longest_unowned_us / 1000,
      group->longest_unowned_queue, (double)group->longest_shared_us / 1000);
}

int main(int argc, char **argv) {
  struct bl_hist_report report;
  uint64_t wrongs = 0;
  bool first = true;
  const char *bad = argc == 2 ? bl_hist_judge(argv[1], SAYS_EACH, say, &report) : "use: FILE";
  if (bad != NULL) {
    fprintf(stderr, "%s: %s\n", argc == 2 ? argv[1] : "history_check", bad);
    return 2;
  }
  printf(
      "{\"records\":%llu,\"sent\":%llu,\"acked\":%llu,\"unknown\":%llu,\"refused\":%llu,\"wrong\":"
      "{",
      (unsigned long long)report.records, (unsigned long long)report.sent,
      (unsigned long long)report.acked, (unsigned long long)report.unknown,
      (unsigned long long)report.refused);
  for (int w = 0; w < BL_HIST_WRONGS; w++) {
    wrongs += report.wrongs[w];
    if (report.wrongs[w] == 0) continue;
    printf("%s\"%s\":%llu", first ? "" : ",", bl_hist_wrong_name((enum bl_hist_wrong)w),
           (unsigned long long)report.wrongs[w]);
    first = false;
  }
  printf("},\"groups\":{");
  first = true;
  for (uint32_t g = 0; g < BL_HIST_GROUPS_MAX; g++) {
    if (!report.groups[g].told && report.groups[g].delivered == 0) continue;
    tell_group(g, &report.groups[g], first);
    first = false;
  }
  printf("}}\n");
  return wrongs > 0 ? 1 : 0;
}
