#pragma once

#define POLLIN 1
#define POLLOUT 4
#define POLLERR 8
#define POLLHUP 16

struct pollfd {
    int fd;
    short events, revents;
};

int poll(struct pollfd *fds, unsigned long count, int timeout_ms);
