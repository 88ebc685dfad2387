#include "base/option.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/properties.h"

/* A value that was checked, before it is stored. */
struct parsed {
  int64_t number;
  bool truth;
};

static void *field_of(const struct bl_option *option, void *settings) {
  return (char *)settings + option->offset;
}

static void store_text(char **field, struct bl_slice value) {
  char *copy = malloc(value.len + 1);
  BL_ASSERT(copy != NULL);
  if (value.len > 0) memcpy(copy, value.ptr, value.len);
  copy[value.len] = '\0';
  free(*field);
  *field = copy;
}

static void store(const struct bl_option *option, void *settings, struct bl_slice value,
                  struct parsed parsed) {
  void *field = field_of(option, settings);
  switch (option->kind) {
    case BL_OPTION_BOOL: *(bool *)field = parsed.truth; break;
    case BL_OPTION_I64: *(int64_t *)field = parsed.number; break;
    case BL_OPTION_I32:
    case BL_OPTION_ENUM: *(int32_t *)field = (int32_t)parsed.number; break;
    case BL_OPTION_TEXT: store_text(field, value); break;
  }
}

/* For error texts: a value from outside is shown at most this long. */
static struct bl_slice shown(struct bl_slice value) {
  return bl_slice_of(value.ptr, value.len < 64 ? value.len : 64);
}

static void range_of(const struct bl_option *option, int64_t *out_min, int64_t *out_max) {
  bool none = option->min == 0 && option->max == 0;
  bool small = option->kind == BL_OPTION_I32;
  *out_min = none ? (small ? INT32_MIN : INT64_MIN) : option->min;
  *out_max = none ? (small ? INT32_MAX : INT64_MAX) : option->max;
}

static bl_err check_number(const struct bl_option *option, struct bl_slice value,
                           struct parsed *parsed, struct bl_why *why) {
  int64_t min, max;
  range_of(option, &min, &max);
  if (bl_slice_i64(value, &parsed->number) && parsed->number >= min && parsed->number <= max) {
    return BL_OK;
  }
  const char *unit = option->unit != NULL ? option->unit : "";
  return bl_why_set(why, BL_ERR_PARAMETER, "%s: '%.*s' is not a whole number from %lld to %lld%s%s",
                    option->name, BL_FMT(shown(value)), (long long)min, (long long)max,
                    unit[0] != '\0' ? " " : "", unit);
}

static char lower(char c) {
  return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool is_word(struct bl_slice text, const char *word) {
  if (text.len != strlen(word)) return false;
  for (size_t i = 0; i < text.len; i++) {
    if (lower(text.ptr[i]) != word[i]) return false;
  }
  return true;
}

static bl_err check_bool(const struct bl_option *option, struct bl_slice value,
                         struct parsed *parsed, struct bl_why *why) {
  parsed->truth = is_word(value, "true");
  if (parsed->truth || is_word(value, "false")) return BL_OK;
  return bl_why_set(why, BL_ERR_PARAMETER, "%s: '%.*s' is neither true nor false", option->name,
                    BL_FMT(shown(value)));
}

static bl_err check_enum(const struct bl_option *option, struct bl_slice value,
                         struct parsed *parsed, struct bl_why *why) {
  struct bl_slice rest = bl_slice_text(option->choices);
  for (parsed->number = 0; rest.ptr != NULL; parsed->number++) {
    if (bl_slice_eq(bl_slice_cut(&rest, '|'), value)) return BL_OK;
  }
  return bl_why_set(why, BL_ERR_PARAMETER, "%s: '%.*s' is none of %s", option->name,
                    BL_FMT(shown(value)), option->choices);
}

static bl_err check_text(const struct bl_option *option, struct bl_slice value,
                         struct bl_why *why) {
  size_t max = option->max > 0 ? (size_t)option->max : BL_OPTION_TEXT_BYTES_MAX;
  BL_ASSERT(max <= BL_OPTION_TEXT_BYTES_MAX && option->min >= 0);
  if (value.len < (size_t)option->min || value.len > max) {
    return bl_why_set(why, BL_ERR_PARAMETER, "%s: %zu bytes long, but %lld to %zu are allowed",
                      option->name, value.len, (long long)option->min, max);
  }
  if (value.len > 0 && memchr(value.ptr, '\0', value.len) != NULL) {
    return bl_why_set(why, BL_ERR_PARAMETER, "%s: a zero byte is not allowed", option->name);
  }
  return BL_OK;
}

static bl_err check(const struct bl_option *option, struct bl_slice value, struct parsed *parsed,
                    struct bl_why *why) {
  switch (option->kind) {
    case BL_OPTION_BOOL: return check_bool(option, value, parsed, why);
    case BL_OPTION_I32:
    case BL_OPTION_I64: return check_number(option, value, parsed, why);
    case BL_OPTION_ENUM: return check_enum(option, value, parsed, why);
    case BL_OPTION_TEXT: return check_text(option, value, why);
  }
  return BL_ERR_PARAMETER;
}

void bl_options_init(const struct bl_options *options, void *settings) {
  for (size_t i = 0; i < options->count; i++) {
    const struct bl_option *option = &options->rows[i];
    struct bl_slice value = bl_slice_text(option->default_text);
    struct parsed parsed = {0};
    bl_err err = check(option, value, &parsed, NULL);
    BL_ASSERT(err == BL_OK);
    store(option, settings, value, parsed);
  }
}

void bl_options_fini(const struct bl_options *options, void *settings) {
  for (size_t i = 0; i < options->count; i++) {
    if (options->rows[i].kind != BL_OPTION_TEXT) continue;
    char **field = field_of(&options->rows[i], settings);
    free(*field);
    *field = NULL;
  }
}

const struct bl_option *bl_options_find(const struct bl_options *options, struct bl_slice name) {
  for (size_t i = 0; i < options->count; i++) {
    if (bl_slice_is(name, options->rows[i].name)) return &options->rows[i];
  }
  return NULL;
}

#define NAME_BYTES_MAX 64

/* How many letters must be put in, taken out or changed to get from one to the other; texts of at
 * most NAME_BYTES_MAX. */
static size_t distance(struct bl_slice a, struct bl_slice b) {
  size_t row[NAME_BYTES_MAX + 1]; /* to the first j letters of b from the first i of a */
  for (size_t j = 0; j <= b.len; j++) row[j] = j;
  for (size_t i = 1; i <= a.len; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.len; j++) {
      size_t best = diagonal + (lower(a.ptr[i - 1]) != lower(b.ptr[j - 1]));
      diagonal = row[j];
      if (row[j] + 1 < best) best = row[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      row[j] = best;
    }
  }
  return row[b.len];
}

const char *bl_options_nearest(const struct bl_options *options, struct bl_slice name) {
  if (name.len == 0 || name.len > NAME_BYTES_MAX) return NULL;
  const char *nearest = NULL;
  size_t best = name.len / 3 + 2; /* farther is no help */
  for (size_t i = 0; i < options->count; i++) {
    struct bl_slice known = bl_slice_text(options->rows[i].name);
    if (known.len > NAME_BYTES_MAX) continue;
    size_t found = distance(name, known);
    if (found >= best) continue;
    best = found;
    nearest = options->rows[i].name;
  }
  return nearest;
}

static bl_err unknown_name(const struct bl_options *options, struct bl_slice name,
                           struct bl_why *why) {
  const char *nearest = bl_options_nearest(options, name);
  if (nearest == NULL) {
    return bl_why_set(why, BL_ERR_NOT_FOUND, "there is no option '%.*s'", BL_FMT(shown(name)));
  }
  return bl_why_set(why, BL_ERR_NOT_FOUND, "there is no option '%.*s'; did you mean %s?",
                    BL_FMT(shown(name)), nearest);
}

bl_err bl_options_set(const struct bl_options *options, void *settings, struct bl_slice name,
                      struct bl_slice value, enum bl_option_when when, struct bl_why *why) {
  const struct bl_option *option = bl_options_find(options, name);
  if (option == NULL) return unknown_name(options, name, why);
  if (when == BL_OPTION_RUNNING && (option->flags & BL_OPTION_READ_ONLY) != 0) {
    return bl_why_set(why, BL_ERR_NO_PERMISSION,
                      "%s cannot be set while running; set it in the configuration and restart",
                      option->name);
  }
  value = bl_slice_trim(value);
  if ((option->flags & BL_OPTION_SECRET) != 0 && bl_slice_is(value, BL_OPTION_MASK)) return BL_OK;
  struct parsed parsed = {0};
  bl_err err = check(option, value, &parsed, why);
  if (err == BL_OK && settings != NULL) store(option, settings, value, parsed);
  return err;
}

struct setting {
  const struct bl_options *options;
  void *settings; /* NULL while checking */
  enum bl_option_when when;
  bl_options_unknown unknown;
  void *context;
};

static bl_err set_line(void *context, int line, struct bl_slice key, struct bl_slice value,
                       struct bl_why *why) {
  struct setting *setting = context;
  struct bl_why cause = {""};
  bl_err err =
      bl_options_set(setting->options, setting->settings, key, value, setting->when, &cause);
  if (err == BL_OK) return BL_OK;
  if (err == BL_ERR_NOT_FOUND && setting->unknown != NULL) {
    if (setting->settings == NULL) setting->unknown(setting->context, line, key, &cause);
    return BL_OK;
  }
  return bl_why_set(why, err, "line %d: %s", line, cause.text);
}

bl_err bl_options_set_properties(const struct bl_options *options, void *settings,
                                 struct bl_slice text, enum bl_option_when when,
                                 bl_options_unknown unknown, void *context, struct bl_why *why) {
  struct setting setting = {options, NULL, when, unknown, context};
  bl_err err = bl_javaprops_parse(text, set_line, &setting, why);
  if (err != BL_OK || settings == NULL) return err;
  setting.settings = settings;
  return bl_javaprops_parse(text, set_line, &setting, why);
}
