/* Signals, setjmp() and the environment; the same as with the host's C library. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int seen, order;
static jmp_buf context;
static volatile int *volatile nowhere = (volatile int *)16;

static void on_signal(int signal)
{
    seen = signal;
    order = order * 10 + 1;
}

static void on_fault(int signal, siginfo_t *info, void *ucontext)
{
    (void)ucontext;
    seen = signal;
    order = info->si_addr == (void *)nowhere;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    longjmp(context, 5);
}

static void handlers(void)
{
    sigset_t set, old;

    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    printf("%d\n", seen == SIGUSR1);
    seen = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    raise(SIGUSR1);
    printf("%d ", seen);
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("%d\n", seen == SIGUSR1);
}

static void faults(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO};

    action.sa_sigaction = on_fault;
    sigaction(SIGSEGV, &action, NULL);
    int came = setjmp(context);
    if (!came)
        *nowhere = 1;
    printf("%d %d %d\n", came, seen == SIGSEGV, order);
}

static void children(void)
{
    int status;

    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    printf("%d %d ", WIFSTOPPED(status), WSTOPSIG(status));
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    printf("%d %d ", WIFSIGNALED(status), WTERMSIG(status));
    pid = waitpid(-1, &status, 0);
    printf("%d %d\n", pid, errno == ECHILD);
}

static void environment(void)
{
    setenv("ONE", "1", 1);
    setenv("ONE", "other", 0);
    setenv("TWO", "2", 1);
    setenv("TWO", "two", 1);
    unsetenv("GONE");
    printf("%s %s %d\n", getenv("ONE"), getenv("TWO"), getenv("GONE") == NULL);
}

static void at_exit(void)
{
    puts("the end");
}

int main(void)
{
    atexit(at_exit);
    handlers();
    faults();
    children();
    environment();
    return 0;
}
