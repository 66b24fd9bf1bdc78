/* Programs of the memory and process kernel: its own system calls, and nothing else. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <syscall_gate.h>
#include <rmp/syscalls.h>

#define PAGE_SIZE 4096
#define PROT_RW 3
#define MAP_PRIVATE_ANON 0x22
/* Memory, files, signal handlers; a thread of the process; its FS base; tell the parent its number. */
#define CLONE_THREAD_FLAGS (0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x80000)

/* Write text. */
#define print(text) sys_write(1, text, sizeof(text) - 1)
/* Say what is wrong, and end with a status of its own. */
#define require(condition)                                     \
    do {                                                       \
        if (!(condition)) {                                    \
            print("failed: " #condition "\n");                 \
            return __LINE__ & 127;                             \
        }                                                      \
    } while (0)
