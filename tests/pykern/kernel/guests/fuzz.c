/* Thousands of random system calls with hostile arguments, in processes of their own, while a
 * bystander computes: `fuzz SEED CHILDREN CALLS`. Exits with 0 if the bystander has noticed nothing. */
#include "guest.h"

static uint64_t state;
static char buffer[8192], *page, *read_only;
static char strings[][32] = { "data", "/dev/null", "/dev/zero", "/proc/self/stat", "", ".", "new", "new/er",
    "/dev/tty", "/proc/self/maps", "../../../..", "/proc/1/mem", "fifo" };
static volatile int told;

static uint64_t next(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static uint64_t below(uint64_t n) { return next() % n; }

static uint64_t argument(void)
{
    switch (below(20)) {
    case 0: return 0;
    case 1: return -1;
    case 2: return below(8);
    case 3: return below(64);
    case 4: return 1ull << below(64);
    case 5: return -(int64_t)below(4096);
    case 6: return (uintptr_t)buffer + below(sizeof buffer);
    case 7: return (uintptr_t)buffer + 4096 - (uintptr_t)buffer % 4096 - below(64);
    case 8: return (uintptr_t)page + 4096 - below(64);
    case 9: return (uintptr_t)read_only + below(4096);
    case 10: return 0xffff800000000000 + below(1 << 24);
    case 11: return 0xffffffff80000000 + below(1 << 16);
    case 12: return 0x7ffffffff000 - below(3) * 8;
    case 13: return next();
    case 14: return next() & 0xffffffff;
    case 15: return 0x8000000000000000 | next() >> 20;
    case 16: return below(1 << 16);
    case 17: return (uintptr_t)&state ^ below(256);
    default: return (uintptr_t)strings[below(sizeof strings / sizeof *strings)];
    }
}

/* Whose death, or whose waiting, would end the test and not show anything. */
static int spared(long number)
{
    return number == SYS_kill || number == SYS_tkill || number == SYS_tgkill || number == SYS_reboot
        || number == SYS_vfork || number == SYS_exit || number == SYS_exit_group
        || number == SYS_rt_sigqueueinfo || number == SYS_rt_sigreturn || number == SYS_fork;
}

static void handler(int number) { told = number; }

static void hostile(int calls)
{
    struct sigaction action = { .sa_handler = handler };
    sigaction(SIGUSR1, &action, 0);
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    if (open("data", O_RDWR) < 0 || pipe((int[2]){ 0, 0 }) || open("/dev/zero", O_RDWR) < 0)
        _exit(1);
    for (size_t i = 0; i < sizeof buffer / 8; i++)
        ((uint64_t *)buffer)[i] = argument();
    for (int i = 0; i < calls; i++) {
        long number = below(50) ? (long)below(340) : (long)argument();
        if (below(30) == 0)
            number = below(2) ? SYS_clone : SYS_mmap;
        if (spared(number))
            continue;
        pid_t me = getpid();
        syscall(number, argument(), argument(), argument(), argument(), argument(), argument());
        if (syscall(SYS_getpid) != me)
            _exit(0);
    }
    _exit(0);
}

static unsigned checksum(int rounds)
{
    unsigned sum = 1;
    unsigned char *memory = malloc(1 << 16);
    double series = 0;
    for (int i = 0; i < 1 << 16; i++)
        memory[i] = i * 31;
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < 1 << 16; i += 7) {
            sum = sum * 33 + memory[i];
            series += 1.0 / (i + 1);
        }
    free(memory);
    return sum ^ (unsigned)(series * 1000);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    long seed = atol(argv[1]), children = atol(argv[2]), calls = atol(argv[3]);
    page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page + 4096, 4096);
    read_only = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned expected = checksum(20);
    pid_t bystander = fork();
    if (!bystander)
        _exit(checksum(20) != expected);
    for (long n = 0; n < children; n++) {
        state = seed * 1000003 + n;
        int status = 0;
        pid_t child = fork();
        if (!child) {
            setsid();
            hostile(calls);
        }
        for (int patience = 0; !waitpid(child, &status, WNOHANG); patience++) {
            sleep_ms(1);
            kill(child, patience < 300 ? SIGUSR1 : SIGKILL);
        }
    }
    int status = wait_for(bystander);
    say_status("bystander", status);
    return status != 0 || checksum(20) != expected;
}
