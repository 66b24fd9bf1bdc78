/* Works without a pause, and has at hand what a process may have: registers of x87 and SSE across
 * system calls, a place in a file, a handler, a blocked signal, memory that all changes.
 *
 * travelling ROUNDS; at the end it says what it has lost.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGES 48
#define WORDS 512
#define STEPS 4000

static unsigned long table[PAGES][WORDS];
static volatile sig_atomic_t handled;

static void handle(int signal)
{
    (void)signal;
    handled++;
}

/* Sleep, with values in registers that no call of the kernel may change. */
static int nap_with_registers(void)
{
    struct timespec nap = {0, 1000000};
    unsigned long low = 0x1122334455667788, high = 0, rest = 0;
    long double pi = 0;
    long result;

    __asm__ volatile("fldpi\n\t"
                     "movq %[low], %%xmm3\n\tmovq %[low], %%xmm15\n\t"
                     "syscall\n\t"
                     "movq %%xmm3, %[high]\n\tmovq %%xmm15, %[rest]\n\t"
                     "fstpt %[pi]"
                     : "=a"(result), [high] "=&r"(high), [rest] "=&r"(rest), [pi] "=m"(pi)
                     : "0"(SYS_nanosleep), "D"(&nap), "S"(0), [low] "r"(low)
                     : "rcx", "r11", "xmm3", "xmm15", "st", "memory");
    return result == 0 && high == low && rest == low && pi > 3.141592L && pi < 3.141593L;
}

static void work(unsigned long round)
{
    for (unsigned long i = 0; i < STEPS; i++)
        table[i % PAGES][(i * 7 + round) % WORDS] += i ^ round;
}

static unsigned long sum(void)
{
    unsigned long total = 0;

    for (int page = 0; page < PAGES; page++)
        for (int word = 0; word < WORDS; word++)
            total += table[page][word];
    return total;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 0, kept = 0;
    unsigned long expected = 0;
    int file = open("/tmp/counted", O_RDWR, 0);
    sigset_t blocked, now;

    signal(SIGUSR1, handle);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    for (long round = 1; round <= rounds; round++) {
        printf("%ld\n", round);
        fflush(stdout);
        for (int again = 0; again < 20; again++)
            work(round);
        for (unsigned long i = 0; i < STEPS; i++)
            expected += 20 * (i ^ round);
        lseek(file, 3, SEEK_CUR);
        kept += nap_with_registers();
    }
    raise(SIGUSR1);
    sigprocmask(SIG_BLOCK, NULL, &now);
    printf("memory %d registers %d place %d handler %d blocked %d\n", sum() == expected,
           kept == rounds, lseek(file, 0, SEEK_CUR) == 3 * rounds, handled == 1,
           sigismember(&now, SIGUSR2));
    return 0;
}
