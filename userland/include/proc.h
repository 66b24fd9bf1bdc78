/* What /proc says about processes (Linux, proc(5)). */
#pragma once

#include <sys/types.h>

#define TICKS_PER_SECOND 100 /* USER_HZ */

struct ProcessInfo {
    pid_t pid, ppid, pgid, sid;
    char state;
    char name[64]; /* of the program, at most 15 characters */
    unsigned long user_ticks, system_ticks;
    long threads;
    unsigned long start_ticks; /* after boot */
    unsigned long virtual_size, resident_size; /* bytes */
    int cpu;                   /* it ran on last */
    uid_t uid;
    char command[128]; /* with its arguments; [name] of a kernel thread */
};

/* Read all processes, in the order of their pids; the caller frees the array. -1: no /proc. */
long processes_read(struct ProcessInfo **processes);

/* Read a small file, ended by a zero; the size, or -1. */
ssize_t file_read_text(const char *path, char *text, size_t size);
