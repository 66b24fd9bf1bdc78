/* Ends with everything open, set, locked, mapped, queued and asleep: the kernel has to clear it away. */
#include "guest.h"
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#define PAGES (64 * 4096)

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *wait_for_ever(void *unused)
{
    pthread_mutex_lock(&mutex);
    return unused;
}

static void set_timers(void)
{
    struct itimerval later = { .it_value.tv_sec = 5000 };
    struct itimerspec often = { .it_value.tv_sec = 4000, .it_interval.tv_sec = 1 };
    timer_t timer;
    SAY("alarm %d", setitimer(ITIMER_REAL, &later, NULL));
    SAY("timer %d", timer_create(CLOCK_MONOTONIC, NULL, &timer));
    SAY("set %d", timer_settime(timer, 0, &often, NULL));
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    SAY("timerfd %d", timerfd_settime(fd, 0, &often, NULL));
}

static void open_files(void)
{
    int pipes[2], sockets[2], epoll = epoll_create1(0);
    struct epoll_event event = { .events = EPOLLIN };
    sigset_t signals;
    sigfillset(&signals);
    SAY("pipe %d", pipe(pipes));
    SAY("with %zd", write(pipes[1], "left", 4));
    SAY("pair %d", socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
    SAY("with %zd", write(sockets[0], "x", 1));
    SAY("epoll %d", epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event));
    SAY("of itself %d", epoll_ctl(epoll, EPOLL_CTL_ADD, eventfd(7, 0), &event));
    SAY("signalfd %d", signalfd(-1, &signals, 0) > 2);
    SAY("inotify %d", inotify_add_watch(inotify_init1(0), ".", IN_ALL_EVENTS));
    int file = open("gone", O_CREAT | O_RDWR, 0600);
    SAY("file %zd", write(file, "content", 7));
    SAY("locked %d, %d", flock(file, LOCK_EX), lockf(file, F_LOCK, 0));
    SAY("without a name %d", unlink("gone"));
    SAY("pty %d", open("/dev/ptmx", O_RDWR | O_NOCTTY) > 2);
}

static void bind_socket(void)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0leaving" };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t size = offsetof(struct sockaddr_un, sun_path) + 8;
    SAY("bind %d", bind(fd, (struct sockaddr *)&name, size));
    SAY("listen %d", listen(fd, 3));
    SAY("connect %d", connect(client, (struct sockaddr *)&name, size));
    SAY("sent %zd", write(client, "nobody reads", 12));
}

static void map_memory(void)
{
    int memfd = memfd_create("memory", 0);
    SAY("memfd %d", ftruncate(memfd, PAGES));
    for (int flags = MAP_SHARED; flags <= MAP_PRIVATE; flags++) {
        char *file = mmap(NULL, PAGES, PROT_READ | PROT_WRITE, flags, memfd, 0);
        char *none = mmap(NULL, PAGES, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
        memset(file, 1, PAGES);
        memset(none, 2, PAGES);
        SAY("locked %d, without rights %d", mlock(none, 4096), mprotect(file, 4096, PROT_NONE));
    }
}

static void start_others(void)
{
    pthread_t thread;
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    SAY("pending %d", sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 1 }));
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < 3; i++)
        SAY("thread %d", pthread_create(&thread, NULL, wait_for_ever, NULL));
    for (int i = 0; i < 2; i++)
        if (!fork()) { /* one that ends first and is never waited for, one that stays */
            if (i)
                pause();
            _exit(3);
        }
    sched_yield();
}

int main(void)
{
    set_timers();
    open_files();
    bind_socket();
    map_memory();
    start_others();
    fflush(stdout);
    _exit(0);
}
