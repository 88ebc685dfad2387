#include "cli/bench/echo.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/bench/e2e.h"
#include "cli/bench/null.h"
#include "cli/bench/send.h"
#include "cli/verb.h"

#define PREFIX "listening on "

/* The child: a null server that writes its address into the pipe and ends with its parent. */
static void serve(const struct bl_bench_plan *plan, int to_parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  dup2(to_parent, STDOUT_FILENO);
  close(to_parent);
  _exit(bl_bench_null(plan));
}

/* FILLS the address that the child is listening on. */
static bool read_address(int from_child, char *out_text, size_t room) {
  char line[128];
  size_t len = 0;
  while (len + 1 < sizeof(line)) {
    ssize_t got = read(from_child, line + len, 1);
    if (got != 1) return false;
    if (line[len++] == '\n') break;
  }
  line[len - 1] = '\0';
  if (strncmp(line, PREFIX, strlen(PREFIX)) != 0) return false;
  snprintf(out_text, room, "%s", line + strlen(PREFIX));
  return true;
}

int bl_bench_echo(const struct bl_bench_plan *plan) {
  char address[128];
  int ends[2];
  if (pipe(ends) != 0) return BL_EXIT_FAILED;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    serve(plan, ends[1]);
  }
  close(ends[1]);
  int exit_code = BL_EXIT_FAILED;
  if (child > 0 && read_address(ends[0], address, sizeof(address))) {
    struct bl_bench_plan send = *plan;
    send.server = address;
    exit_code = plan->hop ? bl_bench_e2e(&send) : bl_bench_send(&send);
  } else {
    fprintf(stderr, "bolide bench: the null server could not be started.\n");
  }
  close(ends[0]);
  if (child > 0) {
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
  }
  return exit_code;
}
