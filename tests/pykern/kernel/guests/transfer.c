/* Bytes from file to file, space of files, times, bounded paths: what copies and archivers use. */
#include "guest.h"
#include <dirent.h>
#include <stddef.h>
#include <linux/openat2.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <utime.h>

static char text[1 << 17];

static int made(const char *name, const char *content)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (write(fd, content, strlen(content)) < 0)
        perror(name);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static void content(const char *what, int fd)
{
    memset(text, 0, 256);
    long size = pread(fd, text, 255, 0);
    for (long i = 0; i < size; i++)
        if (!text[i])
            text[i] = '.';
    SAY("%s: %ld '%s' at %ld", what, size, text, (long)lseek(fd, 0, SEEK_CUR));
}

static void vectors(void)
{
    int fd = made("vector", "0123456789abcdef"), ends[2];
    char a[5] = "", b[9] = "";
    struct iovec into[2] = { { a, 4 }, { b, 8 } }, from[2] = { { "AB", 2 }, { "CDE", 3 } };
    SHOW(preadv(fd, into, 2, 3));
    SAY("%s %s", a, b);
    SHOW(pwritev(fd, from, 2, 14));
    content("pwritev", fd);
    SHOW(preadv2(fd, into, 2, -1, 0));
    SAY("%s %s at %ld", a, b, (long)lseek(fd, 0, SEEK_CUR));
    SHOW(pwritev2(fd, from, 2, -1, 0));
    SHOW(pwritev2(fd, from, 1, 0, RWF_APPEND));
    content("pwritev2", fd);
    SHOW(preadv(fd, into, 2, -1));
    SHOW(preadv2(fd, into, 2, -2, 0));
    SHOW(preadv2(fd, into, 2, 0, 0x4000));
    SHOW(preadv2(fd, into, 2, 0, RWF_HIPRI));
    SHOW(syscall(SYS_preadv, fd, into, -1, 0, 0));
    SHOW(preadv(fd, NOWHERE, 1, 0));
    SHOW(preadv(99, into, 1, 0));
    if (pipe(ends))
        return;
    SHOW(preadv(ends[0], into, 1, 0));
    SHOW(pwritev(ends[1], from, 2, 0));
    SHOW(pwritev2(ends[1], from, 2, -1, 0));
    SHOW(preadv2(ends[0], into, 2, -1, 0));
    close(ends[0]);
    close(ends[1]);
    close(fd);
}

static void sent(void)
{
    int in = made("from", "the quick brown fox"), out = made("to", ""), ends[2];
    off_t at = 4;
    SHOW(sendfile(out, in, 0, 3));
    content("source", in);
    content("target", out);
    SHOW(sendfile(out, in, &at, 5));
    SAY("offset %ld", (long)at);
    content("source", in);
    content("target", out);
    SHOW(sendfile(out, in, 0, 1000));
    SHOW(sendfile(out, in, 0, 1000));
    at = -1;
    SHOW(sendfile(out, in, &at, 1));
    SHOW(sendfile(out, in, NOWHERE, 1));
    SHOW(sendfile(99, in, 0, 1));
    SHOW(sendfile(out, 99, 0, 1));
    if (pipe(ends))
        return;
    at = 0;
    SHOW(sendfile(ends[1], in, &at, 9));
    SHOW(read(ends[0], text, 100));
    SHOW(sendfile(out, ends[0], 0, 1));
    SHOW(sendfile(out, ends[0], &at, 1));
    /* A write that fails leaves the source where it was. */
    lseek(in, 4, SEEK_SET);
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    SHOW(sendfile(ends[1], in, 0, 5));
    SAY("still at %ld", (long)lseek(in, 0, SEEK_CUR));
    close(ends[1]);
    if (pipe2(ends, O_NONBLOCK))
        return;
    while (write(ends[1], text, 4096) > 0)
        ;
    SHOW(sendfile(ends[1], in, 0, 5));
    SAY("still at %ld", (long)lseek(in, 0, SEEK_CUR));
    int more = open("to", O_WRONLY | O_APPEND), reader = open("to", O_RDONLY);
    SHOW(sendfile(more, in, 0, 5));
    SHOW(sendfile(reader, in, 0, 5));
    SHOW(sendfile(out, more, 0, 5));
    close(more);
    close(reader);
    close(ends[0]);
    close(ends[1]);
    close(in);
    close(out);
}

static void copied(void)
{
    int in = made("from", "the quick brown fox"), out = made("to", "-----"), ends[2];
    loff_t at = 4, to = 2;
    SHOW(copy_file_range(in, &at, out, &to, 5, 0));
    SAY("%ld %ld", (long)at, (long)to);
    content("source", in);
    content("target", out);
    SHOW(copy_file_range(in, 0, out, 0, 100, 0));
    content("source", in);
    content("target", out);
    SHOW(copy_file_range(in, 0, out, 0, 100, 0));
    SHOW(copy_file_range(in, &at, out, &to, 5, 1));
    at = 0, to = 3;
    SHOW(copy_file_range(in, &at, in, &to, 5, 0));
    to = 30;
    SHOW(copy_file_range(in, &at, in, &to, 5, 0));
    content("within", in);
    int reader = open("to", O_RDONLY), more = open("to", O_WRONLY | O_APPEND), dir = open(".", 0);
    SHOW(copy_file_range(in, &at, reader, &to, 5, 0));
    SHOW(copy_file_range(in, &at, more, 0, 5, 0));
    SHOW(copy_file_range(dir, 0, out, 0, 5, 0));
    if (pipe(ends))
        return;
    SHOW(copy_file_range(ends[0], 0, out, 0, 5, 0));
    at = 1000;
    SHOW(copy_file_range(in, &at, out, 0, 5, 0));
    close(reader);
    close(more);
    close(dir);
    close(ends[0]);
    close(ends[1]);
    close(in);
    close(out);
}

static void spliced(void)
{
    int file = made("from", "the quick brown fox"), out = made("to", ""), a[2], b[2];
    loff_t at = 4;
    if (pipe(a) || pipe(b))
        return;
    SHOW(splice(file, &at, a[1], 0, 5, 0));
    SAY("at %ld, file at %ld", (long)at, (long)lseek(file, 0, SEEK_CUR));
    SHOW(splice(file, 0, a[1], 0, 4, 0));
    SHOW(tee(a[0], b[1], 100, 0));
    memset(text, 0, 32);
    SHOW(read(b[0], text, 32));
    SAY("%s", text);
    SHOW(splice(a[0], 0, out, 0, 3, 0));
    SHOW(splice(a[0], 0, b[1], 0, 3, 0));
    at = 10;
    SHOW(splice(a[0], 0, out, &at, 100, 0));
    content("target", out);
    memset(text, 0, 32);
    SHOW(read(b[0], text, 32));
    SAY("%s", text);
    SHOW(splice(a[0], 0, out, 0, 3, SPLICE_F_NONBLOCK));
    SHOW(splice(a[0], &at, out, 0, 3, 0));
    SHOW(splice(file, 0, out, 0, 3, 0));
    SHOW(splice(a[0], 0, a[1], 0, 3, 0));
    SHOW(splice(file, 0, a[1], 0, 3, 0x100));
    SHOW(splice(file, 0, a[0], 0, 3, 0));
    SHOW(splice(99, 0, a[1], 0, 3, 0));
    SHOW(splice(file, 0, a[1], 0, 0, 0));
    SHOW(tee(file, a[1], 3, 0));
    SHOW(tee(a[0], b[1], 3, SPLICE_F_NONBLOCK));
    struct iovec parts[2] = { { "some ", 5 }, { "memory", 6 } };
    SHOW(vmsplice(a[1], parts, 2, 0));
    SHOW(vmsplice(file, parts, 2, 0));
    memset(text, 0, 32);
    struct iovec into = { text, 11 };
    SHOW(vmsplice(a[0], &into, 1, 0));
    SAY("%s", text);
    close(a[1]);
    SHOW(splice(a[0], 0, out, 0, 3, 0));
    close(b[0]);
    signal(SIGPIPE, SIG_IGN);
    lseek(file, 0, SEEK_SET);
    SHOW(splice(file, 0, b[1], 0, 3, 0));
    SAY("still at %ld", (long)lseek(file, 0, SEEK_CUR));
    /* A pipe that is filled by one and drained by another. */
    if (pipe(a))
        return;
    pid_t child = fork();
    if (!child) {
        sleep_ms(20);
        _exit(write(a[1], "later", 5) != 5);
    }
    SHOW(splice(a[0], 0, out, 0, 100, 0));
    say_status("writer", wait_for(child));
    close(a[0]);
    close(a[1]);
    close(b[1]);
    close(file);
    close(out);
}

static void space(void)
{
    int fd = made("space", "0123456789"), ends[2];
    struct stat st;
    SHOW(fallocate(fd, 0, 0, 20000));
    fstat(fd, &st);
    SAY("size %ld, %d", (long)st.st_size, st.st_blocks >= 40);
    SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 40000));
    fstat(fd, &st);
    SAY("size %ld, %d", (long)st.st_size, st.st_blocks >= 80);
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2, 3));
    content("hole", fd);
    memset(text, 'x', 20000);
    SHOW(pwrite(fd, text, 20000, 0));
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 10000));
    fstat(fd, &st);
    memset(text, 'y', 20000);
    SHOW(pread(fd, text, 20000, 0));
    long zeroes = 0, xs = 0;
    for (int i = 0; i < 20000; i++)
        zeroes += !text[i], xs += text[i] == 'x';
    SAY("%ld zeroes, %ld others, size %ld", zeroes, xs, (long)st.st_size);
    SAY("hole %ld data %ld", (long)lseek(fd, 4096, SEEK_HOLE), (long)lseek(fd, 4096, SEEK_DATA));
    SHOW(fallocate(fd, FALLOC_FL_ZERO_RANGE, 19000, 2000));
    fstat(fd, &st);
    SAY("size %ld", (long)st.st_size);
    char *map = mmap(0, 20000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    map[12000] = 'm';
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 11000));
    SAY("mapped %d %d %c", map[50], map[10999], map[12000]);
    SHOW(pread(fd, text, 1, 12000));
    SAY("%c", text[0]);
    munmap(map, 20000);
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10));
    SHOW(fallocate(fd, 0x400, 0, 10));
    SHOW(fallocate(fd, 0, -1, 10));
    SHOW(fallocate(fd, 0, 0, 0));
    SHOW(posix_fallocate(fd, 0, 10));
    int reader = open("space", O_RDONLY), more = open("space", O_WRONLY | O_APPEND);
    SHOW(fallocate(reader, 0, 0, 10));
    SHOW(fallocate(more, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 10));
    if (pipe(ends))
        return;
    SHOW(fallocate(ends[1], 0, 0, 10));
    SHOW(sync_file_range(fd, 0, 10, 7));
    SHOW(sync_file_range(fd, 0, 10, 8));
    SHOW(sync_file_range(ends[0], 0, 10, 0));
    SHOW(syncfs(fd));
    SHOW(syncfs(99));
    SHOW(fdatasync(fd));
    SHOW(fsync(ends[0]));
    SHOW(readahead(fd, 0, 100));
    SHOW(readahead(more, 0, 100));
    sync();
    close(reader);
    close(more);
    close(ends[0]);
    close(ends[1]);
    close(fd);
}

static void times_of(const char *name)
{
    struct stat st;
    stat(name, &st);
    SAY("times %ld.%09ld %ld.%09ld", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
        (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static void times(void)
{
    struct utimbuf seconds = { 1000, 2000 };
    struct timeval micro[2] = { { 3000, 7 }, { 4000, 999999 } }, wrong[2] = { { 0, 1000000 } };
    close(made("timed", ""));
    SHOW(syscall(SYS_utime, "timed", &seconds));
    times_of("timed");
    SHOW(syscall(SYS_utimes, "timed", micro));
    times_of("timed");
    SHOW(syscall(SYS_utimes, "timed", wrong));
    SHOW(syscall(SYS_futimesat, AT_FDCWD, "timed", micro));
    SHOW(syscall(SYS_utime, "missing", &seconds));
    SHOW(syscall(SYS_utime, "timed", NOWHERE));
    SHOW(syscall(SYS_utime, "timed", 0));
    SHOW(utimensat(AT_FDCWD, "timed", 0, 0x4000));
    struct statx sx;
    memset(&sx, 0, sizeof sx);
    SHOW(statx(AT_FDCWD, "timed", 0, STATX_BASIC_STATS, &sx));
    SAY("statx %d %o %u", (sx.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS, sx.stx_mode,
        sx.stx_nlink);
    SHOW(statx(AT_FDCWD, "", AT_EMPTY_PATH, STATX_TYPE, &sx));
    SHOW(statx(AT_FDCWD, "timed", 1, STATX_TYPE, &sx));
    SHOW(statx(AT_FDCWD, "timed", 0x6000, STATX_TYPE, &sx));
    SHOW(statx(AT_FDCWD, "timed", 0, 0x80000000, &sx));
    struct stat st;
    SHOW(fstatat(AT_FDCWD, "timed", &st, 1));
    SHOW(fchownat(AT_FDCWD, "timed", -1, -1, 1));
    SHOW(linkat(AT_FDCWD, "timed", AT_FDCWD, "linked", 1));
    SHOW(syscall(452, AT_FDCWD, "timed", 0600, 0));
    SHOW(syscall(452, AT_FDCWD, "timed", 0600, 1));
}

struct old_dirent { unsigned long ino, off; unsigned short size; char name[]; };

static void directory(void)
{
    mkdir("dir", 0755);
    close(made("dir/file", ""));
    mkdir("dir/sub", 0755);
    int fd = open("dir", O_RDONLY | O_DIRECTORY), found = 0;
    long size = syscall(SYS_getdents, fd, text, 4096);
    for (long at = 0; at < size;) {
        struct old_dirent *entry = (void *)(text + at);
        int kind = text[at + entry->size - 1];
        if (!strcmp(entry->name, "file"))
            found += kind == DT_REG;
        else if (!strcmp(entry->name, "sub"))
            found += 10 * (kind == DT_DIR);
        else if (entry->name[0] == '.')
            found += 100 * (kind == DT_DIR);
        SAY("size %d", entry->size);
        at += entry->size;
    }
    SAY("%d, %ld bytes", found, size);
    SHOW(syscall(SYS_getdents, fd, text, 4096));
    lseek(fd, 0, SEEK_SET);
    SHOW(syscall(SYS_getdents, fd, text, 10));
    close(fd);
}

static void opened(const char *path, unsigned long flags, unsigned long mode, unsigned long resolve)
{
    struct open_how how = { flags, mode, resolve };
    int dir = open("bounds", O_PATH);
    long fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
    SAY("openat2 %s %lx: %s", path, resolve, fd < 0 ? strerrorname_np(errno) : "open");
    if (fd >= 0)
        close(fd);
    close(dir);
}

static void bounds(void)
{
    mkdir("bounds", 0755);
    mkdir("bounds/in", 0755);
    close(made("bounds/in/file", "x"));
    close(made("outside", "x"));
    symlink("in/file", "bounds/good");
    symlink("../outside", "bounds/bad");
    symlink("/in/file", "bounds/absolute");
    symlink("/proc/self/cwd", "bounds/magic");
    static const char *const paths[] = { "in/file", "good", "bad", "absolute", "../outside",
                                         "in/../in/file", "in/../../outside", "/in/file",
                                         "magic/outside", "missing", "in/.." };
    static const unsigned long how[] = { 0, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS,
                                         RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV };
    for (unsigned i = 0; i < sizeof how / sizeof *how; i++)
        for (unsigned j = 0; j < sizeof paths / sizeof *paths; j++)
            opened(paths[j], O_RDONLY, 0, how[i]);
    opened("in/new", O_CREAT | O_WRONLY, 0600, RESOLVE_BENEATH);
    opened("in/file", O_RDONLY, 0600, 0);
    opened("in/file", O_RDONLY, 0, 0x100);
    opened("in/file", 1ul << 40, 0, 0);
    opened("in/file", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT);
    opened("in/file", O_PATH | O_RDWR, 0, 0);
    opened("in/file", O_CREAT, 010000, 0);
    struct { struct open_how how; char more[8]; } big;
    memset(&big, 0, sizeof big);
    SHOW(syscall(SYS_openat2, AT_FDCWD, "outside", &big, 8));
    SHOW(syscall(SYS_openat2, AT_FDCWD, "outside", &big, 5000));
    SHOW(close(syscall(SYS_openat2, AT_FDCWD, "outside", &big, sizeof big)));
    big.more[0] = 1;
    SHOW(syscall(SYS_openat2, AT_FDCWD, "outside", &big, sizeof big));
    SHOW(syscall(SYS_openat2, AT_FDCWD, "outside", NOWHERE, sizeof big.how));
}

int main(void)
{
    vectors();
    sent();
    copied();
    spliced();
    space();
    times();
    directory();
    bounds();
    return 0;
}
