/* What a program can see of its memory: the same on Linux and on pykern. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
int main(void);
static sigjmp_buf back;
static void caught(int signal) { siglongjmp(back, signal); }

static int touch(volatile char *at, int write)
{
    int signal = sigsetjmp(back, 1);
    if (signal)
        return signal;
    if (write)
        *at = 1;
    else
        (void)*at;
    return 0;
}

static const char *error(long result) { return result < 0 ? strerror(errno) : "ok"; }

static char *map(size_t size, int prot, int flags, int fd)
{
    char *at = mmap(0, size, prot, flags, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

static void private_memory(void)
{
    char *p = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    printf("zero: %d\n", p[0] | p[3 * PAGE + 4095]);
    p[0] = 'p';
    printf("mprotect: %s\n", error(mprotect(p, PAGE, PROT_READ)));
    printf("write to read-only: signal %d, read: %d\n", touch(p, 1), touch(p, 0));
    printf("munmap: %s\n", error(munmap(p + PAGE, PAGE)));
    printf("read of the hole: signal %d, behind it: %d\n", touch(p + PAGE, 0), touch(p + 2 * PAGE, 1));
    printf("none: %s\n", error(mprotect(p + 3 * PAGE, PAGE, PROT_NONE)));
    printf("read: signal %d\n", touch(p + 3 * PAGE, 0));
    printf("hole in mprotect: %s\n", error(mprotect(p, 4 * PAGE, PROT_READ)));
    printf("null: signal %d\n", touch((char *)8, 0));
    printf("kernel half: signal %d\n", touch((char *)0xffff800000000000, 0));
}

static void forked(void)
{
    char *private = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    char *shared = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
    int status;
    strcpy(private, "parent");
    strcpy(shared, "parent");
    if (!fork()) {
        strcpy(private, "child");
        strcpy(shared, "child");
        _exit(strcmp(private, "child") != 0);
    }
    wait(&status);
    printf("fork: private %s, shared %s, status %d\n", private, shared, status);
}

static void file(void)
{
    char text[32] = "content of a file, mapped", back_text[32] = "";
    int fd = open("/tmp/pykern-mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
    write(fd, text, sizeof text);
    char *shared = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    char *private = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
    printf("file: %s / %s\n", shared, private);
    memcpy(private, "PRIVATE", 7);
    memcpy(shared, "shared.", 7);
    pread(fd, back_text, sizeof back_text, 0);
    printf("read: %s / %s\n", back_text, private);
    pwrite(fd, "WRITTEN", 7, 11);
    printf("written: %s\n", shared);
    printf("behind the end: %d, a page behind: signal %d\n", shared[100], touch(shared + PAGE, 0));
    close(fd);
    strcpy(shared, "after close");
    munmap(shared, 2 * PAGE);
    fd = open("/tmp/pykern-mapped", O_RDONLY);
    read(fd, back_text, sizeof back_text);
    printf("unmapped: %s\n", back_text);
    errno = 0;
    printf("shared, read-only: %s\n", map(PAGE, PROT_WRITE, MAP_SHARED, fd) ? "ok" : strerror(errno));
    unlink("/tmp/pykern-mapped");
}

static void moved(void)
{
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    map(PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    strcpy(p + PAGE, "moved");
    p = mremap(p, 2 * PAGE, 300 * PAGE, MREMAP_MAYMOVE);
    printf("mremap: %s, %d\n", p + PAGE, p[299 * PAGE]);
    madvise(p, 2 * PAGE, MADV_DONTNEED);
    printf("not needed: %d\n", p[PAGE]);
    printf("size 0: %s\n", map(0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1) ? "ok" : strerror(errno));
    printf("bad fd: %s\n", map(1, PROT_READ, MAP_PRIVATE, 99) ? "ok" : strerror(errno));
}

static int depth(int n)
{
    volatile char frame[4000];
    frame[0] = (char)n;
    return n ? depth(n - 1) + (frame[0] != (char)n) : 0;
}

static void pointers(void)
{
    int pair[2];
    char here[16] = "pointer";
    pipe(pair);
    printf("write: %s\n", error(write(pair[1], (char *)16, 5)));
    printf("write of kernel memory: %s\n", error(write(pair[1], (char *)0xffffffff80000000, 5)));
    printf("write: %s\n", error(write(pair[1], here, 8)));
    printf("read to nowhere: %s\n", error(read(pair[0], (char *)16, 5)));
    printf("read: %s, %s\n", error(read(pair[0], here + 8, 8)), here + 8);
    printf("open: %s\n", error(open((char *)-1, O_RDONLY)));
}

static void write_code(void) { *(volatile char *)main = 0; }
static void run_data(void)
{
    static char data[16] = {(char)0xc3};
    ((void (*)(void))data)();
}
static void run_stack(void)
{
    volatile char code[16] = {(char)0xc3};
    ((void (*)(void))code)();
}
static void run_kernel(void) { ((void (*)(void))0xffffffff80000000)(); }
static void run_hole(void) { ((void (*)(void))0x800000000000)(); }
static void overflow(void) { depth(100000); }
static void write_constant(void) { *(volatile char *)"constant" = 1; }

/* What each of these does kills a child, and nobody else. */
static void hostile(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } tries[] = {
        {"write to code", write_code},     {"write to a constant", write_constant},
        {"run data", run_data},            {"run the stack", run_stack},
        {"run the kernel", run_kernel},    {"jump to no address", run_hole},
        {"stack overflow", overflow},
    };
    int status;
    signal(SIGSEGV, SIG_DFL);
    for (unsigned i = 0; i < sizeof tries / sizeof *tries; i++) {
        if (!fork()) {
            tries[i].run();
            _exit(0);
        }
        wait(&status);
        printf("%s: signal %d\n", tries[i].name, WTERMSIG(status));
    }
}

/* A family that writes to the same 200 pages. */
static void family(void)
{
    enum { PAGES = 200, CHILDREN = 6 };
    char *p = map(PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    int status, sum = 0;
    for (int i = 0; i < PAGES; i++)
        p[i * PAGE] = (char)i;
    for (int child = 1; child <= CHILDREN; child++)
        if (!fork()) {
            int wrong = 0;
            for (int i = child; i < PAGES; i += child)
                p[i * PAGE] += (char)child;
            for (int i = 0; i < PAGES; i++)
                wrong += p[i * PAGE] != (char)(i + (i && i % child == 0 ? child : 0));
            _exit(wrong > 0);
        }
    for (int i = 0; i < PAGES; i += 2)
        p[i * PAGE] = 0;
    while (wait(&status) > 0)
        sum += status;
    for (int i = 0; i < PAGES; i++)
        sum += p[i * PAGE] != (i % 2 ? (char)i : 0);
    printf("family: %d wrong\n", sum);
}

int main(void)
{
    signal(SIGSEGV, caught);
    signal(SIGBUS, caught);
    setvbuf(stdout, 0, _IONBF, 0);
    private_memory();
    forked();
    file();
    moved();
    pointers();
    printf("stack: %d\n", depth(1000));
    void *before = sbrk(0);
    char *heap = sbrk(100000);
    printf("sbrk: %d, zero %d\n", heap == before, heap[99999]);
    char *large = malloc(20 << 20);
    memset(large, 1, 20 << 20);
    printf("malloc: %d\n", large[(20 << 20) - 1]);
    free(large);
    family();
    hostile();
    printf("done\n");
    if (getpid() == 1)
        reboot(RB_POWER_OFF);
    return 0;
}
