#include "cli/when.h"

#include <time.h>

/* Takes exactly `digits` digits off the front. */
static bool take_number(struct bl_slice *rest, size_t digits, int min, int max, int *out) {
  int value = 0;
  if (rest->len < digits) return false;
  for (size_t i = 0; i < digits; i++) {
    if (rest->ptr[i] < '0' || rest->ptr[i] > '9') return false;
    value = value * 10 + (rest->ptr[i] - '0');
  }
  *rest = bl_slice_from(*rest, digits);
  *out = value;
  return value >= min && value <= max;
}

static bool take_char(struct bl_slice *rest, char c) {
  if (rest->ptr == NULL || rest->len == 0 || rest->ptr[0] != c) return false;
  *rest = bl_slice_from(*rest, 1);
  return true;
}

static bool take_date(struct bl_slice *rest, struct tm *tm) {
  int year, month;
  if (!take_number(rest, 4, 1970, 9999, &year) || !take_char(rest, '-') ||
      !take_number(rest, 2, 1, 12, &month) || !take_char(rest, '-') ||
      !take_number(rest, 2, 1, 31, &tm->tm_mday)) {
    return false;
  }
  tm->tm_year = year - 1900;
  tm->tm_mon = month - 1;
  return true;
}

static bool take_fraction(struct bl_slice *rest, int *out_ms) {
  int scale = 100, digits = 0;
  for (; rest->len > 0 && rest->ptr[0] >= '0' && rest->ptr[0] <= '9'; digits++) {
    *out_ms += (rest->ptr[0] - '0') * scale;
    scale /= 10;
    *rest = bl_slice_from(*rest, 1);
  }
  return digits > 0;
}

static bool take_time(struct bl_slice *rest, struct tm *tm, int *out_ms) {
  if (!take_number(rest, 2, 0, 23, &tm->tm_hour) || !take_char(rest, ':') ||
      !take_number(rest, 2, 0, 59, &tm->tm_min)) {
    return false;
  }
  if (!take_char(rest, ':')) return true;
  if (!take_number(rest, 2, 0, 60, &tm->tm_sec)) return false;
  return !take_char(rest, '.') || take_fraction(rest, out_ms);
}

/* Days since 1970 of a date in the Gregorian calendar. */
static int64_t days_of(const struct tm *tm) {
  static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  int64_t year = tm->tm_year + 1900;
  int64_t last =
      tm->tm_mon > 1 ? year : year - 1; /* the last year whose 29 February may have been */
  int64_t leap_days = last / 4 - last / 100 + last / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
  return (year - 1970) * 365 + leap_days + before[tm->tm_mon] + tm->tm_mday - 1;
}

/* false: neither Z nor +hh:mm nor the end. */
static bool take_zone(struct bl_slice rest, bool *out_local, int *out_minutes) {
  int hours, minutes;
  *out_local = rest.len == 0;
  *out_minutes = 0;
  if (rest.len == 0) return true;
  if (take_char(&rest, 'Z')) return rest.len == 0;
  int sign = take_char(&rest, '+') ? 1 : (take_char(&rest, '-') ? -1 : 0);
  if (sign == 0 || !take_number(&rest, 2, 0, 14, &hours)) return false;
  take_char(&rest, ':');
  if (!take_number(&rest, 2, 0, 59, &minutes) || rest.len > 0) return false;
  *out_minutes = sign * (hours * 60 + minutes);
  return true;
}

bool bl_when_parse(struct bl_slice text, int64_t *out_ms) {
  if (bl_slice_i64(text, out_ms)) return *out_ms >= 0;
  struct tm tm = {.tm_isdst = -1};
  int ms = 0, zone_minutes;
  bool local;
  if (!take_date(&text, &tm)) return false;
  if ((take_char(&text, 'T') || take_char(&text, ' ')) && !take_time(&text, &tm, &ms)) return false;
  if (!take_zone(text, &local, &zone_minutes)) return false;
  int64_t seconds = local ? (int64_t)mktime(&tm)
                          : days_of(&tm) * 86400 + tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec -
                                zone_minutes * 60;
  if (seconds < 0) return false;
  *out_ms = seconds * 1000 + ms;
  return true;
}
