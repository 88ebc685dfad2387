/* Standard input, output and error of a command. Reading and writing wait, but never longer than
 * asked: call them on a worker's thread. */
#ifndef BOLIDE_OS_STDIO_H
#define BOLIDE_OS_STDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum bl_stdio { BL_STDIN, BL_STDOUT, BL_STDERR };

bool bl_stdio_is_terminal(enum bl_stdio which);
/* Writing to a pipe that nobody reads is then an error and not the end of the process. Once at
 * start. */
void bl_stdio_ignore_broken_pipe(void);

/* FILLS what is there of standard input, at most len bytes, waiting at most wait_ms for the first.
 * BL_ERR_TIMEOUT: nothing came. BL_ERR_CLOSED: the end. BL_ERR_IO. */
BL_MUST_CHECK bl_err bl_stdio_read(char *to, size_t len, int wait_ms, size_t *out_len);
/* Writes to standard output until all is written or wait_ms passed without progress; *out_len says
 * how much. BL_ERR_TIMEOUT: not all. BL_ERR_CLOSED: the reader has gone. BL_ERR_IO: for example a
 * full disk. */
BL_MUST_CHECK bl_err bl_stdio_write(const char *from, size_t len, int wait_ms, size_t *out_len);

#endif
