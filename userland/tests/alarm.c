/* A signal ends a system call that waits; the same as with the host's C library. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile int seen;

static void on_signal(int signal)
{
    seen = signal;
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART */
    char byte;
    int fds[2];

    if (pipe(fds) < 0 || sigaction(SIGALRM, &action, NULL) < 0)
        return 1;
    for (int round = 0; round < 2; round++) {
        printf("%u ", alarm(1));
        long size = round ? pause() : read(fds[0], &byte, 1);
        printf("%ld %d %d\n", size, errno == EINTR, seen == SIGALRM);
        seen = errno = 0;
    }
    printf("%u %d\n", alarm(100), alarm(0) > 90);
    puts("1\n2\n3");
    return 0;
}
