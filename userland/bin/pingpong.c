/* pingpong: two processes hand a byte to and fro through two pipes; -n ROUNDS (1000). */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void get(int fd)
{
    char byte;

    if (read(fd, &byte, 1) != 1)
        err(1, "read");
}

static void put(int fd)
{
    if (write(fd, "x", 1) != 1)
        err(1, "write");
}

int main(int argc, char *argv[])
{
    int there[2], back[2], status;
    long rounds = 1000;
    struct timespec start, end;

    for (int option; (option = getopt(argc, argv, "n:")) != -1;) {
        if (option == '?')
            return 1;
        rounds = atol(optarg);
    }
    if (pipe(there) < 0 || pipe(back) < 0)
        err(1, "pipe");
    clock_gettime(CLOCK_MONOTONIC, &start);
    pid_t pid = fork();
    if (pid < 0)
        err(1, "fork");
    for (long round = 0; round < rounds; round++) {
        if (pid == 0) {
            get(there[0]);
            put(back[1]);
        } else {
            put(there[1]);
            get(back[0]);
        }
    }
    if (pid == 0)
        return 0;
    clock_gettime(CLOCK_MONOTONIC, &end);
    long ns = (end.tv_sec - start.tv_sec) * 1000000000L + end.tv_nsec - start.tv_nsec;
    if (waitpid(pid, &status, 0) < 0 || status)
        errx(1, "the child failed");
    printf("%ld round trips\n", rounds);
    fprintf(stderr, "%ld ns each\n", rounds ? ns / rounds : 0);
    return 0;
}
