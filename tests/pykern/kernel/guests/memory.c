/* Mappings, their rights, what faults say, the break, copies on write. */
#include "guest.h"

static sigjmp_buf back;
static volatile int code;
static volatile uintptr_t address;

static void fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    code = number * 100 + info->si_code;
    address = (uintptr_t)info->si_addr;
    siglongjmp(back, 1);
}

#define TRY(what, statement) do { \
    code = 0; \
    address = 0; \
    if (!sigsetjmp(back, 1)) { statement; } \
    SAY("%s: signal and code %d at +%lx", what, code, code ? (long)(address - base) : 0l); \
} while (0)

static void say_errno(const char *what, void *result)
{
    SAY("%s: %s", what, result == MAP_FAILED ? strerrorname_np(errno) : "mapped");
}

static void rights(void)
{
    char *page = mmap(0, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uintptr_t base = (uintptr_t)page;
    SAY("zero: %d %d", page[0], page[16383]);
    TRY("write", page[5] = 7);
    SHOW(mprotect(page, 4096, PROT_READ));
    TRY("write to read-only", page[5] = 8);
    SAY("still %d", page[5]);
    SHOW(mprotect(page + 4096, 4096, PROT_NONE));
    TRY("read nothing", (void)*(volatile char *)(page + 4099));
    memcpy(page + 8192, "\xb8\x2a\x00\x00\x00\xc3", 6);
    TRY("execute data", ((int (*)(void))(page + 8192))());
    SHOW(mprotect(page + 8192, 4096, PROT_READ | PROT_EXEC));
    volatile int answer = 0;
    TRY("execute", answer = ((int (*)(void))(page + 8192))());
    SAY("answer %d", answer);
    TRY("write to code", page[8192] = 0);
    SHOW(munmap(page + 4096, 4096));
    TRY("unmapped", page[4096] = 1);
    SHOW(mprotect(page, 16384, PROT_READ));
    TRY("still there", (void)*(volatile char *)(page + 12288));
    SHOW(munmap(page, 16384));
    TRY("gone", (void)*(volatile char *)page);
    base = 0;
    TRY("null", *(volatile char *)0x10 = 1);
    TRY("not canonical", *(volatile char *)0x8000000000000000 = 1);
}

static void files(void)
{
    int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (write(fd, "abcdefgh", 8) != 8)
        return;
    char *one = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *two = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    uintptr_t base = (uintptr_t)one;
    one[0] = 'X';
    SAY("private sees shared: %c", two[0]);
    two[1] = 'Y';
    SAY("shared does not see private: %c", one[1]);
    char text[9] = { 0 };
    SHOW(pread(fd, text, 8, 0));
    SAY("file: %s, behind its end: %d", text, one[100]);
    TRY("behind the file's last page", one[4096] = 1);
    pid_t child = fork();
    if (!child) {
        one[2] = 'Z', two[2] = 'W';
        _exit(0);
    }
    wait_for(child);
    SAY("child wrote: shared %c, private %c", one[2], two[2]);
    SHOW(munmap(one, 8192));
    SHOW(close(fd));
    fd = open("file", O_RDONLY);
    say_errno("shared writing of read-only", mmap(0, 4096, PROT_WRITE, MAP_SHARED, fd, 0));
    say_errno("private writing of read-only",
              mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    say_errno("odd offset", mmap(0, 4096, PROT_READ, MAP_PRIVATE, fd, 5));
    say_errno("no file", mmap(0, 4096, PROT_READ, MAP_PRIVATE, 99, 0));
    say_errno("nothing", mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    say_errno("neither", mmap(0, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0));
    say_errno("everything", mmap(0, 1l << 60, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    say_errno("odd place", mmap((void *)0x10001, 4096, PROT_READ,
                                MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static void breaks(void)
{
    char *start = sbrk(0);
    SHOW((char *)sbrk(10000) - start);
    start[9999] = 3;
    SHOW((char *)sbrk(0) - start);
    SHOW((char *)sbrk(-10000) - start);
    SAY("zeroes again: %d", (sbrk(10000), start[9999] == 3 || !start[9999]));
    SAY("too much: %d", sbrk(1l << 50) == (void *)-1);
}

static void copies(void)
{
    enum { PAGES = 64 };
    unsigned char *all = mmap(0, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                              -1, 0);
    for (int i = 0; i < PAGES; i++)
        all[i * 4096] = i;
    for (int generation = 0; generation < 3; generation++) {
        pid_t child = fork();
        if (child) {
            int status = wait_for(child), sum = 0;
            for (int i = 0; i < PAGES; i++)
                sum += all[i * 4096];
            SAY("generation %d: %d, child %d", generation, sum, WEXITSTATUS(status));
            if (generation)
                _exit(generation);
            return;
        }
        for (int i = generation; i < PAGES; i += 3)
            all[i * 4096] += 10;
    }
    _exit(33);
}

static void moved(void)
{
    char *old = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(old, "moved");
    char *new = mremap(old, 4096, 1 << 20, MREMAP_MAYMOVE);
    SAY("%s %d", new, new[(1 << 20) - 1]);
    SHOW(madvise(new, 4096, MADV_DONTNEED));
    SAY("forgotten: %d", new[0]);
    SHOW(madvise(new + 1, 4096, MADV_DONTNEED));
    SHOW(munmap(new + 1, 4096));
    SHOW(mprotect((void *)0x10000, 4096, PROT_READ));
}

int main(void)
{
    struct sigaction action = { .sa_sigaction = fault, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &action, 0);
    sigaction(SIGBUS, &action, 0);
    rights();
    files();
    breaks();
    copies();
    moved();
    return 0;
}
