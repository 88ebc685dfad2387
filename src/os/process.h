/* Facts about this process and this machine that handlers report (runtime info, metrics, message
 * ids). */
#ifndef BOLIDE_OS_PROCESS_H
#define BOLIDE_OS_PROCESS_H

#include <stdint.h>

int32_t bl_process_pid(void);
int64_t bl_process_resident_bytes(void);
int64_t bl_process_cpu_us(void);       /* user + system */
int64_t bl_process_memory_bytes(void); /* of the machine */
void bl_process_sleep_ms(int64_t ms);  /* for starts and tools: never in a turn */
/* FILLS the first IPv4 address that is not loopback, or 127.0.0.1. */
void bl_process_host_ipv4(uint8_t out_addr[4]);
/* Writes all to standard error or output in as few calls as possible. */
void bl_process_write_stderr(const char *text, uint64_t len);

#endif
