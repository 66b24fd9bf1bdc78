/* poll, select and their timeouts; pipes full, empty, and without their other end. */
#include "guest.h"

static long elapsed_ms(struct timespec since)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - since.tv_sec) * 1000 + (now.tv_nsec - since.tv_nsec) / 1000000;
}

static void timed(const char *what, long least, long most, struct timespec since)
{
    long ms = elapsed_ms(since);
    SAY("%s: long enough %d, not too long %d", what, ms >= least, ms < most);
}

static void polls(int *ends)
{
    struct pollfd fds[4] = { { ends[0], POLLIN, 0 }, { ends[1], POLLOUT, 0 }, { -1, POLLIN, 7 },
        { 99, POLLIN, 0 } };
    struct timespec since;
    clock_gettime(CLOCK_MONOTONIC, &since);
    SHOW(poll(fds, 1, 30));
    timed("poll", 29, 2000, since);
    SHOW(poll(fds, 4, 1000));
    SAY("%x %x %x %x", fds[0].revents, fds[1].revents, fds[2].revents, fds[3].revents);
    if (write(ends[1], "abc", 3) != 3)
        return;
    SHOW(poll(fds, 2, -1));
    SAY("%x %x", fds[0].revents, fds[1].revents);
    SHOW(poll(0, 0, 10));
    SHOW(poll(NOWHERE, 1u << 31, 0));
    SHOW(poll(NOWHERE, 1, 0));
}

static void selects(int *ends)
{
    fd_set reading, writing;
    struct timeval limit = { 0, 30000 };
    struct timespec since;
    FD_ZERO(&reading);
    FD_ZERO(&writing);
    FD_SET(ends[0], &reading);
    FD_SET(ends[1], &writing);
    SHOW(select(ends[1] + 1, &reading, &writing, 0, 0));
    SAY("%d %d", FD_ISSET(ends[0], &reading), FD_ISSET(ends[1], &writing));
    char rest[8];
    SHOW(read(ends[0], rest, 8));
    FD_ZERO(&reading);
    FD_SET(ends[0], &reading);
    clock_gettime(CLOCK_MONOTONIC, &since);
    SHOW(select(ends[0] + 1, &reading, 0, 0, &limit));
    timed("select", 29, 2000, since);
    SAY("%d", FD_ISSET(ends[0], &reading));
    limit.tv_usec = 10000;
    SHOW(select(0, 0, 0, 0, &limit));
    FD_SET(40, &reading);
    SHOW(select(41, &reading, 0, 0, &limit));
    SHOW(select(-1, 0, 0, 0, &limit));
    limit.tv_sec = -1;
    SHOW(select(0, 0, 0, 0, &limit));
}

static void pipes(void)
{
    int ends[2];
    static char block[1 << 17];
    SHOW(pipe2(ends, O_NONBLOCK));
    SHOW(read(ends[0], block, 1));
    long total = 0, n;
    while ((n = write(ends[1], block, 4096)) > 0)
        total += n;
    SAY("full after %ld: %s", total, strerrorname_np(errno));
    struct pollfd one = { ends[1], POLLOUT, 0 };
    SHOW(poll(&one, 1, 0));
    SHOW(read(ends[0], block, sizeof block));
    SHOW(poll(&one, 1, 0));
    close(ends[0]);
    SHOW(poll(&one, 1, 0));
    SAY("%x", one.revents);
    signal(SIGPIPE, SIG_IGN);
    SHOW(write(ends[1], "x", 1));
    close(ends[1]);
    SHOW(pipe(ends));
    /* More than the pipe holds, through a child. */
    pid_t child = fork();
    if (!child) {
        close(ends[0]);
        for (size_t i = 0; i < sizeof block; i++)
            block[i] = i * 7;
        _exit(write(ends[1], block, sizeof block) != sizeof block);
    }
    close(ends[1]);
    unsigned sum = 0;
    total = 0;
    while ((n = read(ends[0], block, 10000)) > 0) {
        for (long i = 0; i < n; i++)
            sum = sum * 31 + (unsigned char)block[i];
        total += n;
    }
    SAY("%ld bytes, %x, end %ld", total, sum, n);
    say_status("writer", wait_for(child));
    struct pollfd other = { ends[0], POLLIN, 0 };
    SHOW(poll(&other, 1, 0));
    SAY("%x", other.revents);
}

int main(void)
{
    int ends[2];
    if (pipe(ends))
        return 1;
    polls(ends);
    selects(ends);
    pipes();
    return 0;
}
