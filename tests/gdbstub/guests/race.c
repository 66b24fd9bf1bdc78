/* A race that is lost on some seeds: two threads pay into one account without a lock. */
#include <pthread.h>
#include <stdio.h>
#include <sys/reboot.h>
#include <unistd.h>

enum { THREADS = 2, PAYMENTS = 40 };
static volatile long balance;
static pthread_barrier_t start;

static void *pay(void *amount)
{
    pthread_barrier_wait(&start);
    for (int i = 0; i < PAYMENTS; i++) {
        long seen = balance;
        for (volatile int bookkeeping = 0; bookkeeping < 3; bookkeeping++)
            ;
        balance = seen + (long)amount;
    }
    return 0;
}

__attribute__((noinline)) static void lost(long missing)
{
    printf("lost %ld\n", missing);
    fflush(stdout);
}

int main(void)
{
    pthread_t threads[THREADS];
    pthread_barrier_init(&start, 0, THREADS);
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], 0, pay, (void *)1L);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], 0);
    if (balance != THREADS * PAYMENTS)
        lost(THREADS * PAYMENTS - balance);
    reboot(RB_POWER_OFF);
}
