/* AF_UNIX: streams, datagrams, packets; names, options, files and credentials in messages. */
#include "guest.h"
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static struct sockaddr_un address;
static socklen_t length;

static void named(const char *path)
{
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    if (*path == '@') {
        memcpy(address.sun_path + 1, path + 1, strlen(path + 1));
        length = offsetof(struct sockaddr_un, sun_path) + strlen(path);
    } else {
        strcpy(address.sun_path, path);
        length = offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1;
    }
}

static void say_name(const char *what, int result, const struct sockaddr_un *a, socklen_t size)
{
    if (result < 0) {
        SAY("%s: %s", what, strerrorname_np(errno));
        return;
    }
    int text = (int)size - (int)offsetof(struct sockaddr_un, sun_path);
    SAY("%s: family %d size %d %s%.*s", what, size ? a->sun_family : -1, (int)size,
        text > 0 && !a->sun_path[0] ? "@" : "", text > 0 && !a->sun_path[0] ? text - 1 : 108,
        text > 0 ? a->sun_path + !a->sun_path[0] : "");
}

#define NAME(call, fd) do { struct sockaddr_un a; socklen_t n = sizeof a; \
    memset(&a, 0, sizeof a); int r = call(fd, (void *)&a, &n); say_name(#call, r, &a, n); } while (0)

static void revents(const char *what, int fd)
{
    struct pollfd one = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP | POLLPRI };
    int count = poll(&one, 1, 0);
    SAY("poll %s: %d %x", what, count, one.revents);
}

static void kinds(void)
{
    int sv[2];
    SHOW(socket(AF_UNIX, SOCK_STREAM | 0x80, 0));
    SHOW(socket(AF_UNIX, SOCK_RDM, 0));
    SHOW(socket(AF_UNIX, 9, 0));
    SHOW(socket(AF_UNIX, 11, 0));
    SHOW(socket(AF_UNIX, SOCK_STREAM, 5));
    SHOW(socket(99, SOCK_STREAM, 0));
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, NOWHERE));
    SHOW(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 1, sv));
    SAY("cloexec %d nonblock %d", fcntl(sv[0], F_GETFD), !!(fcntl(sv[1], F_GETFL) & O_NONBLOCK));
    struct stat st;
    fstat(sv[0], &st);
    SAY("mode %o size %ld", st.st_mode, (long)st.st_size);
    SHOW(lseek(sv[0], 0, SEEK_SET));
    char c;
    SHOW(pread(sv[0], &c, 1, 0));
    SHOW(ftruncate(sv[0], 0));
    SHOW(fsync(sv[0]));
    SHOW(read(sv[0], &c, 1));
    close(sv[0]);
    close(sv[1]);
    SHOW(send(1, "x", 1, 0));
    SHOW(send(99, "x", 1, 0));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    SHOW(recv(fd, &c, 1, 0));
    SHOW(accept(fd, 0, 0));
    SHOW(listen(fd, 1));
    NAME(getsockname, fd);
    NAME(getpeername, fd);
    revents("new stream", fd);
    SHOW(shutdown(fd, 3));
    SHOW(shutdown(fd, SHUT_WR));
    close(fd);
    fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    SHOW(send(fd, "x", 1, 0));
    SHOW(recv(fd, &c, 1, MSG_DONTWAIT));
    SHOW(listen(fd, 1));
    SHOW(accept(fd, 0, 0));
    revents("new datagram", fd);
    close(fd);
    fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    SHOW(send(fd, "x", 1, 0));
    SHOW(recv(fd, &c, 1, 0));
    revents("new packet", fd);
    close(fd);
}

static void bytes(void)
{
    int sv[2];
    char text[64] = "";
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
    NAME(getsockname, sv[0]);
    NAME(getpeername, sv[0]);
    revents("empty", sv[0]);
    SHOW(write(sv[0], "hello ", 6));
    SHOW(send(sv[0], "world", 5, 0));
    SHOW(send(sv[0], "", 0, 0));
    int left = -1;
    SHOW(ioctl(sv[1], FIONREAD, &left));
    SAY("unread %d", left);
    revents("full", sv[1]);
    SHOW(recv(sv[1], text, 8, MSG_PEEK));
    SAY("%.8s", text);
    SHOW(recv(sv[1], text, sizeof text, MSG_PEEK));
    SHOW(read(sv[1], text, 8));
    SHOW(recv(sv[1], text, sizeof text, 0));
    SAY("%.3s", text);
    SHOW(recv(sv[1], text, 1, MSG_DONTWAIT));
    struct iovec parts[3] = { { "one ", 4 }, { "", 0 }, { "two", 3 } };
    SHOW(writev(sv[0], parts, 3));
    struct iovec into[2] = { { text, 2 }, { text + 10, 20 } };
    SHOW(readv(sv[1], into, 2));
    SAY("%.2s %.5s", text, text + 10);
    pid_t child = fork();
    if (!child) {
        for (int i = 0; i < 4; i++) {
            sleep_ms(10);
            if (write(sv[0], "abcdef", 6) != 6)
                _exit(1);
        }
        _exit(0);
    }
    SHOW(recv(sv[1], text, 20, MSG_WAITALL));
    SAY("%.20s", text);
    SHOW(read(sv[1], text, 64));
    say_status("child", wait_for(child));
    struct sockaddr_un a;
    socklen_t n = sizeof a;
    write(sv[0], "z", 1);
    SHOW(recvfrom(sv[1], text, 1, 0, (void *)&a, &n));
    SAY("from %d", (int)n);
    SHOW(sendto(sv[0], "q", 1, 0, (void *)&a, sizeof a));
    SHOW(write(sv[0], "end", 3));
    SHOW(shutdown(sv[0], SHUT_WR));
    revents("half", sv[1]);
    revents("other half", sv[0]);
    SHOW(send(sv[0], "x", 1, MSG_NOSIGNAL));
    SHOW(read(sv[1], text, 9));
    SHOW(read(sv[1], text, 9));
    SHOW(write(sv[1], "back", 4));
    SHOW(read(sv[0], text, 9));
    SHOW(shutdown(sv[1], SHUT_RDWR));
    revents("shut", sv[0]);
    close(sv[1]);
    SHOW(read(sv[0], text, 9));
    SHOW(send(sv[0], "x", 1, MSG_NOSIGNAL));
    NAME(getpeername, sv[0]);
    close(sv[0]);
    /* What was never read resets. */
    socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
    write(sv[0], "lost", 4);
    close(sv[1]);
    revents("reset", sv[0]);
    SHOW(read(sv[0], text, 9));
    SHOW(read(sv[0], text, 9));
    close(sv[0]);
    socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
    close(sv[1]);
    child = fork();
    if (!child) {
        write(sv[0], "x", 1);
        _exit(0);
    }
    say_status("writer", wait_for(child));
    close(sv[0]);
}

static void large(void)
{
    int sv[2], status;
    static char data[1 << 20];
    long total = 0, size;
    unsigned sum = 0, expected = 0;
    socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
    for (long i = 0; i < (long)sizeof data; i++)
        expected += data[i] = (char)(i * 7 >> 3);
    pid_t child = fork();
    if (!child) {
        close(sv[1]);
        _exit(write(sv[0], data, sizeof data) != sizeof data);
    }
    close(sv[0]);
    memset(data, 0, sizeof data);
    while ((size = read(sv[1], data, 10000)) > 0) {
        total += size;
        for (long i = 0; i < size; i++)
            sum += data[i];
    }
    status = wait_for(child);
    say_status("sender", status);
    SAY("%ld bytes %d", total, sum == expected);
    close(sv[1]);
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv);
    while (write(sv[0], data, 5000) > 0)
        ;
    SAY("full: %s", strerrorname_np(errno));
    revents("full", sv[0]);
    while (read(sv[1], data, sizeof data) > 0)
        ;
    revents("drained", sv[0]);
    close(sv[0]);
    close(sv[1]);
}

static void connections(void)
{
    char text[16];
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    named("missing");
    SHOW(connect(client, (void *)&address, length));
    named("data");
    SHOW(connect(client, (void *)&address, length));
    SHOW(bind(server, (void *)&address, length));
    named("data/x");
    SHOW(bind(server, (void *)&address, length));
    named("socket");
    SHOW(bind(server, (void *)&address, 1));
    SHOW(bind(server, (void *)&address, 111));
    SHOW(bind(server, NOWHERE, 20));
    umask(022);
    SHOW(bind(server, (void *)&address, length));
    SHOW(bind(server, (void *)&address, length));
    struct stat st;
    SHOW(stat("socket", &st));
    SAY("mode %o", st.st_mode);
    SHOW(open("socket", O_RDONLY));
    NAME(getsockname, server);
    SHOW(connect(client, (void *)&address, length));
    SHOW(listen(server, 1));
    revents("listening", server);
    SHOW(connect(client, (void *)&address, length));
    SHOW(connect(client, (void *)&address, length));
    revents("waiting", server);
    NAME(getpeername, client);
    SHOW(write(client, "early", 5));
    struct sockaddr_un a;
    socklen_t n = sizeof a;
    int got = accept4(server, (void *)&a, &n, SOCK_CLOEXEC);
    say_name("accept", got, &a, n);
    SAY("cloexec %d", fcntl(got, F_GETFD));
    NAME(getsockname, got);
    NAME(getpeername, got);
    SHOW(read(got, text, 16));
    struct ucred who;
    n = sizeof who;
    SHOW(getsockopt(got, SOL_SOCKET, SO_PEERCRED, &who, &n));
    SAY("peer %d %u %u", who.pid == getpid(), who.uid, who.gid);
    SHOW(accept4(server, 0, 0, 1));
    int wrong = socket(AF_UNIX, SOCK_DGRAM, 0);
    SHOW(connect(wrong, (void *)&address, length));
    close(wrong);
    int others[4];
    for (int i = 0; i < 4; i++) {
        others[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        SHOW(connect(others[i], (void *)&address, length));
    }
    fcntl(server, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 3; i++)
        SAY("accepted %d", accept(server, 0, 0) > 0 || errno == EAGAIN);
    SHOW(accept(server, 0, 0));
    fcntl(server, F_SETFL, 0);
    /* One that nobody accepts before the listener goes. */
    int late = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(connect(late, (void *)&address, length));
    close(server);
    SHOW(read(late, text, 1));
    SHOW(read(late, text, 1));
    int again = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(connect(again, (void *)&address, length));
    SHOW(bind(again, (void *)&address, length));
    SHOW(unlink("socket"));
    SHOW(bind(again, (void *)&address, length));
    SHOW(listen(again, 0));
    pid_t child = fork();
    if (!child) {
        int mine = socket(AF_UNIX, SOCK_STREAM, 0);
        sleep_ms(20);
        if (connect(mine, (void *)&address, length) || write(mine, "child", 5) != 5)
            _exit(1);
        _exit(read(mine, text, 16) != 6);
    }
    got = accept(again, 0, 0);
    SHOW(read(got, text, 16));
    SHOW(write(got, "parent", 6));
    say_status("client", wait_for(child));
    SHOW(read(got, text, 16));
    named("@abstract");
    int hidden = socket(AF_UNIX, SOCK_SEQPACKET, 0), seeker = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    SHOW(connect(seeker, (void *)&address, length));
    SHOW(bind(hidden, (void *)&address, length));
    NAME(getsockname, hidden);
    SHOW(bind(seeker, (void *)&address, length));
    SHOW(listen(hidden, 5));
    SHOW(connect(seeker, (void *)&address, length));
    int taken = accept(hidden, 0, 0);
    SHOW(write(seeker, "a packet", 8));
    SHOW(write(seeker, "", 0));
    SHOW(send(seeker, "another", 7, MSG_EOR));
    SHOW(read(taken, text, 4));
    SHOW(recv(taken, text, 16, 0));
    SHOW(recv(taken, text, 3, MSG_TRUNC));
    SHOW(recv(taken, text, 3, MSG_DONTWAIT));
    close(seeker);
    revents("packets ended", taken);
    SHOW(recv(taken, text, 3, 0));
    SHOW(send(taken, "x", 1, MSG_NOSIGNAL));
    int automatic = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(bind(automatic, (void *)&address, 2));
    n = sizeof a;
    getsockname(automatic, (void *)&a, &n);
    SAY("automatic name: %d bytes", (int)n);
}

static void datagrams(void)
{
    char text[32];
    int sv[2], one = socket(AF_UNIX, SOCK_DGRAM, 0), two = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un a;
    socklen_t n = sizeof a;
    named("box");
    SHOW(bind(one, (void *)&address, length));
    SHOW(sendto(two, "first", 5, 0, (void *)&address, length));
    SHOW(sendto(two, "", 0, 0, (void *)&address, length));
    SHOW(recvfrom(one, text, 3, 0, (void *)&a, &n));
    SAY("from %d", (int)n);
    SHOW(recvfrom(one, text, 3, 0, (void *)&a, &n));
    named("@two");
    SHOW(bind(two, (void *)&address, length));
    named("box");
    SHOW(connect(two, (void *)&address, length));
    NAME(getpeername, two);
    SHOW(write(two, "connected", 9));
    n = sizeof a;
    SHOW(recvfrom(one, text, 32, MSG_TRUNC, (void *)&a, &n));
    say_name("sender", 0, &a, n);
    SHOW(connect(one, (void *)&a, n));
    int three = socket(AF_UNIX, SOCK_DGRAM, 0);
    SHOW(sendto(three, "x", 1, 0, (void *)&address, length));
    SHOW(connect(three, (void *)&address, length));
    struct sockaddr nobody = { .sa_family = AF_UNSPEC };
    SHOW(connect(one, &nobody, sizeof nobody));
    SHOW(connect(three, (void *)&address, length));
    SHOW(write(three, "hello", 5));
    int left;
    SHOW(ioctl(one, FIONREAD, &left));
    SAY("unread %d", left);
    SHOW(recv(one, text, 32, MSG_PEEK));
    SHOW(recv(one, text, 32, 0));
    fcntl(three, F_SETFL, O_NONBLOCK);
    revents("room", three);
    SHOW(shutdown(one, SHUT_RD));
    SHOW(write(three, "x", 1));
    SHOW(read(one, text, 1));
    close(one);
    SHOW(write(three, "x", 1));
    SHOW(write(three, "x", 1));
    SHOW(sendto(three, "x", 1, 0, (void *)&address, length));
    SHOW(unlink("box"));
    socketpair(AF_UNIX, SOCK_DGRAM, 0, sv);
    static char big[300000];
    SHOW(send(sv[0], big, sizeof big, 0));
    SHOW(send(sv[0], big, 100000, 0));
    SHOW(recv(sv[1], big, sizeof big, 0));
    close(sv[1]);
    SHOW(send(sv[0], "x", 1, 0));
    SHOW(send(sv[0], "x", 1, 0));
    close(sv[0]);
    close(two);
    close(three);
}

static union { char raw[256]; struct cmsghdr align; } control;

static struct msghdr header(struct iovec *iov, void *data, size_t size)
{
    *iov = (struct iovec){ data, size };
    return (struct msghdr){ .msg_iov = iov, .msg_iovlen = 1 };
}

static void pass(int to, const int *fds, int count, const char *text)
{
    struct iovec iov;
    struct msghdr message = header(&iov, (void *)text, strlen(text));
    message.msg_control = control.raw;
    message.msg_controllen = CMSG_SPACE(4 * count);
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    *c = (struct cmsghdr){ CMSG_LEN(4 * count), SOL_SOCKET, SCM_RIGHTS };
    memcpy(CMSG_DATA(c), fds, 4 * count);
    SHOW(sendmsg(to, &message, MSG_NOSIGNAL));
}

static int take(int from, size_t room, int flags)
{
    static char text[64];
    struct iovec iov;
    struct msghdr message = header(&iov, text, sizeof text - 1);
    int first = -1;
    memset(text, 0, sizeof text);
    message.msg_control = room ? control.raw : 0;
    message.msg_controllen = room;
    long size = recvmsg(from, &message, flags);
    SAY("recvmsg: %ld '%s' flags %x controls %d", size, text, message.msg_flags,
        (int)message.msg_controllen);
    if (size < 0)
        return -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        SAY("control %d %d of %d", c->cmsg_level, c->cmsg_type, (int)c->cmsg_len);
        if (c->cmsg_type == SCM_RIGHTS)
            memcpy(&first, CMSG_DATA(c), 4);
        if (c->cmsg_type == SCM_CREDENTIALS) {
            struct ucred who;
            memcpy(&who, CMSG_DATA(c), sizeof who);
            SAY("credentials %d %u %u", who.pid == getpid(), who.uid, who.gid);
        }
    }
    return first;
}

static void rights(int kind)
{
    int sv[2], ends[2], fds[3];
    char text[8] = "";
    socketpair(AF_UNIX, kind, 0, sv);
    if (pipe(ends))
        return;
    fds[0] = ends[0];
    fds[1] = ends[1];
    fds[2] = 99;
    pass(sv[0], fds, 2, "two files");
    int got = take(sv[1], sizeof control, MSG_CMSG_CLOEXEC);
    SAY("cloexec %d", fcntl(got, F_GETFD));
    SHOW(write(ends[1], "pipe", 4));
    SHOW(read(got, text, 8));
    SAY("%s", text);
    close(got);
    close(got + 1);
    pass(sv[0], fds, 3, "a bad one");
    pass(sv[0], fds, 2, "one fits");
    got = take(sv[1], CMSG_LEN(4), 0);
    SAY("cloexec %d", fcntl(got, F_GETFD));
    close(got);
    pass(sv[0], fds, 1, "none fits");
    take(sv[1], 0, 0);
    pass(sv[0], fds, 1, "peek");
    got = take(sv[1], sizeof control, MSG_PEEK);
    close(got);
    got = take(sv[1], sizeof control, 0);
    SAY("a file %d", got > 2);
    close(got);
    SHOW(write(sv[0], "before ", 7));
    pass(sv[0], fds, 1, "with ");
    SHOW(write(sv[0], "after", 5));
    got = take(sv[1], sizeof control, 0);
    close(got);
    take(sv[1], sizeof control, MSG_DONTWAIT);
    take(sv[1], sizeof control, MSG_DONTWAIT);
    /* A socket that goes through itself, and files that nobody takes. */
    pass(sv[0], sv, 2, "both");
    close(sv[0]);
    close(ends[0]);
    close(ends[1]);
    got = take(sv[1], sizeof control, 0);
    SHOW(write(got, "x", 1));
    SHOW(read(sv[1], text, 1));
    close(got);
    close(got + 1);
    close(sv[1]);
    int yes = 1;
    socketpair(AF_UNIX, kind, 0, sv);
    SHOW(setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes));
    SHOW(write(sv[0], "who?", 4));
    take(sv[1], sizeof control, 0);
    SHOW(write(sv[0], "who?", 4));
    take(sv[1], 20, 0);
    struct iovec iov;
    struct msghdr message = header(&iov, "lie", 3);
    struct ucred lie = { 1 << 22, 0, 0 };
    message.msg_control = control.raw;
    message.msg_controllen = CMSG_SPACE(sizeof lie);
    *CMSG_FIRSTHDR(&message) = (struct cmsghdr){ CMSG_LEN(sizeof lie), SOL_SOCKET, SCM_CREDENTIALS };
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &lie, sizeof lie);
    SHOW(sendmsg(sv[0], &message, 0));
    CMSG_FIRSTHDR(&message)->cmsg_type = 77;
    SHOW(sendmsg(sv[0], &message, 0));
    CMSG_FIRSTHDR(&message)->cmsg_len = 4;
    SHOW(sendmsg(sv[0], &message, 0));
    SHOW(sendmsg(sv[0], NOWHERE, 0));
    close(sv[0]);
    close(sv[1]);
}

static void options(void)
{
    int sv[2], value;
    static const int names[] = { SO_TYPE, SO_ERROR, SO_ACCEPTCONN, SO_DOMAIN, SO_PROTOCOL,
                                 SO_REUSEADDR, SO_KEEPALIVE, SO_RCVLOWAT, SO_PASSCRED, 999 };
    socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        socklen_t n = sizeof value;
        value = -1;
        int result = getsockopt(sv[0], SOL_SOCKET, names[i], &value, &n);
        SAY("option %d: %d %d %d", names[i], result, value, (int)n);
    }
    socklen_t n = 2;
    SHOW(getsockopt(sv[0], SOL_SOCKET, SO_TYPE, &value, &n));
    SAY("size %d", (int)n);
    SHOW(getsockopt(sv[0], 6, 1, &value, &n));
    SHOW(setsockopt(sv[0], 6, 1, &value, 4));
    SHOW(setsockopt(sv[0], SOL_SOCKET, SO_TYPE, &value, 4));
    SHOW(setsockopt(sv[0], SOL_SOCKET, SO_REUSEADDR, &value, 2));
    SHOW(setsockopt(sv[0], SOL_SOCKET, SO_REUSEADDR, NOWHERE, 4));
    value = 10000;
    SHOW(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &value, 4));
    n = sizeof value;
    getsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &value, &n);
    SAY("SO_SNDBUF %d", value);
    value = 1;
    setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &value, 4);
    getsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &value, &n);
    SAY("SO_SNDBUF %d", value);
    struct timeval brief = { 0, 20000 }, told;
    SHOW(setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof brief));
    n = sizeof told;
    SHOW(getsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &told, &n));
    SAY("%ld %ld", (long)told.tv_sec, (long)told.tv_usec);
    SHOW(read(sv[0], &value, 1));
    brief.tv_usec = 1000000;
    SHOW(setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof brief));
    close(sv[0]);
    close(sv[1]);
}

static void waits(void)
{
    int sv[2], epoll = epoll_create1(0);
    char c;
    socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP, .data.u32 = 5 };
    SHOW(epoll_ctl(epoll, EPOLL_CTL_ADD, sv[1], &event));
    SHOW(epoll_wait(epoll, &event, 1, 0));
    pid_t child = fork();
    if (!child) {
        close(sv[1]);
        sleep_ms(20);
        if (write(sv[0], "x", 1) != 1)
            _exit(1);
        sleep_ms(20);
        _exit(0);
    }
    close(sv[0]);
    SHOW(epoll_wait(epoll, &event, 1, 3000));
    SAY("events %x", event.events);
    SHOW(read(sv[1], &c, 1));
    SHOW(epoll_wait(epoll, &event, 1, 3000));
    SAY("events %x", event.events);
    say_status("child", wait_for(child));
    fd_set set;
    FD_ZERO(&set);
    FD_SET(sv[1], &set);
    SHOW(select(sv[1] + 1, &set, 0, 0, 0));
    SHOW(read(sv[1], &c, 1));
    close(sv[1]);
    close(epoll);
    /* Several messages with one call. */
    socketpair(AF_UNIX, SOCK_DGRAM, 0, sv);
    struct iovec iov[3] = { { "one", 3 }, { "three", 5 }, { "fifteen", 7 } };
    struct mmsghdr many[3] = { { .msg_hdr = { .msg_iov = &iov[0], .msg_iovlen = 1 } },
                               { .msg_hdr = { .msg_iov = &iov[1], .msg_iovlen = 1 } },
                               { .msg_hdr = { .msg_iov = &iov[2], .msg_iovlen = 1 } } };
    SHOW(sendmmsg(sv[0], many, 3, 0));
    char texts[3][8];
    memset(texts, 0, sizeof texts);
    for (int i = 0; i < 3; i++)
        iov[i] = (struct iovec){ texts[i], 5 };
    SHOW(recvmmsg(sv[1], many, 3, MSG_WAITFORONE, 0));
    for (int i = 0; i < 3; i++)
        SAY("%s %u %x", texts[i], many[i].msg_len, many[i].msg_hdr.msg_flags);
    close(sv[0]);
    close(sv[1]);
}

int main(void)
{
    kinds();
    bytes();
    large();
    connections();
    datagrams();
    rights(SOCK_STREAM);
    rights(SOCK_DGRAM);
    rights(SOCK_SEQPACKET);
    options();
    waits();
    return 0;
}
