#include "cli/args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "cli/verb.h"

#define NAME_BYTES_MAX 40

/* Edits (insert, delete, replace) from a to b; both at most NAME_BYTES_MAX long. */
static size_t edits(const char *a, size_t a_len, const char *b, size_t b_len) {
  size_t row[NAME_BYTES_MAX + 1];
  for (size_t j = 0; j <= b_len; j++) row[j] = j;
  for (size_t i = 1; i <= a_len; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b_len; j++) {
      size_t above = row[j];
      size_t best = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      if (above + 1 < best) best = above + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      row[j] = best;
      diagonal = above;
    }
  }
  return row[b_len];
}

const char *bl_args_nearest(const char *name, const char *const *names, size_t count) {
  size_t len = strlen(name);
  if (len == 0 || len > NAME_BYTES_MAX) return NULL;
  const char *nearest = NULL;
  size_t fewest = len / 3 + 2; /* one more than allowed */
  for (size_t i = 0; i < count; i++) {
    size_t other_len = strlen(names[i]);
    if (other_len > NAME_BYTES_MAX) continue;
    size_t distance = edits(name, len, names[i], other_len);
    if (distance < fewest && distance < other_len) {
      fewest = distance;
      nearest = names[i];
    }
  }
  return nearest;
}

static bl_err unknown_option(const char *given, size_t len, const struct bl_arg *options,
                             size_t count, struct bl_why *why) {
  const char *names[64];
  char name[NAME_BYTES_MAX + 1];
  if (count > 64) count = 64;
  for (size_t i = 0; i < count; i++) names[i] = options[i].name;
  const char *nearest = NULL;
  if (len <= NAME_BYTES_MAX) {
    memcpy(name, given, len);
    name[len] = '\0';
    nearest = bl_args_nearest(name, names, count);
  }
  if (nearest == NULL)
    return bl_why_set(why, BL_ERR_USAGE, "there is no option --%.*s", (int)len, given);
  return bl_why_set(why, BL_ERR_USAGE, "there is no option --%.*s; did you mean --%s?", (int)len,
                    given, nearest);
}

static const struct bl_arg *find(const char *name, size_t len, const struct bl_arg *options,
                                 size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0)
      return &options[i];
  }
  return NULL;
}

static bl_err put_number(const struct bl_arg *option, const char *value, struct bl_why *why) {
  int64_t number;
  if (!bl_slice_i64(bl_slice_text(value), &number) || number < option->min ||
      number > option->max) {
    return bl_why_set(why, BL_ERR_USAGE, "--%s is '%s'; it is a number from %lld to %lld",
                      option->name, value, (long long)option->min, (long long)option->max);
  }
  *(int64_t *)option->to = number;
  return BL_OK;
}

static bl_err put_value(const struct bl_arg *option, const char *value, struct bl_why *why) {
  if (option->kind == BL_ARG_NUMBER) return put_number(option, value, why);
  if (option->kind == BL_ARG_TEXT) {
    *(const char **)option->to = value;
    return BL_OK;
  }
  struct bl_args_list *list = option->to;
  if (list->count == BL_ARGS_LIST_MAX) {
    return bl_why_set(why, BL_ERR_USAGE, "--%s is there more than %d times", option->name,
                      BL_ARGS_LIST_MAX);
  }
  list->items[list->count++] = value;
  return BL_OK;
}

/* One "--name", "--name=value" or "--name value" at argv[*at]; moves *at to its last word. */
static bl_err take_option(int argc, char **argv, int *at, const struct bl_arg *options,
                          size_t count, struct bl_why *why) {
  const char *name = argv[*at] + 2;
  const char *equals = strchr(name, '=');
  size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
  const struct bl_arg *option = find(name, len, options, count);
  if (option == NULL) return unknown_option(name, len, options, count, why);
  if (option->kind == BL_ARG_FLAG) {
    if (equals != NULL) return bl_why_set(why, BL_ERR_USAGE, "--%s takes no value", option->name);
    *(bool *)option->to = true;
    return BL_OK;
  }
  if (equals != NULL) return put_value(option, equals + 1, why);
  if (*at + 1 == argc) return bl_why_set(why, BL_ERR_USAGE, "--%s needs a value", option->name);
  *at += 1;
  return put_value(option, argv[*at], why);
}

bl_err bl_args_parse(int argc, char **argv, const struct bl_arg *options, size_t option_count,
                     struct bl_args *out_args, struct bl_why *why) {
  *out_args = (struct bl_args){.positional = (const char *const *)argv + 1};
  bool only_positional = false;
  for (int i = 1; i < argc; i++) {
    const char *word = argv[i];
    if (only_positional || word[0] != '-' || word[1] == '\0') {
      argv[1 + out_args->positional_count++] = argv[i];
    } else if (strcmp(word, "--") == 0) {
      only_positional = true;
    } else if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
      out_args->help = true;
    } else if (word[1] != '-') {
      return bl_why_set(why, BL_ERR_USAGE, "there is no option %s; options are written --name",
                        word);
    } else {
      bl_err err = take_option(argc, argv, &i, options, option_count, why);
      if (err != BL_OK) return err;
    }
  }
  return BL_OK;
}

bool bl_args_of_verb(const struct bl_verb *verb, int argc, char **argv,
                     const struct bl_arg *options, size_t option_count, struct bl_args *out_args,
                     int *out_exit) {
  struct bl_why why = {""};
  if (bl_args_parse(argc, argv, options, option_count, out_args, &why) != BL_OK) {
    size_t len = strlen(why.text);
    const char *stop = len > 0 && why.text[len - 1] == '?' ? "" : ".";
    fprintf(stderr, "bolide %s: %s%s `bolide help %s` lists the options.\n", verb->name, why.text,
            stop, verb->name);
    *out_exit = BL_EXIT_USAGE;
    return false;
  }
  if (out_args->help) {
    fputs(verb->usage, stdout);
    *out_exit = BL_EXIT_OK;
    return false;
  }
  return true;
}
