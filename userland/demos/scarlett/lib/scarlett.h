/* Programs of the Scarlett profile: its system calls, and nothing else. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <syscall_gate.h>
#include <scarlett/syscalls.h>

#define STDOUT 1
#define INLINE_SIZE 64
#define IPC_MSG_DATA 1

#define RIGHT_SEND 1
#define RIGHT_RECEIVE 2
#define RIGHT_GRANT 4

#define NORMAL 64

#define EPERM 1
#define ESRCH 3
#define EAGAIN 11
#define EFAULT 14
#define EINVAL 22
#define ENOSYS 38
#define EMSGSIZE 90

struct ipc_message {
    uint64_t sender_tid;
    uint64_t msg_id;
    uint32_t type;
    uint8_t inline_data[INLINE_SIZE];
    void *buffer;
    uint64_t buffer_size;
};

struct thread {
    void (*function)(void *);
    void *argument;
};

void thread_start(struct thread *thread);

/* Start a thread; `thread` must stay until it has begun. Its tid, or a negated error number. */
#define start_thread(thread, priority, name) \
    sys_thread_create(thread_start, thread, priority, name)

/* Write text to the console. */
#define print(text) sys_write(STDOUT, text, sizeof(text) - 1)

unsigned long length(const char *text);
/* Write text, a number, and text, as one line. */
void print_number(const char *before, long number, const char *after);
/* Write whether something holds, and count what does not. */
void check(const char *what, int holds);
extern int failures;
