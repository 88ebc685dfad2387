#include "members.h"

#include <stdlib.h>
#include <string.h>

#include "frame.h"

#define KEPT 8 /* lists that were seen last: of some groups, and of the moment before */

static struct bl_storm_members *kept[KEPT];
static uint32_t next_kept;

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* {"consumerIdList":["a","b"]}; ids of the storm have nothing to escape. */
static void parse(struct bl_storm_members *members) {
  const char *at = memchr(members->body, '[', members->body_len);
  uint32_t quotes = 0;
  if (at == NULL) bl_storm_die("an answer to 38 has no list");
  size_t rest = members->body_len - (size_t)(at - members->body);
  members->texts = malloc(rest + 1);
  if (members->texts == NULL) bl_storm_die("no memory");
  memcpy(members->texts, at, rest);
  members->texts[rest] = '\0';
  for (size_t i = 0; i < rest; i++) quotes += members->texts[i] == '"';
  members->ids = malloc((quotes / 2 + 1) * sizeof(*members->ids));
  if (members->ids == NULL) bl_storm_die("no memory");
  char *from = members->texts;
  while ((from = strchr(from, '"')) != NULL) {
    char *to = strchr(from + 1, '"');
    if (to == NULL) bl_storm_die("an answer to 38 is cut");
    *to = '\0';
    members->ids[members->count++] = from + 1;
    from = to + 1;
  }
  qsort(members->ids, members->count, sizeof(*members->ids), by_text);
}

void bl_storm_members_drop(struct bl_storm_members *members) {
  if (members == NULL || --members->holders > 0) return;
  free(members->body);
  free(members->texts);
  free(members->ids);
  free(members);
}

struct bl_storm_members *bl_storm_members_take(const char *body, size_t len) {
  for (int i = 0; i < KEPT; i++) {
    if (kept[i] == NULL || kept[i]->body_len != len || memcmp(kept[i]->body, body, len) != 0)
      continue;
    kept[i]->holders++;
    return kept[i];
  }
  struct bl_storm_members *members = calloc(1, sizeof(*members));
  if (members == NULL || (members->body = malloc(len + 1)) == NULL) bl_storm_die("no memory");
  memcpy(members->body, body, len);
  members->body_len = len;
  members->holders = 2; /* the caller and here */
  parse(members);
  bl_storm_members_drop(kept[next_kept]);
  kept[next_kept] = members;
  next_kept = (next_kept + 1) % KEPT;
  return members;
}

struct bl_storm_share bl_storm_members_share(const struct bl_storm_members *members, const char *id,
                                             uint32_t queues) {
  const char **found = members->count == 0 ? NULL
                                           : bsearch(&id, members->ids, members->count,
                                                     sizeof(*members->ids), by_text);
  if (found == NULL) return (struct bl_storm_share){0, 0};
  uint32_t index = (uint32_t)(found - members->ids), rest = queues % members->count;
  uint32_t each = queues / members->count;
  struct bl_storm_share share = {.count = each + (index < rest ? 1 : 0)};
  share.first = index < rest ? index * (each + 1) : index * each + rest;
  return share;
}
