/* Threads write to pages whose rights another thread takes away: none may write a moment longer. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
enum { WRITERS = 3, ROUNDS = 20 };

static volatile long *cells[WRITERS];
static volatile int faults, stop;

/* The instruction is tried again, until it may write. */
static void caught(int signal)
{
    faults++;
    usleep(100);
}

static void *writer(void *number)
{
    volatile long *cell = cells[(long)number];
    while (!stop)
        ++*cell;
    return 0;
}

static void wait_for_progress(void)
{
    for (int i = 0; i < WRITERS; i++)
        for (long old = *cells[i]; *cells[i] == old;)
            usleep(50);
}

/* Return how many cells change while nobody may write to them. */
static int changes(void)
{
    long before[WRITERS];
    int count = 0;
    for (int i = 0; i < WRITERS; i++)
        before[i] = *cells[i];
    usleep(500);
    for (int i = 0; i < WRITERS; i++)
        count += *cells[i] != before[i];
    return count;
}

/* A child has a copy of the moment of the fork, which no thread of the parent changes. */
static int forked(void)
{
    int status;
    if (!fork())
        _exit(changes());
    wait(&status);
    return status;
}

int main(void)
{
    pthread_t threads[WRITERS];
    int wrong = 0, copied = 0;
    char *pages = mmap(0, WRITERS * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    setvbuf(stdout, 0, _IONBF, 0);
    signal(SIGSEGV, caught);
    for (long i = 0; i < WRITERS; i++) {
        cells[i] = (volatile long *)(pages + i * PAGE);
        pthread_create(&threads[i], 0, writer, (void *)i);
    }
    for (int round = 0; round < ROUNDS; round++) {
        wait_for_progress();
        mprotect(pages, WRITERS * PAGE, PROT_READ);
        wrong += changes();
        mprotect(pages, WRITERS * PAGE, PROT_READ | PROT_WRITE);
        wait_for_progress();
        copied += forked();
    }
    printf("writes without the right: %d, into a child: %d, faults: %d\n", wrong, copied, faults > 0);
    /* Fresh memory in the place of the old: everybody goes on in it, and the old is not written. */
    for (int round = 0; round < ROUNDS; round++) {
        char *kept = mremap(pages, WRITERS * PAGE, WRITERS * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                            pages + (1 << 24));
        long before = *(volatile long *)kept;
        mmap(pages, WRITERS * PAGE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        wait_for_progress();
        wrong += *(volatile long *)kept != before;
        munmap(kept, WRITERS * PAGE);
    }
    printf("writes to what has moved: %d\n", wrong);
    stop = 1;
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], 0);
    printf("joined\n");
    if (getpid() == 1)
        reboot(RB_POWER_OFF);
    return 0;
}
