/* kbench: what the kernel costs. kbench WHAT COUNT; prints the virtual ns of each.
 *
 * syscall: a call that does nothing; ipc: messages between two processes; switch: two processes
 * that hand the CPU to each other; tasks: processes that compute a little and end.
 */
#include <err.h>
#include <errno.h>
#include <pykern.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void await_children(int count)
{
    int status;

    while (count--)
        if (wait(&status) < 0 || status)
            errx(1, "a child failed");
}

static pid_t fork_child(void)
{
    pid_t pid = fork();

    if (pid < 0)
        err(1, "fork");
    return pid;
}

static void measure_syscall(long count)
{
    while (count--)
        getppid();
}

static void measure_ipc(long count)
{
    int port = ipc_port_create();
    char message[8] = "message";

    if (port < 0)
        err(1, "ipc_port_create");
    if (fork_child() == 0) {
        while (count) {
            if (ipc_send(port, message, sizeof message) == 0)
                count--;
            else if (errno == EAGAIN)
                sched_yield();
            else
                err(1, "ipc_send");
        }
        _exit(0);
    }
    while (count--)
        if (ipc_receive(port, message, sizeof message, IPC_NO_TIMEOUT) != sizeof message)
            err(1, "ipc_receive");
    await_children(1);
}

static void measure_switch(long count)
{
    int child = fork_child() == 0;

    for (long i = 0; i < count / 2; i++)
        sched_yield();
    if (child)
        _exit(0);
    await_children(1);
}

static void measure_tasks(long count)
{
    for (long i = 0; i < count; i++)
        if (fork_child() == 0) {
            volatile unsigned long sum = 0;
            for (unsigned long n = 0; n < 20000; n++)
                sum += n * i;
            _exit(0);
        }
    await_children(count);
}

int main(int argc, char *argv[])
{
    static const struct {
        const char *name;
        void (*measure)(long count);
    } kinds[] = {
        {"syscall", measure_syscall},
        {"ipc", measure_ipc},
        {"switch", measure_switch},
        {"tasks", measure_tasks},
    };
    struct timespec start, end;
    long count = argc == 3 ? atol(argv[2]) : 0;

    for (size_t i = 0; count > 0 && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(argv[1], kinds[i].name))
            continue;
        clock_gettime(CLOCK_MONOTONIC, &start);
        kinds[i].measure(count);
        clock_gettime(CLOCK_MONOTONIC, &end);
        long ns = (end.tv_sec - start.tv_sec) * 1000000000L + end.tv_nsec - start.tv_nsec;
        printf("%s %ld: %ld virtual ns each\n", argv[1], count, ns / count);
        return 0;
    }
    fprintf(stderr, "usage: kbench syscall | ipc | switch | tasks COUNT\n");
    return 2;
}
