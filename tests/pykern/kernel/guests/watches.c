/* inotify: what is told of files and directories, and in which order. */
#include "guest.h"
#include <sys/inotify.h>
#include <sys/ioctl.h>

static int queue;
static unsigned last_cookie;

static void told(const char *what)
{
    static char buffer[8192] __attribute__((aligned(8)));
    long size = read(queue, buffer, sizeof buffer);
    SAY("%s: %ld %s", what, size, size < 0 ? strerrorname_np(errno) : "");
    for (long at = 0; at < size;) {
        struct inotify_event *e = (void *)(buffer + at);
        SAY("  watch %d %x %s len %u cookie %d", e->wd, e->mask, e->len ? e->name : "-", e->len,
            !e->cookie ? 0 : e->cookie == last_cookie ? 2 : 1);
        last_cookie = e->cookie;
        at += sizeof *e + e->len;
    }
}

int main(void)
{
    char data[64];
    int fd, left;
    queue = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    SAY("cloexec %d", fcntl(queue, F_GETFD));
    mkdir("d", 0755);
    mkdir("other", 0755);
    SHOW(inotify_add_watch(queue, "d", IN_ALL_EVENTS));
    told("nothing");
    fd = open("d/file", O_CREAT | O_RDWR, 0644);
    told("made");
    SHOW(write(fd, "hello", 5));
    SHOW(write(fd, "world", 5));
    told("written twice, told once");
    SHOW(pread(fd, data, 5, 0));
    SHOW(pread(fd, data, 5, 100));
    told("read");
    SHOW(ftruncate(fd, 3));
    told("cut");
    SHOW(fchmod(fd, 0600));
    told("attributes");
    SHOW(inotify_add_watch(queue, "d/file", IN_ALL_EVENTS));
    SHOW(write(fd, "x", 1));
    told("both are watched");
    close(fd);
    told("closed");
    close(open("d/file", O_RDONLY));
    told("opened and closed");
    SHOW(link("d/file", "d/link"));
    told("linked");
    SHOW(rename("d/link", "d/moved"));
    told("moved");
    SHOW(rename("d/moved", "other/away"));
    told("moved away");
    SHOW(inotify_add_watch(queue, "other", IN_MOVED_TO | IN_CREATE));
    SHOW(rename("other/away", "other/here"));
    SHOW(rename("other/here", "d/back"));
    told("moved back");
    SHOW(mkdir("d/sub", 0755));
    SHOW(symlink("x", "d/symlink"));
    told("made more");
    SHOW(inotify_add_watch(queue, "d/sub", IN_ALL_EVENTS));
    close(open("d/sub", O_RDONLY | O_DIRECTORY));
    told("a directory");
    SHOW(rmdir("d/sub"));
    SHOW(unlink("d/symlink"));
    told("removed");
    close(creat("other/victim", 0644));
    SHOW(inotify_add_watch(queue, "other/victim", IN_ALL_EVENTS));
    SHOW(rename("d/back", "other/victim"));
    told("one in the way");
    SHOW(rename("other/victim", "d/back"));
    SHOW(unlink("d/back"));
    told("one name less");
    SHOW(unlink("d/file"));
    told("the last name");
    SHOW(inotify_add_watch(queue, "d/file", IN_ALL_EVENTS));
    SHOW(inotify_rm_watch(queue, 2));
    SHOW(inotify_add_watch(queue, "d", IN_CREATE));
    close(creat("d/new", 0644));
    SHOW(inotify_add_watch(queue, "d", IN_DELETE | IN_MASK_ADD));
    SHOW(inotify_add_watch(queue, "d", IN_DELETE | IN_MASK_CREATE));
    SHOW(unlink("d/new"));
    told("some kinds");
    SHOW(inotify_rm_watch(queue, 1));
    told("no more");
    SHOW(inotify_add_watch(queue, "d", IN_CREATE | IN_ONESHOT));
    close(creat("d/one", 0644));
    close(creat("d/two", 0644));
    told("once");
    SHOW(inotify_add_watch(queue, "d", IN_CREATE));
    close(creat("d/a name of some length", 0644));
    SHOW(ioctl(queue, FIONREAD, &left));
    SAY("%d bytes", left);
    SHOW(read(queue, data, 20));
    told("a name");
    pid_t child = fork();
    if (!child) {
        sleep_ms(20);
        _exit(close(creat("d/late", 0644)));
    }
    struct pollfd one = { .fd = queue, .events = POLLIN };
    SHOW(poll(&one, 1, 5000));
    told("by another");
    say_status("child", wait_for(child));
    SHOW(inotify_add_watch(queue, "missing", IN_CREATE));
    SHOW(inotify_add_watch(queue, "d", 0));
    SHOW(inotify_add_watch(queue, "d/one", IN_CREATE | IN_ONLYDIR));
    SHOW(inotify_add_watch(0, "d", IN_CREATE));
    SHOW(inotify_add_watch(99, "d", IN_CREATE));
    SHOW(inotify_rm_watch(queue, 77));
    SHOW(inotify_init1(1));
    close(queue);
    return 0;
}
