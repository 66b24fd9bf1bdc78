/* The end of a process. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <syscall.h>
#include <unistd.h>

#define ATEXIT_MAX 32

static void (*functions[ATEXIT_MAX])(void);
static int count;

int atexit(void (*function)(void))
{
    if (count == ATEXIT_MAX)
        return -1;
    functions[count++] = function;
    return 0;
}

void exit(int status)
{
    while (count)
        functions[--count]();
    fflush(NULL);
    _exit(status);
}

void _exit(int status)
{
    for (;;)
        sys_exit_group(status);
}

void _Exit(int status)
{
    _exit(status);
}

void abort(void)
{
    raise(SIGABRT);
    signal(SIGABRT, SIG_DFL);
    raise(SIGABRT);
    _exit(127);
}
