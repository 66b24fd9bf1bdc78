/* ipcping: two processes send each other numbers through ports of the kernel; -n ROUNDS (1000). */
#include <err.h>
#include <pykern.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void send(int port, long number)
{
    if (ipc_send(port, &number, sizeof number) < 0)
        err(1, "ipc_send");
}

static long receive(int port)
{
    long number;

    if (ipc_receive(port, &number, sizeof number, IPC_NO_TIMEOUT) != sizeof number)
        err(1, "ipc_receive");
    return number;
}

static int answer(int from, int to, long rounds)
{
    while (rounds--)
        send(to, -receive(from));
    return 0;
}

static void ask(int to, int from, long rounds)
{
    for (long round = 1; round <= rounds; round++) {
        send(to, round);
        long got = receive(from);
        if (got != -round)
            errx(1, "round %ld: expected %ld, got %ld", round, -round, got);
    }
}

int main(int argc, char *argv[])
{
    struct timespec start, end;
    long rounds = 1000;
    int status;

    for (int option; (option = getopt(argc, argv, "n:")) != -1;) {
        if (option == '?')
            return 1;
        rounds = atol(optarg);
    }
    int there = ipc_port_create(), back = ipc_port_create();
    if (there < 0 || back < 0)
        err(1, "ipc_port_create");
    pid_t pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0)
        return answer(there, back, rounds);
    clock_gettime(CLOCK_MONOTONIC, &start);
    ask(there, back, rounds);
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (waitpid(pid, &status, 0) < 0 || status)
        errx(1, "the child failed");
    printf("%ld round trips\n", rounds);
    long ns = (end.tv_sec - start.tv_sec) * 1000000000L + end.tv_nsec - start.tv_nsec;
    fprintf(stderr, "%ld ns each\n", rounds ? ns / rounds : 0);
    return 0;
}
