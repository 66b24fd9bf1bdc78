/* Memory that may be written and run, files that become shorter below their mappings, locking. */
#include "guest.h"
#include <linux/membarrier.h>
#include <sys/resource.h>

static sigjmp_buf back;
static volatile int signal_seen, code_seen;
static void *volatile where_seen;

static void fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    signal_seen = number;
    code_seen = info->si_code;
    where_seen = info->si_addr;
    siglongjmp(back, 1);
}

static void touch(const char *what, volatile char *at, int write)
{
    if (!sigsetjmp(back, 1)) {
        int value = *at;
        if (write)
            *at = 'w';
        SAY("%s: %d", what, value);
    } else {
        SAY("%s: %s code %d there %d", what, sigabbrev_np(signal_seen), code_seen,
            where_seen == (void *)at);
    }
}

static void run_what_was_written(void)
{
    static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
    unsigned char *page = mmap(0, 8192, PROT_READ | PROT_WRITE | PROT_EXEC,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SAY("W and X: %d", page != MAP_FAILED);
    if (page == MAP_FAILED)
        return;
    memcpy(page, code, sizeof code);
    int (*function)(void) = (int (*)(void))page;
    SAY("%d", function());
    page[1] = 43;
    SAY("%d", function());
    SHOW(mprotect(page, 4096, PROT_READ | PROT_EXEC));
    touch("no W", (char *)page, 1);
    SAY("%d", function());
    SHOW(mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
    page[1] = 44;
    SAY("%d", function());
    munmap(page, 8192);
}

static void shorter(int flags, const char *what)
{
    static char data[12288];
    int fd = open("shrinks", O_RDWR | O_CREAT | O_TRUNC, 0644);
    memset(data, 'd', sizeof data);
    if (write(fd, data, sizeof data) < 0)
        return;
    SAY("%s", what);
    char *map = mmap(0, 16384, PROT_READ | PROT_WRITE, flags, fd, 0);
    touch("first", map, 1);
    touch("second", map + 4096, 1);
    touch("third", map + 8192, 0);
    touch("behind", map + 12288, 0);
    SHOW(ftruncate(fd, 5000));
    touch("first", map, 0);
    touch("within the last page", map + 4096, 0);
    touch("end of the last page", map + 8191, 0);
    touch("third", map + 8192, 0);
    touch("third", map + 8192, 1);
    SHOW(write(open("/dev/null", O_WRONLY), map + 8192, 10) >= -1);
    int out = open("copy", O_RDWR | O_CREAT | O_TRUNC, 0644);
    SHOW(write(out, map + 8192, 10));
    SHOW(ftruncate(fd, 12288));
    touch("third again", map + 8192, 0);
    touch("second again", map + 4096, 0);
    touch("zero behind", map + 5000, 0);
    pid_t child = fork();
    if (!child) {
        ftruncate(fd, 0);
        _exit(0);
    }
    wait_for(child);
    touch("cut by another", map, 0);
    child = fork();
    if (!child) {
        signal(SIGBUS, SIG_DFL);
        map[0] = 1;
        _exit(0);
    }
    say_status("it kills", wait_for(child));
    munmap(map, 16384);
    close(fd);
    close(out);
}

static void locked(void)
{
    struct rlimit none = { 0, 0 };
    char *page = mmap(0, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char resident[4] = { 9, 9, 9, 9 };
    SHOW(mincore(page, 16384, resident));
    SAY("%d %d %d %d", resident[0] & 1, resident[1] & 1, resident[2] & 1, resident[3] & 1);
    SHOW(mlock(page + 4096, 4097));
    SHOW(mincore(page, 16384, resident));
    SAY("%d %d %d %d", resident[0] & 1, resident[1] & 1, resident[2] & 1, resident[3] & 1);
    SHOW(madvise(page, 8192, MADV_DONTNEED));
    page[4096] = 7;
    pid_t copier = fork();
    if (!copier)
        _exit(page[4096]++);
    say_status("a copy of what is locked", wait_for(copier));
    SAY("%d", page[4096]);
    SHOW(munlock(page, 16384));
    SHOW(madvise(page, 8192, MADV_DONTNEED));
    SAY("%d", page[4096]);
    SHOW(mlock(page + 12288, 4096));
    SHOW(munmap(page + 12288, 4096));
    SHOW(mlock(page, 16384));
    SHOW(munlock(page, 16384));
    SHOW(mlock(page, 0));
    SHOW(syscall(SYS_mlock2, page, 4096, 1));
    SHOW(syscall(SYS_mlock2, page, 4096, 2));
    SHOW(mlockall(0));
    SHOW(mlockall(8));
    SHOW(mlockall(MCL_CURRENT | MCL_FUTURE));
    SHOW(munlockall());
    SHOW(mincore(page + 1, 4096, resident));
    SHOW(mincore(page, 4096, NOWHERE));
    SHOW(madvise(page, 8192, MADV_WILLNEED));
    SHOW(madvise(page + 1, 8192, MADV_WILLNEED));
    SHOW(madvise(page, 8192, 999));
    SHOW(madvise(page, 16384, MADV_DONTNEED));
    page[0] = 5;
    SHOW(madvise(page, 4096, MADV_DONTNEED));
    SAY("%d", page[0]);
    pid_t child = fork();
    if (!child) {
        setrlimit(RLIMIT_MEMLOCK, &none);
        if (setuid(1001))
            _exit(1);
        SHOW(mlock(page, 4096));
        SHOW(mlockall(MCL_CURRENT));
        _exit(0);
    }
    say_status("child", wait_for(child));
    munmap(page, 12288);
}

static void barriers(void)
{
    long all = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    SAY("private expedited is offered: %d", !!(all & MEMBARRIER_CMD_PRIVATE_EXPEDITED));
    SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
    SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
    SHOW(syscall(SYS_membarrier, 1 << 20, 0, 0));
    SHOW(syscall(SYS_membarrier, 3, 0, 0));
    SHOW(syscall(SYS_membarrier, 0, 5, 0));
}

int main(void)
{
    struct sigaction action = { .sa_sigaction = fault, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &action, 0);
    sigaction(SIGBUS, &action, 0);
    run_what_was_written();
    shorter(MAP_SHARED, "shared");
    shorter(MAP_PRIVATE, "private");
    locked();
    barriers();
    return 0;
}
