/* Prints one page of docs/reference from the program's own tables: options, requests, errors or
 * cli. tools/gen-docs writes the pages with it, and tools/check compares them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "broker/settings.h"
#include "cli/verb.h"
#include "namesrv/namesrv.h"
#include "remoting/request.h"
#include "wire/headers.h"

static const char *const GENERATED =
    "<!-- Written by tools/gen-docs from the program's tables; change those, not this page. "
    "-->\n\n";

static const char *const REQUEST_NOTES =
    "# Request codes\n"
    "\n"
    "What the program answers, from the table that the build makes of `src/requests/*/*.c`. A code "
    "that is not here "
    "is answered with code 3\n"
    "` request type N not supported`. *VIP* says whether the port two below the broker port "
    "answers it too. *body* "
    "says that a request\n"
    "without one is refused. What is left out, and what clients then see: "
    "[compat.md](../compat.md).\n"
    "\n"
    "| code | name | role | VIP | body | header |\n"
    "|---:|---|---|---|---|---|\n";

static const char *const HEADER_NOTES =
    "\n"
    "## Header fields\n"
    "\n"
    "The `extFields` of those requests, from `src/wire/headers/NAME.def`. A request without a "
    "required field is answered "
    "with code 1 and\n"
    "the name of the field; fields that are not listed are passed over.\n";

static const char *const ERROR_NOTES =
    "# Errors\n"
    "\n"
    "The program's own errors (`src/base/err.def`) and the response code that a client sees for "
    "each. The remark of an "
    "answer is the text\n"
    "below, or a sentence that says more.\n"
    "\n"
    "| error | response code | text |\n"
    "|---|---:|---|\n";

static void put_options(struct bl_buf *out) {
  bl_buf_put_text(
      out,
      "# Options\n"
      "\n"
      "Keys of the file that `--config` names, and of `--set KEY=VALUE`. An unknown key in a file "
      "is told "
      "with the nearest known one\n"
      "and passed over; in `--set` it is an error, like a bad value: one sentence, exit code 2. "
      "*while "
      "running* says whether\n"
      "`mqadmin updateBrokerConfig` or `updateNamesrvConfig` may change it, until the next start.\n"
      "\n"
      "## Broker, and `bolide server`\n"
      "\n");
  bl_options_put_markdown(&bl_broker_options, out);
  bl_buf_put_text(out,
                  "\n## Name server\n"
                  "\n"
                  "Of `bolide namesrv --config FILE`. `bolide server` takes those that the broker "
                  "has no key of the same name\n"
                  "for; the others have these defaults there.\n"
                  "\n");
  bl_options_put_markdown(&bl_namesrv_options, out);
}

static const char *role_text(uint32_t roles) {
  switch (roles) {
    case BL_ROLE_NAMESRV: return "name server";
    case BL_ROLE_BROKER: return "broker";
    case BL_ROLE_NAMESRV | BL_ROLE_BROKER: return "both";
    default: return "client";
  }
}

static int by_code(const void *a, const void *b) {
  const struct bl_request *left = *(const struct bl_request *const *)a;
  const struct bl_request *right = *(const struct bl_request *const *)b;
  if (left->code != right->code) return left->code < right->code ? -1 : 1;
  return strcmp(left->name, right->name);
}

static void put_request(struct bl_buf *out, const struct bl_request *request) {
  bool on_vip =
      (request->roles & BL_ROLE_BROKER) != 0 && (request->flags & BL_REQUEST_NOT_ON_FAST_PORT) == 0;
  bl_buf_printf(out, "| %d | %s | %s | %s | %s | ", (int)request->code, request->name,
                role_text(request->roles), on_vip ? "yes" : "",
                (request->flags & BL_REQUEST_NEEDS_BODY) != 0 ? "needed" : "");
  if (request->header != NULL) {
    bl_buf_printf(out, "[%s](#%s)", request->header->name, request->header->name);
  }
  bl_buf_put_text(out, " |\n");
}

static void put_header(struct bl_buf *out, const struct bl_header_table *table) {
  static const char *const kinds[] = {"text", "int32", "int64", "bool"};
  bl_buf_printf(out, "\n### %s\n\n| field | type | required | meaning |\n|---|---|---|---|\n",
                table->name);
  for (uint32_t i = 0; i < table->field_count; i++) {
    const struct bl_field_def *field = &table->fields[i];
    bl_buf_printf(out, "| `%.*s` | %s | %s | %s |\n", BL_FMT(field->name), kinds[field->kind],
                  field->need == BL_FIELD_REQUIRED ? "yes" : "", field->meaning);
  }
}

static int by_table_name(const void *a, const void *b) {
  const struct bl_header_table *left = *(const struct bl_header_table *const *)a;
  const struct bl_header_table *right = *(const struct bl_header_table *const *)b;
  return strcmp(left->name, right->name);
}

static void put_requests(struct bl_buf *out) {
  const struct bl_request **rows = calloc(bl_request_table_count + 1, sizeof(*rows));
  const struct bl_header_table **tables = calloc(bl_request_table_count + 1, sizeof(*tables));
  BL_ASSERT(rows != NULL && tables != NULL);
  size_t table_count = 0;
  for (size_t i = 0; i < bl_request_table_count; i++) {
    rows[i] = bl_request_table[i];
    if (rows[i]->header != NULL) tables[table_count++] = rows[i]->header;
  }
  qsort(rows, bl_request_table_count, sizeof(*rows), by_code);
  qsort(tables, table_count, sizeof(*tables), by_table_name);
  bl_buf_put_text(out, REQUEST_NOTES);
  for (size_t i = 0; i < bl_request_table_count; i++) put_request(out, rows[i]);
  bl_buf_put_text(out, HEADER_NOTES);
  for (size_t i = 0; i < table_count; i++) {
    if (i == 0 || tables[i] != tables[i - 1]) put_header(out, tables[i]);
  }
  free(rows);
  free(tables);
}

static void put_errors(struct bl_buf *out) {
  bl_buf_put_text(out, ERROR_NOTES);
  for (int i = 0; i < BL_ERR_COUNT; i++) {
    bl_err err = (bl_err)i;
    bl_buf_printf(out, "| `%s` | %d | %s |\n", bl_err_name(err), (int)bl_err_code(err),
                  bl_err_text(err));
  }
}

static void put_cli(struct bl_buf *out) {
  bl_buf_put_text(out, "# Command line\n\nWhat `bolide help VERB` prints.\n");
  for (size_t i = 0; i < bl_verbs_count; i++) {
    const struct bl_verb *verb = bl_verbs[i];
    bl_buf_printf(out, "\n## bolide %s\n\n%s.\n\n```\n%s```\n", verb->name, verb->summary,
                  verb->usage);
  }
}

static const struct page {
  const char *name;
  void (*put)(struct bl_buf *out);
} PAGES[] = {
    {"options", put_options}, {"requests", put_requests}, {"errors", put_errors}, {"cli", put_cli}};

int main(int argc, char **argv) {
  struct bl_buf out;
  bl_buf_init(&out, 0);
  for (size_t i = 0; argc == 2 && i < sizeof(PAGES) / sizeof(PAGES[0]); i++) {
    if (strcmp(argv[1], PAGES[i].name) != 0) continue;
    bl_buf_put_text(&out, GENERATED);
    PAGES[i].put(&out);
  }
  bool found = out.len > 0;
  bool written = found && fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
  bl_buf_fini(&out);
  if (written) return 0;
  fprintf(stderr,
          found ? "gen_docs: cannot write\n" : "usage: gen_docs options|requests|errors|cli\n");
  return 2;
}
