/* Signals that queue, signals that are fetched, and what waitid tells. */
#include "guest.h"
#include <sys/signalfd.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define RT (SIGRTMIN + 3)

static char order[4096];

static void note(int number, siginfo_t *info, void *context)
{
    (void)context;
    char text[64];
    sprintf(text, "%d:%d:%d ", number - SIGRTMIN, info->si_code, info->si_value.sival_int);
    strcat(order, text);
}

static void install(int number, int also)
{
    struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
    sigemptyset(&action.sa_mask);
    for (int n = SIGRTMIN; also && n <= SIGRTMAX; n++)
        sigaddset(&action.sa_mask, n);
    SHOW(sigaction(number, &action, 0));
}

static void flush(const char *what)
{
    SAY("%s: %s", what, order);
    order[0] = 0;
}

static long queue(pid_t pid, int number, int value)
{
    return sigqueue(pid, number, (union sigval){ .sival_int = value });
}

static void queued(void)
{
    sigset_t all, none, pending;
    sigfillset(&all);
    sigemptyset(&none);
    for (int n = RT; n < RT + 4; n++)
        install(n, 1);
    install(SIGUSR1, 1);
    sigprocmask(SIG_SETMASK, &all, 0);
    for (int i = 0; i < 3; i++) {
        SHOW(queue(getpid(), RT + 2, 10 + i));
        SHOW(queue(getpid(), RT, 20 + i));
        SHOW(queue(getpid(), SIGUSR1, 30 + i));
        SHOW(kill(getpid(), RT + 1));
        SHOW(raise(RT + 3));
    }
    sigpending(&pending);
    SAY("pending %d %d %d", sigismember(&pending, RT), sigismember(&pending, RT + 1),
        sigismember(&pending, SIGUSR2));
    sigprocmask(SIG_SETMASK, &none, 0);
    flush("delivered");
    /* A frame that lies on another is run first. */
    install(RT, 0);
    install(RT + 1, 0);
    sigprocmask(SIG_SETMASK, &all, 0);
    queue(getpid(), RT, 1);
    queue(getpid(), RT + 1, 2);
    queue(getpid(), RT, 3);
    sigprocmask(SIG_SETMASK, &none, 0);
    flush("nested");
    sigprocmask(SIG_SETMASK, &all, 0);
    queue(getpid(), RT, 1);
    queue(getpid(), RT, 2);
    signal(RT, SIG_IGN);
    sigpending(&pending);
    SAY("ignored now: %d", sigismember(&pending, RT));
    sigprocmask(SIG_SETMASK, &none, 0);
    flush("nothing");
}

static void errors(void)
{
    siginfo_t info = { .si_code = SI_QUEUE };
    SHOW(queue(getpid(), 0, 1));
    SHOW(queue(getpid(), 65, 1));
    SHOW(queue(getpid(), -1, 1));
    SHOW(queue(1 << 22, SIGUSR1, 1));
    SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), RT, NOWHERE));
    SHOW(syscall(SYS_rt_tgsigqueueinfo, 0, getpid(), RT, &info));
    SHOW(syscall(SYS_rt_tgsigqueueinfo, getpid(), -1, RT, &info));
    SHOW(syscall(SYS_rt_tgsigqueueinfo, getpid(), 1 << 22, RT, &info));
    info.si_code = SI_USER;
    SHOW(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info));
    info.si_code = SI_TKILL;
    SHOW(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info));
    info.si_code = SI_ASYNCIO;
    SHOW(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info));
    SHOW(syscall(SYS_tgkill, 0, getpid(), 0));
    SHOW(syscall(SYS_tkill, -1, 0));
    SHOW(kill(getpid(), 65));
    SHOW(kill(1 << 22, 0));
}

static void *thread(void *set)
{
    siginfo_t info;
    int number = sigwaitinfo(set, &info);
    SAY("thread got %d code %d value %d", number - SIGRTMIN, info.si_code,
        info.si_value.sival_int);
    return 0;
}

static void fetched(void)
{
    sigset_t set;
    siginfo_t info;
    struct timespec brief = { 0, 20000000 }, nothing = { 0, 0 }, wrong = { 0, 1000000000 };
    sigemptyset(&set);
    sigaddset(&set, RT);
    sigaddset(&set, RT + 1);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, 0);
    SHOW(sigtimedwait(&set, &info, &nothing));
    SHOW(sigtimedwait(&set, &info, &brief));
    SHOW(sigtimedwait(&set, &info, &wrong));
    queue(getpid(), RT + 1, 5);
    queue(getpid(), RT, 6);
    queue(getpid(), RT, 7);
    for (int i = 0; i < 3; i++) {
        int got = sigwaitinfo(&set, &info);
        SAY("got %d code %d value %d mine %d", got - SIGRTMIN, info.si_code,
            info.si_value.sival_int, info.si_pid == getpid());
    }
    pid_t parent = getpid(), child = fork();
    if (!child) {
        sleep_ms(30);
        queue(parent, RT + 1, 77);
        _exit(0);
    }
    int got = sigwaitinfo(&set, &info);
    SAY("from a child: %d value %d pid %d", got - SIGRTMIN, info.si_value.sival_int,
        info.si_pid == child);
    say_status("child", wait_for(child));
    /* Another signal ends the wait. */
    install(SIGUSR2, 0);
    child = fork();
    if (!child) {
        sleep_ms(30);
        kill(parent, SIGUSR2);
        _exit(0);
    }
    SHOW(sigwaitinfo(&set, &info));
    flush("interrupted by");
    wait_for(child);
    pthread_t other;
    pthread_create(&other, 0, thread, &set);
    sleep_ms(20);
    queue(getpid(), RT, 99);
    pthread_join(other, 0);
    pthread_create(&other, 0, thread, &set);
    sleep_ms(20);
    pthread_sigqueue(other, RT, (union sigval){ .sival_int = 98 });
    pthread_join(other, 0);
}

static void say_record(const struct signalfd_siginfo *r)
{
    SAY("record %d code %d int %d ptr %llx mine %d status %d", (int)r->ssi_signo, r->ssi_code,
        r->ssi_int, (unsigned long long)r->ssi_ptr, r->ssi_pid == (unsigned)getpid(),
        r->ssi_status);
}

static void as_file(void)
{
    sigset_t set;
    struct signalfd_siginfo records[4];
    sigemptyset(&set);
    sigaddset(&set, RT);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, 0);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    SAY("signalfd %d", fd > 2);
    SHOW(read(fd, records, sizeof records));
    SHOW(read(fd, records, 127));
    struct pollfd poll_one = { .fd = fd, .events = POLLIN | POLLOUT };
    SHOW(poll(&poll_one, 1, 0));
    queue(getpid(), RT, 41);
    kill(getpid(), SIGUSR1);
    queue(getpid(), RT, 42);
    SHOW(poll(&poll_one, 1, 0));
    SAY("revents %x", poll_one.revents);
    long size = read(fd, records, sizeof records);
    SAY("read %ld", size);
    for (long i = 0; i < size / 128; i++)
        say_record(&records[i]);
    pid_t child = fork();
    if (!child) {
        sleep_ms(20);
        _exit(3);
    }
    int epoll = epoll_create1(0);
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = 9 };
    SHOW(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
    SHOW(epoll_wait(epoll, &event, 1, 2000));
    SHOW(read(fd, records, 128));
    say_record(records);
    SAY("child %d", records[0].ssi_pid == (unsigned)child);
    wait_for(child);
    sigdelset(&set, RT);
    SHOW(signalfd(fd, &set, 0) == fd);
    queue(getpid(), RT, 1);
    SHOW(read(fd, records, 128));
    sigaddset(&set, RT);
    signalfd(fd, &set, 0);
    SHOW(read(fd, records, 128));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(signalfd(0, &set, 0));
    SHOW(signalfd(99, &set, 0));
    SHOW(signalfd(-1, &set, 1));
    SHOW(write(fd, records, 128));
    close(epoll);
    close(fd);
}

static void say_info(const char *what, long result, const siginfo_t *info, pid_t child)
{
    SAY("%s: %ld signo %d code %d status %d pid %d uid %d", what, result, info->si_signo,
        info->si_code, info->si_status, info->si_pid == child, (int)info->si_uid);
}

static void waited(void)
{
    siginfo_t info;
    memset(&info, 0x55, sizeof info);
    SHOW(waitid(P_ALL, 0, &info, WEXITED));
    SAY("zeroed %d %d", info.si_signo, info.si_pid);
    SHOW(waitid(P_ALL, 0, &info, 0));
    SHOW(waitid(P_ALL, 0, &info, WEXITED | 0x40));
    SHOW(waitid(P_PID, 0, &info, WEXITED));
    SHOW(waitid(9, 0, &info, WEXITED));
    SHOW(waitid(P_PIDFD, 0, &info, WEXITED));
    SHOW(waitid(P_PIDFD, -1, &info, WEXITED));
    pid_t child = fork();
    if (!child) {
        raise(SIGSTOP);
        sleep_ms(50); /* for the parent to be told that it goes on */
        raise(SIGTERM);
        _exit(1);
    }
    say_info("running", waitid(P_PID, child, &info, WEXITED | WNOHANG), &info, 0);
    say_info("stopped", waitid(P_PID, child, &info, WSTOPPED | WNOWAIT), &info, child);
    say_info("stopped", waitid(P_PGID, 0, &info, WSTOPPED), &info, child);
    say_info("told", waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG), &info, 0);
    sigset_t set;
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, 0);
    kill(child, SIGCONT);
    say_info("continued", waitid(P_PGID, getpgrp(), &info, WCONTINUED), &info, child);
    say_info("killed", waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), &info, child);
    SHOW(waitid(P_ALL, 0, &info, WSTOPPED | WCONTINUED));
    SHOW(waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG));
    say_info("killed", waitid(P_ALL, 0, &info, WEXITED), &info, child);
    child = fork();
    if (!child)
        _exit(17);
    int fd = syscall(SYS_pidfd_open, child, 0);
    SAY("pidfd %d cloexec %d", fd > 2, fcntl(fd, F_GETFD));
    struct pollfd one = { .fd = fd, .events = POLLIN };
    SHOW(poll(&one, 1, 5000));
    SAY("revents %x", one.revents);
    SHOW(syscall(SYS_pidfd_send_signal, fd, 0, 0, 0));
    SHOW(waitid(P_PIDFD, 0, &info, WEXITED));
    say_info("by pidfd", waitid(P_PIDFD, fd, &info, WEXITED), &info, child);
    SHOW(syscall(SYS_pidfd_send_signal, fd, 0, 0, 0));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    close(fd);
    SHOW(syscall(SYS_pidfd_open, -1, 0));
    SHOW(syscall(SYS_pidfd_open, 1 << 22, 0));
    SHOW(syscall(SYS_pidfd_open, getpid(), 1));
    SHOW(syscall(SYS_pidfd_send_signal, 0, 0, 0, 0));
    fd = syscall(SYS_pidfd_open, getpid(), 0);
    order[0] = 0;
    install(SIGUSR1, 0);
    SHOW(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, 0, 0));
    info = (siginfo_t){ .si_signo = RT, .si_code = SI_QUEUE, .si_value.sival_int = 4 };
    install(RT, 0);
    SHOW(syscall(SYS_pidfd_send_signal, fd, RT, &info, 0));
    SHOW(syscall(SYS_pidfd_send_signal, fd, RT + 1, &info, 0));
    flush("by pidfd");
    int copy = syscall(SYS_pidfd_getfd, fd, 1, 0);
    SAY("getfd %d cloexec %d", copy > 2, fcntl(copy, F_GETFD));
    SHOW(syscall(SYS_pidfd_getfd, fd, 999, 0));
    close(copy);
    close(fd);
}

static char other_stack[16384];

static void on_stack(int number)
{
    (void)number;
    stack_t now, next = { .ss_flags = SS_DISABLE };
    char here;
    sigaltstack(0, &now);
    SAY("in it %d flags %x", &here >= other_stack && &here < other_stack + sizeof other_stack,
        (unsigned)now.ss_flags);
    SHOW(sigaltstack(&next, 0));
}

static void stacks(void)
{
    stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof other_stack }, old;
    struct sigaction action = { .sa_handler = on_stack, .sa_flags = SA_ONSTACK };
    sigaction(SIGUSR1, &action, 0);
    SHOW(sigaltstack(&stack, 0));
    raise(SIGUSR1);
    sigaltstack(0, &old);
    SAY("flags %x size %d", (unsigned)old.ss_flags, (int)old.ss_size);
    stack.ss_flags = (int)0x80000000; /* SS_AUTODISARM */
    SHOW(sigaltstack(&stack, 0));
    raise(SIGUSR1);
    sigaltstack(0, &old);
    SAY("flags %x size %d", (unsigned)old.ss_flags, (int)old.ss_size);
    pid_t child = fork();
    if (!child) {
        sigaltstack(0, &old);
        SAY("child: flags %x size %d", (unsigned)old.ss_flags, (int)old.ss_size);
        _exit(0);
    }
    wait_for(child);
    stack.ss_flags = 4;
    SHOW(sigaltstack(&stack, 0));
    stack.ss_flags = SS_ONSTACK;
    SHOW(sigaltstack(&stack, 0));
    stack.ss_flags = 0;
    stack.ss_size = 100;
    SHOW(sigaltstack(&stack, 0));
}

int main(void)
{
    queued();
    errors();
    fetched();
    as_file();
    waited();
    stacks();
    return 0;
}
