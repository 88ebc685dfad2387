#include "cli/serve.h"

#include <stdio.h>
#include <string.h>

#include "base/option.h"
#include "base/properties.h"
#include "cli/args.h"
#include "cli/verb.h"
#include "os/disk.h"
#include "server/server.h"

#define CONFIG_BYTES_MAX (1 << 20)
#define UNSET (-1)

struct serving {
  struct bl_server_settings server;
  struct bl_broker_settings broker;
  struct bl_namesrv_settings namesrv;
  const char *config;
  const char *store;
  const char *listen;
  int64_t namesrv_port;
  int64_t broker_port;
  struct bl_args_list sets;
  bool insecure;
};

/* In one process with a broker, whose keys come first, a name server has those that are its alone.
 */
static bool is_namesrv_key(const struct serving *serving, struct bl_slice name) {
  return serving->server.broker && serving->server.namesrv &&
         bl_options_find(&bl_broker_options, name) == NULL &&
         bl_options_find(&bl_namesrv_options, name) != NULL;
}

static void on_unknown(void *context, int line, struct bl_slice name, const struct bl_why *why) {
  const struct serving *serving = context;
  if (is_namesrv_key(serving, name)) return;
  fprintf(stderr, "bolide: %s line %d: %s; going on without it\n", serving->config, line,
          why->text);
}

static const struct bl_options *options_of(const struct serving *serving, void **out_settings) {
  *out_settings = serving->server.broker ? (void *)&serving->broker : (void *)&serving->namesrv;
  return serving->server.broker ? &bl_broker_options : &bl_namesrv_options;
}

static bl_err set_namesrv_key(void *context, int line, struct bl_slice name, struct bl_slice value,
                              struct bl_why *why) {
  struct serving *serving = context;
  struct bl_why reason;
  if (!is_namesrv_key(serving, name)) return BL_OK;
  bl_err err = bl_options_set(&bl_namesrv_options, &serving->namesrv, name, value,
                              BL_OPTION_AT_START, &reason);
  return err == BL_OK ? BL_OK : bl_why_set(why, err, "line %d: %s", line, reason.text);
}

static bl_err read_config(struct serving *serving, struct bl_why *why) {
  if (serving->config == NULL) return BL_OK;
  struct bl_arena arena;
  struct bl_slice text;
  void *settings;
  const struct bl_options *options = options_of(serving, &settings);
  bl_arena_init(&arena);
  bl_err err = bl_disk_read_file(bl_disk_real(), serving->config, CONFIG_BYTES_MAX, &arena, &text);
  if (err != BL_OK) {
    bl_why_set(why, BL_ERR_USAGE, "cannot read the configuration %s: %s", serving->config,
               bl_err_text(err));
  } else {
    struct bl_why reason;
    err = bl_options_set_properties(options, settings, text, BL_OPTION_AT_START, on_unknown,
                                    serving, &reason);
    if (err == BL_OK) err = bl_javaprops_parse(text, set_namesrv_key, serving, &reason);
    if (err != BL_OK) bl_why_set(why, BL_ERR_USAGE, "%s: %s", serving->config, reason.text);
  }
  bl_arena_fini(&arena);
  return err == BL_OK ? BL_OK : BL_ERR_USAGE;
}

static bl_err set_text(struct serving *serving, const char *name, const char *value,
                       struct bl_why *why) {
  void *settings;
  const struct bl_options *options = options_of(serving, &settings);
  if (value == NULL) return BL_OK;
  bl_err err = bl_options_set(options, settings, bl_slice_text(name), bl_slice_text(value),
                              BL_OPTION_AT_START, why);
  return err == BL_OK ? BL_OK : BL_ERR_USAGE;
}

/* --set KEY=VALUE: any key of the configuration file. */
static bl_err apply_sets(struct serving *serving, struct bl_why *why) {
  void *settings;
  const struct bl_options *options = options_of(serving, &settings);
  for (size_t i = 0; i < serving->sets.count; i++) {
    struct bl_slice value = bl_slice_text(serving->sets.items[i]);
    struct bl_slice name = bl_slice_cut(&value, '=');
    if (value.ptr == NULL) {
      return bl_why_set(why, BL_ERR_USAGE, "--set takes KEY=VALUE, not %s", serving->sets.items[i]);
    }
    name = bl_slice_trim(name);
    bool to_namesrv = is_namesrv_key(serving, name);
    bl_err err = bl_options_set(to_namesrv ? &bl_namesrv_options : options,
                                to_namesrv ? (void *)&serving->namesrv : settings, name,
                                bl_slice_trim(value), BL_OPTION_AT_START, why);
    if (err != BL_OK) return BL_ERR_USAGE;
  }
  return BL_OK;
}

/* The name server's values are kept beside the store, or in a folder of their own. */
static bl_err place_values(struct serving *serving, struct bl_why *why) {
  char path[BL_OPTION_TEXT_BYTES_MAX + 1];
  if (serving->namesrv.kv_config_path[0] != '\0') return BL_OK;
  const char *dir = serving->store != NULL ? serving->store : "namesrv";
  if (serving->server.broker) dir = serving->broker.store_dir;
  int len = snprintf(path, sizeof(path),
                     serving->server.broker ? "%s/config/kvConfig.json" : "%s/kvConfig.json", dir);
  if (len >= (int)sizeof(path))
    return bl_why_set(why, BL_ERR_USAGE, "the path of the store is too long");
  return bl_options_set(&bl_namesrv_options, &serving->namesrv, BL_SLICE("kvConfigPath"),
                        bl_slice_of(path, (size_t)len), BL_OPTION_AT_START, why);
}

/* Command line over configuration file over defaults. */
static bl_err settle(struct serving *serving, struct bl_why *why) {
  struct bl_server_settings *server = &serving->server;
  bl_err err = read_config(serving, why);
  if (err == BL_OK) err = apply_sets(serving, why);
  if (err == BL_OK && server->broker)
    err = set_text(serving, "storePathRootDir", serving->store, why);
  if (err == BL_OK && server->broker) err = set_text(serving, "bindAddress", serving->listen, why);
  if (err == BL_OK && server->broker) err = set_text(serving, "advertise", server->advertise, why);
  if (err == BL_OK && server->namesrv) err = place_values(serving, why);
  if (err != BL_OK) return err;
  server->listen = serving->listen != NULL ? serving->listen : "127.0.0.1";
  server->namesrv_port =
      serving->namesrv_port != UNSET ? (int)serving->namesrv_port : serving->namesrv.listen_port;
  server->insecure = serving->insecure;
  if (!server->broker) return BL_OK;
  server->listen = serving->broker.bind_address;
  server->insecure = serving->insecure || serving->broker.insecure;
  server->advertise = serving->broker.advertise;
  server->broker_port =
      serving->broker_port != UNSET ? (int)serving->broker_port : serving->broker.listen_port;
  return BL_OK;
}

/* "-c" is what RocketMQ's own start scripts say. */
static void rename_short_option(int argc, char **argv) {
  static char config[] = "--config";
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "-c") == 0) argv[i] = config;
  }
}

static int run(struct serving *serving) {
  struct bl_why why;
  if (settle(serving, &why) != BL_OK) {
    fprintf(stderr, "bolide: %s\n", why.text);
    return BL_EXIT_USAGE;
  }
  return bl_server_run(&serving->server);
}

int bl_serve(const struct bl_verb *verb, bool namesrv, bool broker, int argc, char **argv) {
  struct serving serving = {.namesrv_port = UNSET, .broker_port = UNSET};
  serving.server.namesrv = namesrv;
  serving.server.broker = broker;
  serving.server.broker_settings = &serving.broker;
  serving.server.namesrv_settings = &serving.namesrv;
  struct bl_arg options[] = {
      {"config", BL_ARG_TEXT, &serving.config, 0, 0},
      {"listen", BL_ARG_TEXT, &serving.listen, 0, 0},
      {"ready-file", BL_ARG_TEXT, &serving.server.ready_file, 0, 0},
      {"advertise", BL_ARG_TEXT, &serving.server.advertise, 0, 0},
      {"insecure", BL_ARG_FLAG, &serving.insecure, 0, 0},
      {"set", BL_ARG_LIST, &serving.sets, 0, 0},
      {"namesrv-port", BL_ARG_NUMBER, &serving.namesrv_port, 0, 65535},
      {"store", BL_ARG_TEXT, &serving.store, 0, 0},
      {"broker-port", BL_ARG_NUMBER, &serving.broker_port, 0, 65535},
  };
  size_t count = sizeof(options) / sizeof(options[0]);
  if (!broker) count -= 1;
  struct bl_args args;
  int exit_code = BL_EXIT_USAGE;
  rename_short_option(argc, argv);
  if (!bl_args_of_verb(verb, argc, argv, options, count, &args, &exit_code)) return exit_code;
  if (args.positional_count > 0) {
    fprintf(stderr, "bolide: %s takes no argument '%s'; see `bolide help %s`\n", verb->name,
            args.positional[0], verb->name);
    return BL_EXIT_USAGE;
  }
  bl_options_init(&bl_broker_options, &serving.broker);
  bl_options_init(&bl_namesrv_options, &serving.namesrv);
  exit_code = run(&serving);
  bl_options_fini(&bl_broker_options, &serving.broker);
  bl_options_fini(&bl_namesrv_options, &serving.namesrv);
  return exit_code;
}
