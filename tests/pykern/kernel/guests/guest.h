/* What the test programs share. */
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A line of output, at once: the order of lines is the order of events. */
#define SAY(...) do { printf(__VA_ARGS__); putchar('\n'); fflush(stdout); } while (0)
/* An address that no program has, hidden from the compiler. */
static void *volatile nowhere __attribute__((unused)) = (void *)8;
#define NOWHERE ((void *)nowhere)

/* The result of a call, or the name of its error. */
#define SHOW(call) show(#call, (long)(call))

static inline void show(const char *what, long result)
{
    if (result == -1)
        SAY("%s: %s", what, strerrorname_np(errno));
    else
        SAY("%s: %ld", what, result);
}

static inline void say_status(const char *what, int status)
{
    if (WIFEXITED(status))
        SAY("%s: exited %d", what, WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        SAY("%s: killed by %s", what, sigabbrev_np(WTERMSIG(status)));
    else if (WIFSTOPPED(status))
        SAY("%s: stopped by %s", what, sigabbrev_np(WSTOPSIG(status)));
    else if (WIFCONTINUED(status))
        SAY("%s: continued", what);
    else
        SAY("%s: status %x", what, status);
}

static inline int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static inline void sleep_ms(long ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}
