#include "os/process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

int32_t bl_process_pid(void) {
  return (int32_t)getpid();
}

/* The second number of /proc/self/statm is resident pages. */
int64_t bl_process_resident_bytes(void) {
  int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[128];
  ssize_t len = read(file, text, sizeof(text) - 1);
  close(file);
  if (len <= 0) return 0;
  text[len] = 0;
  const char *space = strchr(text, ' ');
  if (space == NULL) return 0;
  return strtoll(space + 1, NULL, 10) * (int64_t)sysconf(_SC_PAGESIZE);
}

static int64_t time_us(struct timeval t) {
  return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

int64_t bl_process_cpu_us(void) {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return time_us(usage.ru_utime) + time_us(usage.ru_stime);
}

void bl_process_host_ipv4(uint8_t out_addr[4]) {
  static const uint8_t loopback[4] = {127, 0, 0, 1};
  memcpy(out_addr, loopback, 4);
  struct ifaddrs *list = NULL;
  if (getifaddrs(&list) != 0) return;
  for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next) {
    if (at->ifa_addr == NULL || at->ifa_addr->sa_family != AF_INET) continue;
    if ((at->ifa_flags & IFF_UP) == 0 || (at->ifa_flags & IFF_LOOPBACK) != 0) continue;
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)at->ifa_addr;
    memcpy(out_addr, &in->sin_addr.s_addr, 4);
    break;
  }
  freeifaddrs(list);
}

void bl_process_write_stderr(const char *text, uint64_t len) {
  while (len > 0) {
    ssize_t put = write(STDERR_FILENO, text, len);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return; /* nobody is there to be told */
    text += put;
    len -= (uint64_t)put;
  }
}

int64_t bl_process_memory_bytes(void) {
  int64_t pages = sysconf(_SC_PHYS_PAGES);
  int64_t page_bytes = sysconf(_SC_PAGESIZE);
  return pages > 0 && page_bytes > 0 ? pages * page_bytes : INT64_MAX;
}

void bl_process_sleep_ms(int64_t ms) {
  struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  while (nanosleep(&wait, &wait) != 0 && errno == EINTR) {}
}
