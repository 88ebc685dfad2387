#include "os/stdio.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_STEP_BYTES 1048576

bool bl_stdio_is_terminal(enum bl_stdio which) {
  return isatty((int)which) == 1;
}

void bl_stdio_ignore_broken_pipe(void) {
  signal(SIGPIPE, SIG_IGN);
}

static bl_err wait_for(int fd, short events, int wait_ms) {
  struct pollfd ready = {.fd = fd, .events = events};
  int count = poll(&ready, 1, wait_ms);
  if (count < 0) return errno == EINTR ? BL_ERR_TIMEOUT : BL_ERR_IO;
  if (count == 0) return BL_ERR_TIMEOUT;
  /* An error shows in the read or write that follows; a pipe without a reader has no room to become
   * free. */
  return (ready.revents & (events | POLLHUP)) == 0 && (ready.revents & POLLERR) != 0 ? BL_ERR_CLOSED
                                                                                     : BL_OK;
}

bl_err bl_stdio_read(char *to, size_t len, int wait_ms, size_t *out_len) {
  bl_err err = wait_for(STDIN_FILENO, POLLIN, wait_ms);
  if (err != BL_OK) return err;
  ssize_t got = read(STDIN_FILENO, to, len);
  if (got < 0) return errno == EINTR || errno == EAGAIN ? BL_ERR_TIMEOUT : BL_ERR_IO;
  if (got == 0) return BL_ERR_CLOSED;
  *out_len = (size_t)got;
  return BL_OK;
}

/* A pipe that is ready takes PIPE_BUF bytes without waiting, and no promise is made about more. */
static size_t step_bytes(void) {
  struct stat info;
  return fstat(STDOUT_FILENO, &info) == 0 && S_ISREG(info.st_mode) ? FILE_STEP_BYTES : PIPE_BUF;
}

bl_err bl_stdio_write(const char *from, size_t len, int wait_ms, size_t *out_len) {
  size_t step = step_bytes();
  size_t done = 0;
  bl_err err = BL_OK;
  while (done < len && err == BL_OK) {
    err = wait_for(STDOUT_FILENO, POLLOUT, wait_ms);
    if (err != BL_OK) break;
    ssize_t put = write(STDOUT_FILENO, from + done, len - done < step ? len - done : step);
    if (put >= 0)
      done += (size_t)put;
    else if (errno == EPIPE)
      err = BL_ERR_CLOSED;
    else if (errno != EINTR && errno != EAGAIN)
      err = BL_ERR_IO;
  }
  *out_len = done;
  return err;
}
