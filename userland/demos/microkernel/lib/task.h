/* Tasks of the microkernel: a handful of system calls, and nothing else. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <syscall_gate.h>
#include <microkernel/syscalls.h>

#define MESSAGE_SIZE 256
#define PAGE_SIZE 4096
#define ROUND_TRIPS 1000

/* Send to a task by its pid; 0, or a negated error number (-11: its queue is full). */
#define send(pid, buf, len) sys_task_send(pid, buf, len)
/* Receive one's own next message; its size, or a negated error number. */
#define recv(buf, len) sys_task_recv(buf, len)

#define EAGAIN 11
#define EFAULT 14
#define EMSGSIZE 90

/* Use the processor for a while without a system call. */
static inline void spin(long rounds)
{
    while (rounds-- > 0)
        __asm__ volatile("");
}

/* A decimal or 0x number. */
unsigned long number(const char *text);
/* Write text, a number, and text, as one line. */
void print(const char *before, unsigned long value, const char *after);
