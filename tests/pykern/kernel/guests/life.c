/* How processes and threads come and go: clone in all forms, execveat, robust locks, prctl,
 * scheduling classes. */
#include "guest.h"
#include <linux/sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>

static int raw_clone3(struct clone_args *args, size_t size)
{
    return (int)syscall(SYS_clone3, args, size);
}

static void cloned(void)
{
    int fd = -1, status;
    pid_t tid = -1;
    struct clone_args args = { .flags = CLONE_PIDFD | CLONE_PARENT_SETTID, .pidfd = (uintptr_t)&fd,
                               .parent_tid = (uintptr_t)&tid, .exit_signal = SIGCHLD };
    pid_t child = raw_clone3(&args, sizeof args);
    if (!child)
        _exit(7);
    SAY("pidfd %d cloexec %d tid %d", fd > 2, fcntl(fd, F_GETFD), tid == child);
    struct pollfd one = { .fd = fd, .events = POLLIN };
    SHOW(poll(&one, 1, 5000));
    say_status("clone3", wait_for(child));
    close(fd);
    SHOW(raw_clone3(&args, 8));
    SHOW(raw_clone3(&args, 5000));
    SHOW(raw_clone3(NOWHERE, sizeof args));
    args = (struct clone_args){ .flags = 1ull << 40 };
    SHOW(raw_clone3(&args, sizeof args));
    args = (struct clone_args){ .exit_signal = 65 };
    SHOW(raw_clone3(&args, sizeof args));
    args = (struct clone_args){ .flags = CLONE_THREAD };
    SHOW(raw_clone3(&args, sizeof args));
    args = (struct clone_args){ .flags = CLONE_SIGHAND };
    SHOW(raw_clone3(&args, sizeof args));
    args = (struct clone_args){ .stack = 4096 };
    SHOW(raw_clone3(&args, sizeof args));
    args = (struct clone_args){ .flags = SIGCHLD };
    SHOW(raw_clone3(&args, sizeof args));
    args = (struct clone_args){ .flags = CLONE_PIDFD, .pidfd = 8, .exit_signal = SIGCHLD };
    SHOW(raw_clone3(&args, sizeof args));
    /* No signal at its end: only waited for with __WALL or __WCLONE. */
    args = (struct clone_args){ .exit_signal = 0 };
    child = raw_clone3(&args, sizeof args);
    if (!child)
        _exit(3);
    SHOW(waitpid(child, &status, 0));
    SAY("with __WALL: %d", waitpid(child, &status, __WALL) == child);
    say_status("quiet", status);
    args = (struct clone_args){ .exit_signal = SIGUSR1 };
    signal(SIGUSR1, SIG_IGN);
    child = raw_clone3(&args, sizeof args);
    if (!child)
        _exit(4);
    SAY("with __WCLONE: %d", waitpid(child, &status, __WCLONE) == child);
    signal(SIGUSR1, SIG_DFL);
    /* Descriptors, memory and handlers that are shared. */
    args = (struct clone_args){ .flags = CLONE_FILES, .exit_signal = SIGCHLD };
    child = raw_clone3(&args, sizeof args);
    if (!child)
        _exit(dup2(1, 77) != 77);
    wait_for(child);
    SHOW(fcntl(77, F_GETFD));
    SHOW(close(77));
    signal(SIGUSR2, SIG_IGN);
    args = (struct clone_args){ .flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD };
    child = raw_clone3(&args, sizeof args);
    if (!child) {
        struct sigaction now;
        sigaction(SIGUSR2, 0, &now);
        _exit(now.sa_handler == SIG_IGN ? 1 : 2);
    }
    say_status("cleared", wait_for(child));
    signal(SIGUSR2, SIG_DFL);
}

static volatile int shared;
static char stack[65536] __attribute__((aligned(16)));

static int in_shared_memory(void *argument)
{
    shared = *(int *)argument;
    return 5;
}

static void shares_memory(void)
{
    int value = 42;
    shared = 0;
    pid_t child = clone(in_shared_memory, stack + sizeof stack, CLONE_VM | SIGCHLD, &value);
    say_status("CLONE_VM", wait_for(child));
    SAY("shared %d", shared);
    child = clone(in_shared_memory, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &value);
    SAY("after vfork it is done: %d", shared);
    say_status("CLONE_VFORK", wait_for(child));
    child = vfork();
    if (!child) {
        shared = 99;
        _exit(6);
    }
    SAY("vfork: %d", shared);
    say_status("vfork", wait_for(child));
}

static pthread_mutex_t robust, plain;

static void *owner(void *argument)
{
    pthread_mutex_lock(argument);
    return 0;
}

static void robust_locks(void)
{
    pthread_mutexattr_t attributes;
    pthread_t thread;
    struct timespec soon;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    pthread_mutex_init(&plain, 0);
    pthread_create(&thread, 0, owner, &robust);
    pthread_join(thread, 0);
    SAY("owner died: %d", pthread_mutex_lock(&robust) == EOWNERDEAD);
    SAY("consistent: %d", pthread_mutex_consistent(&robust));
    SAY("unlock: %d", pthread_mutex_unlock(&robust));
    SAY("lock: %d", pthread_mutex_lock(&robust));
    pthread_mutex_unlock(&robust);
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 20000000;
    if (soon.tv_nsec >= 1000000000)
        soon.tv_sec++, soon.tv_nsec -= 1000000000;
    pthread_create(&thread, 0, owner, &plain);
    pthread_join(thread, 0);
    SAY("plain: %s", strerrorname_np(pthread_mutex_timedlock(&plain, &soon)));
    /* In shared memory, of a process that is killed while another waits. */
    pthread_mutex_t *both = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(both, &attributes);
    pid_t child = fork();
    if (!child) {
        pthread_mutex_lock(both);
        sleep_ms(60);
        raise(SIGKILL);
    }
    sleep_ms(20);
    SAY("killed owner: %d", pthread_mutex_lock(both) == EOWNERDEAD);
    say_status("owner", wait_for(child));
    void *head;
    size_t size;
    SHOW(syscall(SYS_get_robust_list, 0, &head, &size));
    SAY("%d %d", head != 0, (int)size);
    SHOW(syscall(SYS_get_robust_list, 1 << 22, &head, &size));
    SHOW(syscall(SYS_set_robust_list, head, 23));
}

static void ended_by(pid_t child)
{
    say_status("child", wait_for(child));
}

static void says(void)
{
    char name[32];
    int value = 9;
    SHOW(prctl(PR_SET_NAME, "a name that is too long"));
    SHOW(prctl(PR_GET_NAME, name));
    SAY("%s", name);
    SHOW(prctl(PR_GET_DUMPABLE));
    SHOW(prctl(PR_SET_DUMPABLE, 0));
    SHOW(prctl(PR_GET_DUMPABLE));
    SHOW(prctl(PR_SET_DUMPABLE, 5));
    SHOW(prctl(PR_SET_DUMPABLE, 1));
    SHOW(prctl(PR_GET_PDEATHSIG, &value));
    SAY("%d", value);
    SHOW(prctl(PR_SET_PDEATHSIG, 99));
    SHOW(prctl(PR_CAPBSET_READ, 5));
    SHOW(prctl(PR_CAPBSET_READ, 200));
    SHOW(prctl(PR_GET_TIMERSLACK));
    SHOW(prctl(PR_SET_TIMERSLACK, 1234));
    SHOW(prctl(PR_GET_TIMERSLACK));
    SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
    SHOW(prctl(123456));
    SHOW(personality(0xffffffff));
    SHOW(personality(ADDR_NO_RANDOMIZE));
    SHOW(personality(0));
    SHOW(personality(0xffffffff));
    unsigned char bytes[16];
    SHOW(getrandom(bytes, 16, GRND_NONBLOCK));
    SHOW(getrandom(bytes, 16, 0x80));
    SHOW(getrandom(bytes, 16, GRND_RANDOM | 4));
    SHOW(getrandom(NOWHERE, 16, 0));
}

static void orphans(void)
{
    int ends[2], pid = 0;
    if (pipe(ends))
        return;
    /* A grandchild hears of its parent's end. */
    pid_t child = fork();
    if (!child) {
        pid_t grandchild = fork();
        if (!grandchild) {
            prctl(PR_SET_PDEATHSIG, SIGUSR1);
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, SIGUSR1);
            sigprocmask(SIG_BLOCK, &set, 0);
            if (write(ends[1], "r", 1) != 1)
                _exit(1);
            siginfo_t info;
            sigwaitinfo(&set, &info);
            _exit(write(ends[1], "h", 1) != 1);
        }
        char c;
        if (read(ends[0], &c, 1) != 1)
            _exit(1);
        _exit(0);
    }
    ended_by(child);
    char c = 0;
    SHOW(read(ends[0], &c, 1));
    SAY("heard: %c", c);
    SHOW(prctl(PR_SET_CHILD_SUBREAPER, 1));
    child = fork();
    if (!child) {
        if (!fork()) {
            sleep_ms(30);
            pid = getppid();
            _exit(write(ends[1], &pid, 4) != 4);
        }
        _exit(0);
    }
    ended_by(child);
    SHOW(read(ends[0], &pid, 4));
    SAY("reaped by me: %d", pid == getpid());
    int status;
    SAY("an orphan: %d", waitpid(-1, &status, 0) > 0);
    SHOW(prctl(PR_SET_CHILD_SUBREAPER, 0));
    close(ends[0]);
    close(ends[1]);
}

static void at_places(const char *self)
{
    char *const arguments[] = { "renamed", "again", 0 }, *const environment[] = { "A=1", 0 };
    int fd = open(self, O_PATH | O_CLOEXEC);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        syscall(SYS_execveat, fd, "", arguments, environment, AT_EMPTY_PATH);
        _exit(1);
    }
    say_status("by descriptor", wait_for(child));
    char folder[256];
    strcpy(folder, self);
    *strrchr(folder, '/') = 0;
    int dir = open(folder, O_PATH | O_DIRECTORY);
    child = fork();
    if (!child) {
        syscall(SYS_execveat, dir, strrchr(self, '/') + 1, arguments, environment, 0);
        _exit(1);
    }
    say_status("below a directory", wait_for(child));
    symlink(self, "link");
    SHOW(syscall(SYS_execveat, AT_FDCWD, "link", arguments, environment, AT_SYMLINK_NOFOLLOW));
    SHOW(syscall(SYS_execveat, AT_FDCWD, "data", arguments, environment, 1));
    SHOW(syscall(SYS_execveat, AT_FDCWD, "missing", arguments, environment, 0));
    SHOW(syscall(SYS_execveat, 99, "", arguments, environment, AT_EMPTY_PATH));
    SHOW(syscall(SYS_execveat, dir, "", arguments, environment, AT_EMPTY_PATH));
    SHOW(syscall(SYS_execveat, dir, "", arguments, environment, 0));
    close(fd);
    close(dir);
    /* No more setpgid of a child that runs a program. */
    int ends[2];
    char c;
    if (pipe(ends))
        return;
    child = fork();
    if (!child) {
        dup2(ends[1], 1);
        execl(self, self, "wait", (char *)0);
        _exit(1);
    }
    SHOW(read(ends[0], &c, 1));
    SHOW(setpgid(child, child));
    kill(child, SIGKILL);
    wait_for(child);
    close(ends[0]);
    close(ends[1]);
}

static void urgency(void)
{
    struct sched_param param = { 10 }, zero = { 0 }, found = { -1 };
    struct timespec interval = { 9, 9 };
    SHOW(sched_getscheduler(0));
    SHOW(sched_setscheduler(0, SCHED_FIFO, &zero));
    SHOW(sched_setscheduler(0, SCHED_OTHER, &param));
    SHOW(sched_setscheduler(0, 77, &param));
    SHOW(sched_setscheduler(0, -1, &param));
    SHOW(sched_setscheduler(1 << 22, SCHED_RR, &param));
    SHOW(sched_setscheduler(-1, SCHED_RR, &param));
    SHOW(sched_setscheduler(0, SCHED_RR, 0));
    SHOW(sched_setscheduler(0, SCHED_RR, &param));
    SHOW(sched_getscheduler(0));
    SHOW(sched_getparam(0, &found));
    SAY("%d", found.sched_priority);
    SHOW(sched_rr_get_interval(0, &interval));
    SAY("%ld.%03ld", (long)interval.tv_sec, interval.tv_nsec / 1000000);
    param.sched_priority = 20;
    SHOW(sched_setparam(0, &param));
    param.sched_priority = 100;
    SHOW(sched_setparam(0, &param));
    param.sched_priority = 5;
    SHOW(sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param));
    SHOW(sched_getscheduler(0));
    SHOW(sched_rr_get_interval(0, &interval));
    SAY("%ld.%03ld", (long)interval.tv_sec, interval.tv_nsec / 1000000);
    pid_t child = fork();
    if (!child)
        _exit(sched_getscheduler(0));
    say_status("child's class", wait_for(child));
    SHOW(sched_setscheduler(0, SCHED_BATCH, &zero));
    SHOW(sched_setscheduler(0, SCHED_OTHER, &zero));
    SHOW(sched_get_priority_max(SCHED_RR));
    SHOW(sched_get_priority_min(SCHED_FIFO));
    SHOW(sched_get_priority_max(SCHED_OTHER));
    SHOW(sched_get_priority_max(99));
    SHOW(setpriority(PRIO_PROCESS, 0, 15));
    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(setpriority(PRIO_PROCESS, 0, 100));
    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(setpriority(PRIO_PROCESS, 0, 2));
    child = fork();
    if (!child) { /* a zombie of the group keeps its own */
        setpgid(0, 0);
        SHOW(setpriority(PRIO_PROCESS, 0, 16));
        pid_t zombie = fork();
        if (!zombie)
            _exit(0);
        siginfo_t info;
        waitid(P_PID, zombie, &info, WEXITED | WNOWAIT);
        SHOW(setpriority(PRIO_PROCESS, 0, 18));
        SHOW(getpriority(PRIO_PGRP, 0));
        wait_for(zombie);
        SHOW(getpriority(PRIO_PGRP, 0));
        _exit(0);
    }
    say_status("group", wait_for(child));
    SHOW(setpriority(9, 0, 2));
    SHOW(getpriority(PRIO_PROCESS, 1 << 22));
    child = fork();
    if (!child) {
        if (setuid(1001))
            _exit(1);
        param.sched_priority = 1;
        SHOW(sched_setscheduler(0, SCHED_FIFO, &param));
        SHOW(sched_setscheduler(getppid(), SCHED_OTHER, &zero));
        SHOW(setpriority(PRIO_PROCESS, 0, 5));
        SHOW(setpriority(PRIO_PROCESS, 0, 4));
        SHOW(setpriority(PRIO_PROCESS, getppid(), 9));
        _exit(0);
    }
    say_status("child", wait_for(child));
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "wait")) {
        if (write(1, "x", 1) == 1)
            pause();
        return 1;
    }
    if (argc > 1) {
        SAY("%s %s %s %d", argv[0], argv[1], getenv("A"), argc);
        return 9;
    }
    cloned();
    shares_memory();
    robust_locks();
    says();
    orphans();
    at_places(argv[0]);
    urgency();
    return 0;
}
