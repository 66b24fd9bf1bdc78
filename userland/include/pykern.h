/* What pykern has and Linux has not; on Linux these fail with ENOSYS. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define IPC_MESSAGE_MAX 4096
#define IPC_NO_TIMEOUT (-1)

int ipc_port_create(void);
int ipc_port_close(int port);
int ipc_send(int port, const void *buf, size_t len);
long ipc_receive(int port, void *buf, size_t len, int64_t timeout_ns);

/* Write the kernel's counters as text, one `name value` in a line; return the size of the text. */
long metrics(char *buf, size_t len);

/* The CPU that the caller runs on (Linux has this one too). */
int getcpu(unsigned *cpu, unsigned *node);
