/* One question to a server and its answer, waited for: what a run asks before it begins. */
#ifndef BOLIDE_CLI_BENCH_ASK_H
#define BOLIDE_CLI_BENCH_ASK_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "cli/bench/conn.h"
#include "wire/command.h"
#include "wire/header.h"

#define BL_BENCH_ASK_MS 10000

struct bl_bench_line {
  struct bl_bench_conn conn;
  struct bl_buf out;
  int32_t opaque;
};

/* BL_ERR_CLOSED, BL_ERR_USAGE with a sentence that names the address. */
BL_MUST_CHECK bl_err bl_bench_line_open(struct bl_bench_line *line, const char *address,
                                        struct bl_why *why);
/* Accepts a zeroed struct. */
void bl_bench_line_close(struct bl_bench_line *line);

/* Puts a request (JSON, as every server takes) into line->out. RETURNS its opaque; they count up by
 * one. */
int32_t bl_bench_line_put(struct bl_bench_line *line, int32_t code,
                          const struct bl_header_table *table, const void *header);
/* Sends what was put. */
BL_MUST_CHECK bl_err bl_bench_line_send(struct bl_bench_line *line, struct bl_why *why);
/* FILLS the next answer, BORROWED until the next call; requests of the server are passed over.
 * BL_ERR_TIMEOUT, BL_ERR_CLOSED, BL_ERR_FORMAT. */
BL_MUST_CHECK bl_err bl_bench_line_answer(struct bl_bench_line *line, struct bl_arena *arena,
                                          struct bl_command *out_command, struct bl_why *why);

#endif
