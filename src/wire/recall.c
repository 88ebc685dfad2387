#include "wire/recall.h"

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void put_base64(struct bl_buf *out, struct bl_slice bytes) {
  const uint8_t *at = (const uint8_t *)bytes.ptr;
  for (size_t i = 0; i < bytes.len; i += 3) {
    size_t left = bytes.len - i;
    uint32_t bits = (uint32_t)at[i] << 16;
    if (left > 1) bits |= (uint32_t)at[i + 1] << 8;
    if (left > 2) bits |= at[i + 2];
    char four[4] = {DIGITS[bits >> 18], DIGITS[bits >> 12 & 63],
                    left > 1 ? DIGITS[bits >> 6 & 63] : '=', left > 2 ? DIGITS[bits & 63] : '='};
    bl_buf_put(out, four, sizeof(four));
  }
}

static int digit(char c) {
  const char *at = c != '\0' ? strchr(DIGITS, c) : NULL;
  return at != NULL ? (int)(at - DIGITS) : -1;
}

/* As java.util.Base64: with or without what fills the last four, which is then as it must be. */
static bool take_base64(struct bl_buf *out, struct bl_slice text) {
  size_t padding = 0;
  while (padding < 2 && text.len > 0 && text.ptr[text.len - 1] == '=') {
    text.len--;
    padding++;
  }
  if (text.len % 4 == 1 || (padding > 0 && (text.len + padding) % 4 != 0)) return false;
  uint32_t bits = 0;
  int count = 0;
  for (size_t i = 0; i < text.len; i++) {
    int value = digit(text.ptr[i]);
    if (value < 0) return false;
    bits = bits << 6 | (uint32_t)value;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bl_buf_put_u8(out, (uint8_t)(bits >> count));
  }
  return !out->failed;
}

void bl_recall_put(struct bl_buf *out, const struct bl_recall *recall) {
  struct bl_buf raw;
  bl_buf_init(&raw, 0);
  bl_buf_printf(&raw, "v1 %.*s %.*s %.*s %.*s", BL_FMT(recall->topic), BL_FMT(recall->broker_name),
                BL_FMT(recall->time_ms), BL_FMT(recall->uniq_key));
  put_base64(out, bl_buf_slice(&raw));
  bl_buf_fini(&raw);
}

bool bl_recall_parse(struct bl_slice handle, struct bl_buf *scratch, struct bl_recall *out_recall) {
  bl_buf_clear(scratch);
  if (handle.len == 0 || !take_base64(scratch, handle)) return false;
  struct bl_slice rest = bl_buf_slice(scratch);
  struct bl_slice version = bl_slice_cut(&rest, ' ');
  if (!bl_slice_is(version, "v1")) return false;
  out_recall->topic = bl_slice_cut(&rest, ' ');
  out_recall->broker_name = bl_slice_cut(&rest, ' ');
  out_recall->time_ms = bl_slice_cut(&rest, ' ');
  out_recall->uniq_key = bl_slice_cut(&rest, ' ');
  return out_recall->uniq_key.ptr != NULL && out_recall->uniq_key.len > 0;
}
