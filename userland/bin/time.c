/* time: run a program, and say how long it took. */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <syscall.h>
#include <time.h>
#include <unistd.h>

struct Usage { /* Linux, struct rusage: the times come first */
    struct {
        long seconds, microseconds;
    } user, system;
    long other[14];
};

static void print(const char *what, long milliseconds)
{
    fprintf(stderr, "%s\t%ldm %ld.%03lds\n", what, milliseconds / 60000,
            milliseconds / 1000 % 60, milliseconds % 1000);
}

int main(int argc, char *argv[])
{
    struct timespec start, end;
    struct Usage usage;
    int status;

    if (argc < 2)
        errx(1, "usage: time PROGRAM [ARGUMENT]...");
    clock_gettime(CLOCK_MONOTONIC, &start);
    pid_t pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        execvp(argv[1], argv + 1);
        err(errno == ENOENT ? 127 : 126, "%s", argv[1]);
    }
    while (sys_wait4(pid, &status, 0, &usage) == -EINTR)
        ;
    clock_gettime(CLOCK_MONOTONIC, &end);
    print("real", (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000);
    print("user", usage.user.seconds * 1000 + usage.user.microseconds / 1000);
    print("sys", usage.system.seconds * 1000 + usage.system.microseconds / 1000);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
