#include "namesrv/kv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/log.h"
#include "namesrv/internal.h"

#define FILE_BYTES_MAX                                                                             \
  (BL_NAMESRV_KV_BYTES_MAX * 8ull) /* with escapes, and spaces of who edits it */

struct value {
  struct bl_slice text; /* owned */
};

struct space {
  struct bl_map values; /* key -> struct value */
};

struct bl_ns_kv {
  struct bl_map spaces; /* name -> struct space */
  int64_t bytes;
  bool dirty;             /* changed since the text of the running job was made */
  bool writing;           /* the job is the worker's */
  struct bl_list waiting; /* for the next job */
  struct bl_list on_job;  /* for the running one */
  struct bl_job job;
  struct bl_buf text;
  struct bl_disk *disk; /* the job's view; set before it is submitted */
  const char *path;
  bl_err err;
  struct bl_why why;
  struct bl_namesrv *ns;
};

struct bl_ns_kv *bl_ns_kv_new(void) {
  struct bl_ns_kv *kv = calloc(1, sizeof(*kv));
  BL_ASSERT(kv != NULL);
  bl_map_init(&kv->spaces);
  bl_list_init(&kv->waiting);
  bl_list_init(&kv->on_job);
  bl_buf_init(&kv->text, 0);
  return kv;
}

static void free_value(struct value *value) {
  bl_ns_text_free(&value->text);
  free(value);
}

void bl_ns_kv_free(struct bl_ns_kv *kv) {
  if (kv == NULL) return;
  BL_ASSERT(!kv->writing);
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&kv->spaces, &cursor)) != NULL) {
    struct space *space = entry->value;
    size_t inner = 0;
    const struct bl_map_entry *item;
    while ((item = bl_map_next(&space->values, &inner)) != NULL) free_value(item->value);
    bl_map_fini(&space->values);
    free(space);
  }
  bl_map_fini(&kv->spaces);
  bl_buf_fini(&kv->text);
  free(kv);
}

int64_t bl_ns_kv_bytes(const struct bl_ns_kv *kv) {
  return kv->bytes;
}

static struct space *take_space(struct bl_ns_kv *kv, struct bl_slice name) {
  struct space *space = bl_map_get(&kv->spaces, name);
  if (space != NULL) return space;
  space = calloc(1, sizeof(*space));
  BL_ASSERT(space != NULL);
  bl_map_init(&space->values);
  bl_map_put(&kv->spaces, name, space);
  kv->bytes += (int64_t)name.len;
  return space;
}

static void drop_value(struct bl_ns_kv *kv, struct space *space, struct bl_slice key) {
  struct value *value = bl_map_remove(&space->values, key);
  if (value == NULL) return;
  kv->bytes -= (int64_t)(key.len + value->text.len);
  free_value(value);
}

/* An absent value is none, as null is in RocketMQ's table. */
static bl_err put_value(struct bl_ns_kv *kv, struct bl_slice name, struct bl_slice key,
                        struct bl_slice text) {
  size_t more = name.len + key.len + text.len;
  if (more > BL_NAMESRV_KV_BYTES_MAX - (size_t)kv->bytes) return BL_ERR_FULL;
  struct space *space = take_space(kv, name);
  drop_value(kv, space, key);
  if (text.ptr == NULL) return BL_OK;
  struct value *value = calloc(1, sizeof(*value));
  BL_ASSERT(value != NULL);
  value->text = bl_ns_text_copy(text);
  bl_map_put(&space->values, key, value);
  kv->bytes += (int64_t)(key.len + text.len);
  return BL_OK;
}

struct bl_slice bl_namesrv_kv_get(const struct bl_namesrv *ns, struct bl_slice space_name,
                                  struct bl_slice key) {
  const struct space *space = bl_map_get(&ns->kv->spaces, space_name);
  const struct value *value = space != NULL ? bl_map_get(&space->values, key) : NULL;
  return value != NULL ? value->text : bl_slice_text(NULL);
}

static void put_space(struct bl_json_writer *w, const struct space *space) {
  bl_json_open_object(w);
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&space->values, &cursor)) != NULL) {
    const struct value *value = entry->value;
    bl_json_key_slice(w, entry->key);
    bl_json_put_text(w, value->text);
  }
  bl_json_close_object(w);
}

bool bl_namesrv_kv_list(const struct bl_namesrv *ns, struct bl_slice space_name,
                        struct bl_buf *out) {
  const struct space *space = bl_map_get(&ns->kv->spaces, space_name);
  if (space == NULL) return false;
  struct bl_json_writer w = bl_json_writer_of(out, false);
  bl_json_open_object(&w);
  bl_json_key(&w, "table");
  put_space(&w, space);
  bl_json_close_object(&w);
  return true;
}

/* KVConfigSerializeWrapper#toJson, which is not the pretty form. */
static void put_table(const struct bl_ns_kv *kv, struct bl_buf *out) {
  struct bl_json_writer w = bl_json_writer_of(out, false);
  bl_json_open_object(&w);
  bl_json_key(&w, "configTable");
  bl_json_open_object(&w);
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&kv->spaces, &cursor)) != NULL) {
    bl_json_key_slice(&w, entry->key);
    put_space(&w, entry->value);
  }
  bl_json_close_object(&w);
  bl_json_close_object(&w);
}

/* On a worker thread. */
static void save(struct bl_job *job) {
  struct bl_ns_kv *kv = BL_CONTAINER(job, struct bl_ns_kv, job);
  const char *slash = strrchr(kv->path, '/');
  kv->err = BL_OK;
  kv->why.text[0] = '\0';
  if (slash != NULL && slash != kv->path) {
    char *folder = strndup(kv->path, (size_t)(slash - kv->path));
    BL_ASSERT(folder != NULL);
    kv->err = kv->disk->ops->make_dir(kv->disk, folder, &kv->why);
    free(folder);
  }
  if (kv->err == BL_OK) {
    kv->err = bl_disk_replace_file(kv->disk, kv->path, bl_buf_slice(&kv->text), true, &kv->why);
  }
}

static void start_save(struct bl_ns_kv *kv);

static void saved(struct bl_job *job) {
  struct bl_ns_kv *kv = BL_CONTAINER(job, struct bl_ns_kv, job);
  kv->writing = false;
  if (kv->err != BL_OK) {
    bl_log(BL_LOG_ERROR, "namesrv", "kv.save_failed",
           "path=%s why=\"%s\"; going on with the table in memory", kv->path, kv->why.text);
  }
  struct bl_list done;
  bl_list_init(&done);
  struct bl_list *node;
  while ((node = bl_list_take_first(&kv->on_job)) != NULL) bl_list_add_last(&done, node);
  bl_err err = kv->err;
  struct bl_why why = kv->why;
  if (kv->dirty) start_save(kv);
  while ((node = bl_list_take_first(&done)) != NULL) {
    struct bl_namesrv_kv_wait *wait = BL_CONTAINER(node, struct bl_namesrv_kv_wait, node);
    wait->done(wait, err, &why);
  }
}

static void start_save(struct bl_ns_kv *kv) {
  struct bl_namesrv *ns = kv->ns;
  kv->dirty = false;
  kv->writing = true;
  kv->disk = ns->deps.disk;
  kv->path = ns->settings->kv_config_path;
  bl_buf_clear(&kv->text);
  put_table(kv, &kv->text);
  struct bl_list *node;
  while ((node = bl_list_take_first(&kv->waiting)) != NULL) bl_list_add_last(&kv->on_job, node);
  kv->job = (struct bl_job){.run = save, .done = saved};
  bl_worker_submit(ns->deps.worker, &kv->job);
}

/* The table changed; `wait` wants to know when that is in the file. */
static void changed(struct bl_namesrv *ns, struct bl_namesrv_kv_wait *wait) {
  struct bl_ns_kv *kv = ns->kv;
  kv->ns = ns;
  ns->settings_stamp = ++ns->stamp;
  if (ns->settings->kv_config_path[0] == '\0') {
    wait->done(wait, BL_OK, NULL);
    return;
  }
  kv->dirty = true;
  bl_list_add_last(&kv->waiting, &wait->node);
  if (!kv->writing) start_save(kv);
}

bl_err bl_namesrv_kv_put(struct bl_namesrv *ns, struct bl_slice space, struct bl_slice key,
                         struct bl_slice value, struct bl_namesrv_kv_wait *wait) {
  bl_err err = put_value(ns->kv, space, key, value);
  if (err == BL_OK) changed(ns, wait);
  return err;
}

void bl_namesrv_kv_delete(struct bl_namesrv *ns, struct bl_slice space_name, struct bl_slice key,
                          struct bl_namesrv_kv_wait *wait) {
  struct space *space = bl_map_get(&ns->kv->spaces, space_name);
  if (space != NULL) drop_value(ns->kv, space, key);
  changed(ns, wait);
}

static bl_err load_space(struct bl_ns_kv *kv, struct bl_slice name, const struct bl_json *node) {
  take_space(kv, name);
  for (const struct bl_json *item = node->child; item != NULL; item = item->next) {
    bl_err err = put_value(kv, name, item->key, bl_json_text(item));
    if (err != BL_OK) return err;
  }
  return BL_OK;
}

static bl_err load_table(struct bl_ns_kv *kv, const struct bl_json *root, struct bl_why *why) {
  const struct bl_json *table = bl_json_get(root, "configTable");
  if (root->kind != BL_JSON_OBJECT || (table != NULL && table->kind != BL_JSON_OBJECT)) {
    return bl_why_set(why, BL_ERR_FORMAT, "there is no object configTable in it");
  }
  const struct bl_json *node = table != NULL ? table->child : NULL;
  for (; node != NULL; node = node->next) {
    bl_err err = node->kind == BL_JSON_OBJECT ? load_space(kv, node->key, node) : BL_ERR_FORMAT;
    if (err != BL_OK) {
      return bl_why_set(why, err, "namespace %.*s: %s", BL_FMT(node->key), bl_err_text(err));
    }
  }
  return BL_OK;
}

bl_err bl_namesrv_load(struct bl_namesrv *ns, struct bl_why *why) {
  const char *path = ns->settings->kv_config_path;
  if (path[0] == '\0') return BL_OK;
  struct bl_arena arena;
  bl_arena_init(&arena);
  struct bl_slice bytes;
  struct bl_why cause = {""};
  const struct bl_json *root = NULL;
  bl_err err = bl_disk_read_file(ns->deps.disk, path, FILE_BYTES_MAX, &arena, &bytes);
  if (err == BL_ERR_NOT_FOUND) {
    err = BL_OK;
  } else if (err != BL_OK) {
    bl_why_set(why, err, "%s cannot be read: %s", path, bl_err_text(err));
  } else {
    err = bl_json_parse(bytes, BL_JSON_DIALECT, &arena, &root, &cause);
    if (err == BL_OK) err = load_table(ns->kv, root, &cause);
    if (err != BL_OK) {
      bl_why_set(why, err,
                 "%s holds the name server's values and is damaged: %s; repair it, put %s.bak in "
                 "its place, or "
                 "move it away to start with none",
                 path, cause.text, path);
    }
  }
  bl_arena_fini(&arena);
  return err;
}
