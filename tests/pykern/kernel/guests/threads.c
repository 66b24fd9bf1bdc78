/* POSIX threads: mutexes, conditions, thread-local storage, barriers, futexes behind all of them. */
#include "guest.h"

enum { THREADS = 8, ROUNDS = 300 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static long counter, turn, once_count, atomics;
static __thread long mine = 5;

static void only_once(void) { once_count++; }

static void *work(void *argument)
{
    long number = (long)argument;
    pthread_once(&once, only_once);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        long seen = counter;
        if (i % 37 == 0)
            sched_yield();
        counter = seen + 1;
        pthread_mutex_unlock(&mutex);
        __atomic_add_fetch(&atomics, 1, __ATOMIC_SEQ_CST);
        mine += number;
    }
    pthread_barrier_wait(&barrier);
    pthread_mutex_lock(&mutex);
    while (turn != number)
        pthread_cond_wait(&turned, &mutex);
    SAY("thread %ld: own %ld", number, mine);
    turn++;
    pthread_cond_broadcast(&turned);
    pthread_mutex_unlock(&mutex);
    return (void *)(number * number);
}

static void *sleeper(void *argument)
{
    (void)argument;
    pause();
    return 0;
}

static void *signalled;
static volatile int handled;
static void handler(int number) { handled = number; }

static void *waits_for_signal(void *argument)
{
    (void)argument;
    signalled = pthread_self() ? &signalled : 0;
    while (!handled)
        sleep_ms(5);
    return 0;
}

static void *ends_process(void *argument)
{
    (void)argument;
    sleep_ms(20);
    SAY("a thread ends the process");
    exit(21);
}

int main(void)
{
    pthread_t threads[THREADS], other;
    pthread_barrier_init(&barrier, 0, THREADS);
    for (long i = 0; i < THREADS; i++)
        SHOW(pthread_create(&threads[i], 0, work, (void *)i));
    long results = 0;
    for (long i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        results = results * 50 + (long)result;
    }
    SAY("joined %ld", results);
    SAY("%ld %ld %ld %ld", counter, atomics, once_count, mine);
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_nsec += 20000000;
    limit.tv_sec += limit.tv_nsec / 1000000000;
    limit.tv_nsec %= 1000000000;
    pthread_mutex_lock(&mutex);
    SAY("timed out: %s", strerrorname_np(pthread_cond_timedwait(&turned, &mutex, &limit)));
    pthread_mutex_unlock(&mutex);
    signal(SIGUSR1, handler);
    pthread_create(&other, 0, waits_for_signal, 0);
    pthread_kill(other, SIGUSR1);
    pthread_join(other, 0);
    SAY("handled %d", handled == SIGUSR1);
    pthread_create(&other, 0, sleeper, 0);
    pthread_create(&other, 0, ends_process, 0);
    pause();
    return 1;
}
