/* A registration body as JSON: its large maps are read one member at a time, so that it can be done
 * in steps. */
#include "namesrv/register_internal.h"

enum {
  STATE_OPEN, /* before the first brace */
  STATE_KEY_START,
  STATE_KEY,
  STATE_VALUE,
  STATE_END, /* only blanks may follow */
};

#define PARSE_COST_PER_BYTE 8

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_blanks(struct bl_register_scan *scan) {
  while (scan->at < scan->end && is_blank(*scan->at)) scan->at++;
}

static void start_item(struct bl_register_scan *scan) {
  scan->start = scan->at;
  scan->skip_depth = 0;
  scan->skip_quote = 0;
  scan->skip_escape = false;
}

static void pass_quoted(struct bl_register_scan *scan) {
  char c = *scan->at++;
  if (scan->skip_escape) {
    scan->skip_escape = false;
  } else if (c == '\\') {
    scan->skip_escape = true;
  } else if (c == scan->skip_quote) {
    scan->skip_quote = 0;
  }
}

/* Ends a number, a word or a bare key; and stands before whatever follows. */
static bool ends_bare(char c) {
  return is_blank(c) || c == ',' || c == ':' || c == '}' || c == ']' || c == '{' || c == '[' ||
         c == '"' || c == '\'';
}

/* Passes over one key or value. true: at its end, or at the end of the text. */
static bool skip_item(struct bl_register_scan *scan, size_t *cost) {
  for (; scan->at<scan->end && * cost> 0; (*cost)--) {
    if (scan->skip_quote != 0) {
      pass_quoted(scan);
      if (scan->skip_quote == 0 && scan->skip_depth == 0) return true;
      continue;
    }
    char c = *scan->at;
    bool first = scan->at == scan->start;
    if (scan->skip_depth == 0 && ends_bare(c) &&
        !(first && (c == '{' || c == '[' || c == '"' || c == '\''))) {
      return true;
    }
    scan->at++;
    if (c == '"' || c == '\'') scan->skip_quote = c;
    if (c == '{' || c == '[') scan->skip_depth++;
    if ((c == '}' || c == ']') && --scan->skip_depth == 0) return true;
  }
  return scan->at == scan->end;
}

static bool key_is(const struct bl_register_scan *scan, const char *name) {
  struct bl_slice key = scan->key;
  if (key.len >= 2 && (key.ptr[0] == '"' || key.ptr[0] == '\'')) {
    key = bl_slice_of(key.ptr + 1, key.len - 2);
  }
  return bl_slice_is(key, name);
}

static bool is_wrapper(const struct bl_register_body *body, enum bl_register_object object) {
  return object == (body->form == BL_REGISTER_JSON_OLD ? BL_REGISTER_ROOT : BL_REGISTER_WRAPPER);
}

/* The member's value is an object to be walked: enters it. */
static bool enter(struct bl_register_body *body) {
  struct bl_register_scan *scan = &body->scan;
  enum bl_register_object object = scan->open[scan->depth - 1];
  enum bl_register_object inner;
  if (*scan->at != '{') return false;
  if (is_wrapper(body, object) && key_is(scan, "topicConfigTable")) {
    inner = BL_REGISTER_TOPICS;
  } else if (is_wrapper(body, object) && key_is(scan, "topicQueueMappingInfoMap")) {
    inner = BL_REGISTER_MAPPINGS;
  } else if (object == BL_REGISTER_ROOT && body->form == BL_REGISTER_JSON &&
             key_is(scan, "topicConfigSerializeWrapper")) {
    inner = BL_REGISTER_WRAPPER;
  } else {
    return false;
  }
  scan->open[scan->depth++] = inner;
  scan->at++;
  return true;
}

static bl_err take_value(struct bl_register_body *body, size_t *cost, struct bl_why *why) {
  struct bl_register_scan *scan = &body->scan;
  struct bl_slice json = bl_slice_of(scan->start, (size_t)(scan->at - scan->start));
  enum bl_register_object object = scan->open[scan->depth - 1];
  bool version = is_wrapper(body, object) && key_is(scan, "dataVersion");
  bool filters = object == BL_REGISTER_ROOT && key_is(scan, "filterServerList");
  bool item = object == BL_REGISTER_TOPICS || object == BL_REGISTER_MAPPINGS;
  if (!version && !filters && !item) return BL_OK;
  if (json.len > BL_REGISTER_ITEM_BYTES_MAX) {
    return bl_why_set(why, BL_ERR_FULL, "an entry of %zu bytes", json.len);
  }
  size_t price = json.len * PARSE_COST_PER_BYTE;
  *cost -= price < *cost ? price : *cost;
  if (version) return bl_register__version(body, json, why);
  if (filters) return bl_register__filters(body, json, why);
  if (object == BL_REGISTER_TOPICS) return bl_register__topic_json(body, scan->key, json, why);
  return bl_register__mapping(body, json, why);
}

static bl_err fail(const struct bl_register_body *body, const char *what, struct bl_why *why) {
  const struct bl_register_scan *scan = &body->scan;
  return bl_why_set(why, BL_ERR_FORMAT, "%s at byte %zu",
                    scan->at == scan->end ? "the text ends" : what,
                    (size_t)(scan->at - body->bytes.ptr));
}

static bl_err start_key(struct bl_register_body *body, struct bl_why *why) {
  struct bl_register_scan *scan = &body->scan;
  while (scan->at < scan->end && (is_blank(*scan->at) || *scan->at == ',')) scan->at++;
  if (scan->at == scan->end) return fail(body, "", why);
  if (*scan->at != '}') {
    start_item(scan);
    scan->state = STATE_KEY;
    return BL_OK;
  }
  scan->at++;
  scan->depth--;
  scan->state = scan->depth == 0 ? STATE_END : STATE_KEY_START;
  return BL_OK;
}

static bl_err take_key(struct bl_register_body *body, struct bl_why *why) {
  struct bl_register_scan *scan = &body->scan;
  if (scan->at == scan->start) return fail(body, "no key", why);
  scan->key = bl_slice_of(scan->start, (size_t)(scan->at - scan->start));
  skip_blanks(scan);
  if (scan->at == scan->end || *scan->at != ':') return fail(body, "no colon", why);
  scan->at++;
  skip_blanks(scan);
  if (scan->at == scan->end) return fail(body, "", why);
  scan->state = STATE_VALUE;
  start_item(scan);
  if (enter(body)) scan->state = STATE_KEY_START;
  return BL_OK;
}

static bl_err end_value(struct bl_register_body *body, size_t *cost, struct bl_why *why) {
  struct bl_register_scan *scan = &body->scan;
  bool whole = scan->skip_depth == 0 && scan->skip_quote == 0 && scan->at > scan->start;
  if (!whole) return fail(body, "no value", why);
  scan->state = STATE_KEY_START;
  return take_value(body, cost, why);
}

static bl_err begin(struct bl_register_body *body, struct bl_why *why) {
  struct bl_register_scan *scan = &body->scan;
  skip_blanks(scan);
  if (scan->at == scan->end || *scan->at != '{') return fail(body, "no object", why);
  scan->at++;
  scan->open[scan->depth++] = BL_REGISTER_ROOT;
  scan->state = STATE_KEY_START;
  return BL_OK;
}

bl_err bl_register__scan_step(struct bl_register_body *body, size_t cost, struct bl_why *why) {
  struct bl_register_scan *scan = &body->scan;
  bl_err err = BL_OK;
  for (; err == BL_OK && !body->done && cost > 0; cost -= cost > 0) {
    switch (scan->state) {
      case STATE_OPEN: err = begin(body, why); break;
      case STATE_KEY_START: err = start_key(body, why); break;
      case STATE_KEY:
        if (skip_item(scan, &cost)) err = take_key(body, why);
        break;
      case STATE_VALUE:
        if (skip_item(scan, &cost)) err = end_value(body, &cost, why);
        break;
      default:
        skip_blanks(scan);
        if (scan->at != scan->end) return fail(body, "more after the object", why);
        body->done = true;
    }
  }
  return err;
}
