/* Handlers, masks, the order of delivery, interrupted and restarted calls. */
#include "guest.h"
#include <semaphore.h>

static volatile sig_atomic_t seen[65], depth, deepest;
static char order[4096];
static sem_t semaphore;

static void plain(int number)
{
    seen[number]++;
    if (strlen(order) < 100)
        strcat(strcat(order, sigabbrev_np(number)), " ");
}

static void nested(int number)
{
    if (++depth > deepest)
        deepest = depth;
    if (seen[number]++ < 2)
        raise(number);
    depth--;
}

static void informed(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    SAY("%s: si_signo %d si_code %d mine %d blocked USR2 %d", sigabbrev_np(number),
        info->si_signo, info->si_code, info->si_pid == getpid(),
        sigismember(&uc->uc_sigmask, SIGUSR2));
}

static void install(int number, void *handler, int flags, int also)
{
    struct sigaction action = { .sa_flags = flags };
    action.sa_sigaction = handler;
    sigemptyset(&action.sa_mask);
    if (also)
        sigaddset(&action.sa_mask, also);
    sigaction(number, &action, 0);
}

static void masks(void)
{
    sigset_t set, old, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGKILL);
    install(SIGUSR1, plain, 0, 0);
    install(SIGUSR2, plain, 0, 0);
    install(SIGTERM, plain, 0, 0);
    sigprocmask(SIG_BLOCK, &set, 0);
    kill(getpid(), SIGTERM);
    raise(SIGUSR2);
    raise(SIGUSR1);
    raise(SIGUSR1);
    sigpending(&pending);
    SAY("pending %d %d %d", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGUSR2),
        sigismember(&pending, SIGTERM));
    sigprocmask(SIG_UNBLOCK, &set, &old);
    SAY("KILL was blocked: %d; seen %d %d %d", sigismember(&old, SIGKILL), seen[SIGUSR1],
        seen[SIGUSR2], seen[SIGTERM]);
    SAY("order: %s", order);
}

static void depths(void)
{
    install(SIGUSR1, nested, SA_NODEFER, 0);
    seen[SIGUSR1] = deepest = 0;
    raise(SIGUSR1);
    SAY("SA_NODEFER: depth %d", deepest);
    install(SIGUSR1, nested, 0, 0);
    seen[SIGUSR1] = deepest = 0;
    raise(SIGUSR1);
    SAY("deferred: depth %d seen %d", deepest, seen[SIGUSR1]);
    install(SIGUSR1, plain, SA_RESETHAND, 0);
    seen[SIGUSR1] = 0;
    raise(SIGUSR1);
    struct sigaction now;
    sigaction(SIGUSR1, 0, &now);
    SAY("SA_RESETHAND: default again: %d", now.sa_handler == SIG_DFL);
}

/* A child that sends a signal again and again, or five times and then a byte. */
static pid_t interrupter(int number, int fd)
{
    pid_t parent = getpid(), child = fork();
    if (child)
        return child;
    for (int i = 0; fd < 0 || i < 5; i++) {
        sleep_ms(20);
        kill(parent, number);
    }
    sleep_ms(20);
    _exit(write(fd, "x", 1) != 1);
}

static void enough(pid_t child)
{
    kill(child, SIGKILL);
    wait_for(child);
}

static void interruptions(void)
{
    int ends[2];
    char byte = 0;
    if (pipe(ends))
        return;
    install(SIGUSR1, plain, 0, 0);
    pid_t child = interrupter(SIGUSR1, -1);
    SHOW(read(ends[0], &byte, 1));
    SHOW(sem_wait(&semaphore));
    enough(child);
    install(SIGUSR1, plain, SA_RESTART, 0);
    child = interrupter(SIGUSR1, ends[1]);
    SHOW(read(ends[0], &byte, 1));
    say_status("interrupter", wait_for(child));
    child = interrupter(SIGUSR1, -1);
    SHOW(pause());
    enough(child);
    child = interrupter(SIGUSR1, -1);
    struct timespec wanted = { 5, 0 }, left = { 0, 0 };
    long got = nanosleep(&wanted, &left);
    SAY("nanosleep: %ld %s, left more than 3 s: %d", got, strerrorname_np(errno), left.tv_sec >= 3);
    enough(child);
    child = interrupter(SIGUSR1, -1);
    struct pollfd one = { .fd = ends[0], .events = POLLIN };
    SHOW(poll(&one, 1, 5000));
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    SHOW(select(ends[0] + 1, &set, 0, 0, 0));
    enough(child);
    /* A signal that is ignored interrupts nothing. */
    signal(SIGUSR1, SIG_IGN);
    child = interrupter(SIGUSR1, ends[1]);
    SHOW(read(ends[0], &byte, 1));
    wait_for(child);
    /* Neither do stopping and going on, and a sleep does not begin anew. */
    pid_t parent = getpid();
    child = fork();
    if (!child) {
        for (int i = 0; i < 4; i++) {
            sleep_ms(30);
            kill(parent, SIGSTOP);
            sleep_ms(30);
            kill(parent, SIGCONT);
        }
        _exit(write(ends[1], "y", 1) != 1);
    }
    struct timespec since, now;
    clock_gettime(CLOCK_MONOTONIC, &since);
    wanted = (struct timespec){ 0, 200000000 };
    SHOW(nanosleep(&wanted, &left));
    clock_gettime(CLOCK_MONOTONIC, &now);
    long ms = (now.tv_sec - since.tv_sec) * 1000 + (now.tv_nsec - since.tv_nsec) / 1000000;
    SAY("slept %d %d", ms >= 199, ms < 2000);
    SHOW(read(ends[0], &byte, 1));
    say_status("stopper", wait_for(child));
}

static void suspended(void)
{
    sigset_t block, none, after;
    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, 0);
    install(SIGUSR1, plain, 0, 0);
    seen[SIGUSR1] = 0;
    pid_t child = interrupter(SIGUSR1, -1);
    SHOW(sigsuspend(&none));
    enough(child);
    sigprocmask(SIG_BLOCK, 0, &after);
    SAY("seen %d, blocked again %d", seen[SIGUSR1] > 0, sigismember(&after, SIGUSR1));
    sigprocmask(SIG_UNBLOCK, &block, 0);
}

/* A mask that lasts as long as a call: ppoll, pselect. */
static void masked_waits(void)
{
    sigset_t block, none, all, after;
    sigemptyset(&none);
    sigfillset(&all);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    install(SIGUSR1, plain, 0, 0);
    struct timespec brief = { 0, 1000000 }, minute = { 60, 0 };
    SHOW(ppoll(0, 0, &brief, &all));
    sigprocmask(SIG_BLOCK, &block, &after);
    SAY("blocks nothing behind: %d", !sigismember(&after, SIGUSR2));
    raise(SIGUSR1);
    seen[SIGUSR1] = 0;
    SHOW(ppoll(0, 0, &minute, &none));
    SAY("seen %d", seen[SIGUSR1]);
    raise(SIGUSR1);
    SHOW(pselect(0, 0, 0, 0, &brief, 0));
    SAY("seen %d", seen[SIGUSR1]);
    SHOW(pselect(0, 0, 0, 0, &minute, &none));
    SAY("seen %d", seen[SIGUSR1]);
    sigprocmask(SIG_UNBLOCK, &block, &after);
    SAY("was blocked again: %d", sigismember(&after, SIGUSR1));
    pid_t child = fork();
    if (!child) {
        ppoll(0, 0, 0, &all);
        _exit(0);
    }
    sleep_ms(30);
    kill(child, SIGUSR1);
    kill(child, SIGKILL);
    say_status("everything masked", wait_for(child));
}

static volatile pid_t told_pid;
static volatile int told_code, told_status;

static void child_ended(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    told_pid = info->si_pid;
    told_code = info->si_code;
    told_status = info->si_status;
}

static void children(void)
{
    install(SIGCHLD, child_ended, SA_SIGINFO | SA_RESTART, 0);
    pid_t child = fork();
    if (!child)
        _exit(42);
    int status = wait_for(child);
    say_status("child", status);
    SAY("SIGCHLD: mine %d CLD_EXITED %d status %d", told_pid == child, told_code == CLD_EXITED,
        told_status);
    child = fork();
    if (!child) {
        signal(SIGTERM, SIG_DFL);
        raise(SIGTERM);
    }
    say_status("child", wait_for(child));
    SAY("SIGCHLD: CLD_KILLED %d status %d", told_code == CLD_KILLED, told_status);
    signal(SIGCHLD, SIG_IGN);
    child = fork();
    if (!child)
        _exit(1);
    SHOW(waitpid(child, &status, 0));
    signal(SIGCHLD, SIG_DFL);
}

static void execed(char *self)
{
    signal(SIGUSR1, SIG_IGN);
    install(SIGUSR2, plain, 0, 0);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_SETMASK, &set, 0);
    fflush(stdout);
    execl(self, self, "after", (char *)0);
}

static int after(void)
{
    struct sigaction one, two;
    sigset_t mask;
    sigaction(SIGUSR1, 0, &one);
    sigaction(SIGUSR2, 0, &two);
    sigprocmask(SIG_BLOCK, 0, &mask);
    SAY("after exec: USR1 ignored %d, USR2 default %d, WINCH blocked %d", one.sa_handler == SIG_IGN,
        two.sa_handler == SIG_DFL, sigismember(&mask, SIGWINCH));
    return 7;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return after();
    masks();
    depths();
    install(SIGUSR1, informed, SA_SIGINFO, SIGUSR2);
    kill(getpid(), SIGUSR1);
    raise(SIGUSR1);
    interruptions();
    suspended();
    masked_waits();
    children();
    execed(argv[0]);
    return 1;
}
