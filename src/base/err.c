#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

static const char *const texts[] = {
#define X(name, text, code) text,
#include "base/err.def"
#undef X
};

static const char *const names[] = {
#define X(name, text, code) #name,
#include "base/err.def"
#undef X
};

static const int32_t codes[] = {
#define X(name, text, code) code,
#include "base/err.def"
#undef X
};

_Static_assert(sizeof(texts) / sizeof(texts[0]) == BL_ERR_COUNT, "one text per error");

const char *bl_err_text(bl_err err) {
  BL_ASSERT((unsigned)err < BL_ERR_COUNT);
  return texts[err];
}

const char *bl_err_name(bl_err err) {
  BL_ASSERT((unsigned)err < BL_ERR_COUNT);
  return names[err];
}

int32_t bl_err_code(bl_err err) {
  BL_ASSERT((unsigned)err < BL_ERR_COUNT);
  return codes[err];
}

bl_err bl_why_set(struct bl_why *why, bl_err err, const char *format, ...) {
  if (why == NULL) return err;
  /* Through a second buffer, because a caller may put a prefix before the text that is there. */
  char text[sizeof(why->text)];
  va_list args;
  va_start(args, format);
  int len = vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  BL_ASSERT(len >= 0);
  memcpy(why->text, text, (size_t)len < sizeof(text) ? (size_t)len + 1 : sizeof(text));
  return err;
}
