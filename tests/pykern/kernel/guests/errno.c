/* What system calls answer to arguments that make no sense: straight calls, one line for each. */
#include "guest.h"
#include <sys/resource.h>
#include <sys/syscall.h>

static char buffer[4096];
static char long_name[8192];
static struct timespec backward = { -1, 0 }, overfull = { 0, 1000000000 }, brief = { 0, 1 };
#define BAD NOWHERE
#define KERNEL ((void *)0xffff800000000000)
#define FAR ((void *)0x7ffffffff000)

#define CALL(...) show(#__VA_ARGS__, syscall(SYS_##__VA_ARGS__))
/* Only whether it fails, and how. */
#define FAILS(...) do { \
    long result = syscall(SYS_##__VA_ARGS__); \
    SAY("%s: %s", #__VA_ARGS__, result < 0 ? strerrorname_np(errno) : "done"); \
} while (0)

static void descriptors(int file, int directory, int reader, int writer)
{
    CALL(read, -1, buffer, 1);
    CALL(read, 99, buffer, 1);
    CALL(read, writer, buffer, 1);
    CALL(read, directory, buffer, 1);
    CALL(read, file, BAD, 1);
    CALL(read, file, KERNEL, 1);
    CALL(read, file, buffer, 0);
    CALL(write, reader, buffer, 1);
    CALL(write, writer, BAD, 1);
    CALL(write, writer, KERNEL, 1);
    CALL(write, writer, FAR, 4096);
    CALL(write, -1, BAD, 1);
    CALL(pread64, reader, buffer, 1, 0l);
    CALL(pread64, file, buffer, 1, -1l);
    CALL(pwrite64, file, BAD, 1, 0l);
    CALL(lseek, reader, 0, SEEK_SET);
    CALL(lseek, file, -1l, SEEK_SET);
    CALL(lseek, file, 0l, 99);
    CALL(lseek, 99, 0l, 0);
    CALL(readv, file, BAD, 1);
    CALL(readv, file, buffer, -1);
    CALL(readv, file, buffer, 1025);
    CALL(writev, 99, BAD, 1);
    CALL(close, -1);
    CALL(close, 99);
    CALL(dup, 99);
    CALL(dup2, 99, 5);
    CALL(dup2, file, -1);
    CALL(dup2, file, 1 << 30);
    CALL(dup2, file, file);
    CALL(dup3, file, file, 0);
    CALL(dup3, file, 50, 1);
    CALL(fcntl, 99, F_GETFL);
    CALL(fcntl, file, 9999, 0);
    CALL(fcntl, file, F_DUPFD, -1l);
    CALL(fcntl, file, F_GETFD);
    CALL(pipe, BAD);
    CALL(pipe2, buffer, 0x1234567);
    CALL(fstat, 99, buffer);
    CALL(fstat, file, BAD);
    CALL(ftruncate, file, -1l);
    CALL(ftruncate, reader, 0l);
    CALL(ftruncate, 99, 0l);
    CALL(getdents64, file, buffer, 4096);
    CALL(getdents64, directory, buffer, 1);
    CALL(getdents64, directory, BAD, 4096);
    CALL(fchdir, file);
    CALL(fchdir, 99);
    CALL(ioctl, file, 0x5401, buffer);
    CALL(ioctl, 99, 0x5401, buffer);
    CALL(fsync, 99);
    CALL(sendfile, writer, 99, 0, 1l);
}

static void paths(int file, int directory)
{
    CALL(open, BAD, O_RDONLY);
    CALL(open, KERNEL, O_RDONLY);
    CALL(open, "", O_RDONLY);
    CALL(open, "missing", O_RDONLY);
    CALL(open, "data/below", O_RDONLY);
    CALL(open, "data", O_RDONLY | O_DIRECTORY);
    CALL(open, "data", O_CREAT | O_EXCL, 0600);
    CALL(open, ".", O_WRONLY);
    CALL(open, long_name, O_RDONLY);
    CALL(open, long_name + 8192 - 300, O_RDONLY);
    CALL(open, "loop", O_RDONLY);
    CALL(open, "data", O_RDONLY | O_NOFOLLOW);
    CALL(open, "link", O_RDONLY | O_NOFOLLOW);
    CALL(open, "missing/", O_CREAT | O_WRONLY, 0600);
    CALL(openat, 99, "data", O_RDONLY);
    CALL(openat, file, "data", O_RDONLY);
    CALL(openat, directory, "missing", O_RDONLY);
    CALL(stat, "missing", buffer);
    CALL(stat, "data", BAD);
    CALL(stat, BAD, buffer);
    CALL(lstat, "loop", BAD);
    CALL(newfstatat, directory, "", buffer, 0);
    CALL(newfstatat, directory, "", buffer, 0x1000);
    CALL(access, "missing", 0);
    CALL(access, "data", 99);
    CALL(mkdir, "data", 0700);
    CALL(mkdir, "missing/below", 0700);
    CALL(mkdir, "", 0700);
    CALL(mkdir, "/", 0700);
    CALL(rmdir, "data");
    CALL(rmdir, "missing");
    CALL(rmdir, ".");
    CALL(rmdir, "full");
    CALL(unlink, "full");
    CALL(unlink, "missing");
    CALL(unlink, "");
    CALL(unlinkat, directory, "full", 0);
    CALL(unlinkat, directory, "data", AT_REMOVEDIR);
    CALL(unlinkat, directory, "data", 0x8000);
    CALL(rename, "missing", "other");
    CALL(rename, "data", "full");
    CALL(rename, "full", "data");
    CALL(rename, "full", "full/below");
    CALL(rename, ".", "other");
    CALL(renameat2, directory, "data", directory, "link", 1);
    CALL(renameat2, directory, "data", directory, "link", 99);
    CALL(link, "missing", "other");
    CALL(link, "data", "link");
    CALL(link, "full", "other");
    CALL(symlink, "data", "link");
    CALL(symlink, "", "other");
    CALL(readlink, "data", buffer, 10);
    CALL(readlink, "link", buffer, 0);
    CALL(readlink, "link", buffer, 2);
    CALL(readlink, "link", BAD, 10);
    CALL(readlink, "missing", buffer, 10);
    CALL(chdir, "data");
    CALL(chdir, "missing");
    CALL(chdir, BAD);
    CALL(getcwd, BAD, 4096);
    CALL(getcwd, buffer, 1);
    CALL(getcwd, buffer, 0);
    CALL(chmod, "missing", 0600);
    CALL(fchmod, 99, 0600);
    CALL(truncate, "full", 0l);
    CALL(truncate, "missing", 0l);
    CALL(truncate, "data", -1l);
    CALL(utimensat, directory, "missing", 0, 0);
    CALL(utimensat, directory, "data", BAD, 0);
    CALL(mknod, "data", S_IFREG | 0600, 0);
    CALL(statfs, "missing", buffer);
    CALL(faccessat, directory, "data", 8);
}

static void memory(void)
{
    FAILS(mmap, 0, 0l, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0l);
    FAILS(mmap, 0, 4096l, PROT_READ, 0, -1, 0l);
    FAILS(mmap, 0, 4096l, PROT_READ, MAP_PRIVATE, 99, 0l);
    FAILS(mmap, 0, 4096l, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 1l);
    FAILS(mmap, 1l, 4096l, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0l);
    FAILS(mmap, KERNEL, 4096l, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0l);
    FAILS(mmap, 0, -1l, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0l);
    FAILS(munmap, 1l, 4096l);
    FAILS(munmap, 0x10000l, 0l);
    FAILS(munmap, 0x10000l, 4096l);
    FAILS(munmap, KERNEL, 4096l);
    FAILS(mprotect, 1l, 4096l, PROT_READ);
    FAILS(mprotect, 0x10000l, 4096l, PROT_READ);
    FAILS(mprotect, 0x10000l, 0l, PROT_READ);
    FAILS(mprotect, KERNEL, 4096l, PROT_READ | PROT_WRITE);
    FAILS(madvise, 1l, 4096l, 4);
    FAILS(madvise, 0x10000l, 4096l, 4);
    FAILS(madvise, 0x10000l, 4096l, 9999);
    FAILS(mremap, 0x10000l, 4096l, 8192l, 0);
    FAILS(mremap, 0x10000l, 4096l, 0l, 0);
    FAILS(msync, 0x10000l, 4096l, 4);
    FAILS(msync, 1l, 4096l, 4);
    FAILS(mincore, 0x10000l, 4096l, buffer);
    FAILS(mincore, 1l, 4096l, buffer);
}

static void processes(void)
{
    CALL(kill, 999999, 0);
    CALL(kill, getpid(), 65);
    CALL(kill, getpid(), -1);
    CALL(kill, getpid(), 0);
    CALL(kill, -999999, 0);
    CALL(tgkill, getpid(), 999999, 0);
    CALL(tgkill, 999999, getpid(), 0);
    CALL(tkill, 999999, 1);
    CALL(wait4, -1, 0, 0, 0);
    CALL(wait4, 999999, 0, 0, 0);
    CALL(wait4, -1, 0, 12345678, 0);
    CALL(getpgid, 999999);
    CALL(getsid, 999999);
    CALL(setpgid, 999999, 0);
    CALL(setpgid, 0, 999999);
    CALL(setpgid, 0, -1);
    CALL(getpriority, 9, 0);
    CALL(getpriority, 0, 999999);
    CALL(getrlimit, 99, buffer);
    CALL(getrlimit, 0, BAD);
    CALL(prlimit64, 0, 99, 0, buffer);
    CALL(prlimit64, 999999, 0, 0, buffer);
    CALL(getrusage, 99, buffer);
    CALL(getrusage, 0, BAD);
    CALL(sched_getaffinity, 0, 1l, buffer);
    CALL(sched_getaffinity, 999999, 128l, buffer);
    CALL(sched_setaffinity, 0, 8l, BAD);
    CALL(sched_getscheduler, 999999);
    CALL(sched_getscheduler, -1);
    CALL(sched_get_priority_max, 99);
    CALL(arch_prctl, 0x9999, buffer);
    CALL(arch_prctl, 0x1003, BAD);
    CALL(prctl, 9999, 0);
    CALL(set_robust_list, buffer, 1l);
    CALL(clone, 0x10000l, 0l, 0l, 0l, 0l);
    CALL(clone, 0x800l, 0l, 0l, 0l, 0l);
    CALL(execve, BAD, 0, 0);
    CALL(execve, "missing", 0, 0);
    CALL(execve, ".", 0, 0);
    CALL(uname, BAD);
    CALL(sysinfo, BAD);
    CALL(getgroups, -1, buffer);
    CALL(getcpu, BAD, 0, 0);
    CALL(getrandom, BAD, 10l, 0);
    CALL(reboot, 1, 2, 3, 0);
    SHOW(syscall(9999, 1, 2, 3));
    SHOW(syscall(-1l, 1, 2, 3));
}

static void signals(void)
{
    CALL(rt_sigaction, 0, 0, buffer, 8);
    CALL(rt_sigaction, 65, 0, buffer, 8);
    CALL(rt_sigaction, SIGKILL, buffer, 0, 8);
    CALL(rt_sigaction, SIGKILL, 0, buffer, 8);
    CALL(rt_sigaction, SIGSTOP, buffer, 0, 8);
    CALL(rt_sigaction, 1, 0, buffer, 4);
    CALL(rt_sigaction, 1, BAD, 0, 8);
    CALL(rt_sigaction, 1, 0, BAD, 8);
    CALL(rt_sigprocmask, 99, buffer, 0, 8);
    CALL(rt_sigprocmask, 99, 0, buffer, 8);
    CALL(rt_sigprocmask, 0, BAD, 0, 8);
    CALL(rt_sigprocmask, 0, 0, BAD, 8);
    CALL(rt_sigprocmask, 0, 0, 0, 4);
    CALL(rt_sigpending, BAD, 8);
    CALL(rt_sigpending, buffer, 9);
    CALL(rt_sigsuspend, buffer, 4);
    CALL(rt_sigsuspend, BAD, 8);
    CALL(sigaltstack, BAD, 0);
    CALL(sigaltstack, 0, BAD);
}

static void times(void)
{
    CALL(nanosleep, BAD, 0);
    CALL(nanosleep, &backward, 0);
    CALL(nanosleep, &overfull, 0);
    CALL(nanosleep, &brief, BAD);
    CALL(clock_gettime, 99, buffer);
    CALL(clock_gettime, 0, BAD);
    CALL(clock_getres, 99, buffer);
    CALL(clock_getres, 1, 0);
    CALL(clock_nanosleep, 99, 0, &brief, 0);
    CALL(clock_nanosleep, 3, 0, &brief, 0);
    CALL(clock_nanosleep, 1, 0, &overfull, 0);
    CALL(gettimeofday, BAD, 0);
    CALL(time, BAD);
    CALL(futex, buffer, 0, 1, 0, 0, 0);
    CALL(futex, buffer + 1, 0, 0, 0, 0, 0);
    CALL(futex, BAD, 0, 0, 0, 0, 0);
    CALL(futex, 0x10000l, 0, 0, 0, 0, 0);
    CALL(futex, buffer, 0, 0, &brief, 0, 0);
    CALL(futex, buffer, 0, 0, &backward, 0, 0);
    CALL(futex, buffer, 1, 1, 0, 0, 0);
    CALL(futex, buffer, 77, 0, 0, 0, 0);
    CALL(poll, BAD, 1, 0);
    CALL(ppoll, 0, 0, &overfull, 0, 8);
    CALL(select, -1, 0, 0, 0, 0);
    CALL(select, 1, BAD, 0, 0, 0);
    CALL(pselect6, 0, 0, 0, 0, &backward, 0);
}

int main(void)
{
    int ends[2];
    memset(long_name, 'n', sizeof long_name - 1);
    if (pipe(ends) || symlink("loop", "loop") || symlink("data", "link") || mkdir("full", 0700))
        return 1;
    close(open("full/file", O_CREAT | O_WRONLY, 0600));
    int file = open("data", O_RDWR), directory = open(".", O_RDONLY);
    descriptors(file, directory, ends[0], ends[1]);
    paths(file, directory);
    memory();
    processes();
    signals();
    times();
    return 0;
}
