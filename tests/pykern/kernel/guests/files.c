/* Files, locks, events and pseudo-terminals: every result is printed. */
#include "guest.h"
#include <dirent.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <termios.h>

static char buffer[256];

static void show_text(const char *what, ssize_t size)
{
    SAY("%s: %zd \"%.*s\"", what, size, size > 0 ? (int)size : 0, buffer);
}

static void content(void)
{
    int fd = open("a", O_CREAT | O_EXCL | O_RDWR, 0640);
    SHOW(write(fd, "hello world", 11));
    SHOW(lseek(fd, -5, SEEK_END));
    show_text("read", read(fd, buffer, 100));
    SHOW(pwrite(fd, "HELLO", 5, 0));
    show_text("pread", pread(fd, buffer, 100, 3));
    SHOW(ftruncate(fd, 4));
    SHOW(lseek(fd, 0, SEEK_CUR));
    struct iovec iov[2] = {{"one ", 4}, {"two", 3}};
    SHOW(writev(fd, iov, 2));
    struct stat st;
    SHOW(fstat(fd, &st));
    SAY("mode %o size %ld links %ld", st.st_mode, (long)st.st_size, (long)st.st_nlink);
    SHOW(fcntl(fd, F_GETFL) & ~O_LARGEFILE);
    SHOW(fcntl(fd, F_DUPFD_CLOEXEC, 50));
    SHOW(fcntl(50, F_GETFD));
    SHOW(dup2(fd, 60));
    SHOW(close_range(50, 60, 0));
    int waiting = -1;
    SHOW(ioctl(fd, FIONREAD, &waiting));
    SHOW(ioctl(fd, TCGETS, buffer));
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    map[0] = '!';
    show_text("mapped", pread(fd, buffer, 5, 0));
    SHOW(munmap(map, 4096));
    SHOW(close(fd));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void names(void)
{
    SHOW(mkdir("d", 0755));
    SHOW(symlink("../a", "d/link"));
    SHOW(link("a", "d/hard"));
    SHOW(rename("d/hard", "d/link/x"));
    SHOW(rename("d", "d/inside"));
    SHOW(rmdir("d"));
    SHOW(open("d", O_RDWR));
    SHOW(open("d/link", O_NOFOLLOW));
    SHOW(open("a/", O_RDONLY));
    SHOW(access("d/link", X_OK));
    show_text("readlink", readlink("d/link", buffer, sizeof buffer));
    struct dirent **found;
    int count = scandir("d", &found, NULL, by_name);
    for (int i = 0; i < count; i++)
        SAY("%s %d", found[i]->d_name, found[i]->d_type);
    int dir = open("d", O_DIRECTORY | O_RDONLY);
    SHOW(unlinkat(dir, "link", 0));
    SHOW(unlinkat(dir, "hard", AT_REMOVEDIR));
    SHOW(renameat(dir, "hard", AT_FDCWD, "moved"));
    SHOW(rmdir("d"));
    SHOW(mkdirat(dir, "x", 0755));
    close(dir);
}

static void locks(void)
{
    int fd = open("a", O_RDWR);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 3};
    SHOW(fcntl(fd, F_SETLK, &lock));
    SHOW(flock(fd, LOCK_EX));
    if (fork() == 0) {
        int other = open("a", O_RDWR);
        SHOW(flock(other, LOCK_SH | LOCK_NB));
        struct flock wanted = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
        SHOW(fcntl(other, F_SETLK, &wanted));
        SHOW(fcntl(other, F_GETLK, &wanted));
        SAY("%d %ld %ld %d", wanted.l_type, (long)wanted.l_start, (long)wanted.l_len,
               wanted.l_pid == getppid());
        wanted.l_start = 5;
        wanted.l_len = 0;
        wanted.l_type = F_WRLCK;
        SHOW(fcntl(other, F_SETLKW, &wanted));
            _exit(0);
    }
    wait(NULL);
    close(fd);
}

static void events(void)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC), counter = eventfd(2, EFD_SEMAPHORE), ends[2];
    SHOW(pipe2(ends, O_NONBLOCK));
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x123456789abc};
    SHOW(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event));
    SHOW(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event));
    event.data.u64 = 7;
    event.events = EPOLLIN | EPOLLET;
    SHOW(epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &event));
    struct epoll_event got[4];
    SHOW(epoll_wait(epoll, got, 4, -1));
    SAY("%lx %x", (long)got[0].data.u64, got[0].events);
    SHOW(epoll_wait(epoll, got, 4, 0));
    SHOW(write(ends[1], "x", 1));
    SHOW(epoll_wait(epoll, got, 4, -1));
    SAY("%lx %x", (long)got[0].data.u64, got[0].events);
    unsigned long value;
    SHOW(read(counter, &value, 8));
    SHOW(value);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct itimerspec soon = {{0, 0}, {0, 2000000}};
    SHOW(timerfd_settime(timer, 0, &soon, NULL));
    struct pollfd waiting[2] = {{timer, POLLIN, 0}, {ends[1], POLLOUT, 0}};
    SHOW(poll(waiting, 1, -1));
    SHOW(read(timer, &value, 8));
    SHOW(value);
    SHOW(poll(waiting, 2, 0));
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    SHOW(write(ends[1], "x", 1));
    SHOW(poll(waiting + 1, 1, 0));
    SAY("%x", waiting[1].revents);
}

static void terminal(void)
{
    int master, slave, ready[2];
    struct winsize size = {40, 100, 0, 0};
    SHOW(openpty(&master, &slave, NULL, NULL, &size) < 0);
    SHOW(write(master, "typex\177d\r", 8));
    show_text("line", read(slave, buffer, 100));
    show_text("echo", read(master, buffer, 100));
    SHOW(isatty(slave));
    SHOW(pipe(ready));
    if (fork() == 0) {
        SHOW(setsid() > 0);
        SHOW(ioctl(slave, TIOCSCTTY, 0));
        SHOW(tcgetpgrp(slave) == getpid());
        SHOW(open("/dev/tty", O_RDWR) >= 0);
            write(ready[1], "", 1);
        pause();
    }
    read(ready[0], buffer, 1);
    SHOW(write(master, "\003", 1));
    int status;
    wait(&status);
    say_status("Ctrl-C", status);
    SHOW(ioctl(master, TIOCGWINSZ, &size));
    SAY("%d %d", size.ws_row, size.ws_col);
    close(slave);
    read(master, buffer, sizeof buffer);
    SHOW(read(master, buffer, sizeof buffer));
}

int main(void)
{
    umask(022);
    content();
    names();
    locks();
    events();
    terminal();
    return 0;
}
