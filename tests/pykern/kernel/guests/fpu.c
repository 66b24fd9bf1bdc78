/* Processes and threads that compute with SSE and x87 and take the processor from each other. */
#include "guest.h"

static double series(int which, int rounds)
{
    double sum = 0;
    long double other = 1;
    for (int i = 1; i <= rounds; i++) {
        sum += which / (double)i / (i + which);
        other = other * 1.0000001L + 1.0L / (i * (which + 1.0L));
        if (i % 1000 == 0)
            sched_yield();
    }
    return sum + (double)other;
}

static void *thread(void *argument)
{
    int which = (int)(long)argument;
    unsigned mxcsr = 0x1f80 | (which & 3) << 13, seen;
    unsigned short control = 0x37f & ~0xc00, now;
    control |= (which & 3) << 10;
    __asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(mxcsr), "m"(control));
    static double results[16];
    results[which] = series(which, 12000);
    __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(seen), "=m"(now));
    if ((seen & 0x6000) != (mxcsr & 0x6000) || now != control)
        results[which] = -1;
    return &results[which];
}

int main(void)
{
    pthread_t threads[6];
    int ends[2];
    if (pipe(ends))
        return 1;
    pid_t child = fork();
    for (long i = 0; i < 6; i++)
        pthread_create(&threads[i], 0, thread, (void *)(i + (child ? 0 : 6)));
    if (!child) {
        for (int i = 0; i < 6; i++) {
            void *result;
            pthread_join(threads[i], &result);
            if (write(ends[1], result, 8) != 8)
                return 1;
        }
        return 0;
    }
    for (int i = 0; i < 6; i++) {
        void *result;
        pthread_join(threads[i], &result);
        SAY("%d: %a", i, *(double *)result);
    }
    for (int i = 0; i < 6; i++) {
        double result;
        if (read(ends[0], &result, 8) != 8)
            return 1;
        SAY("child %d: %a", i, result);
    }
    say_status("child", wait_for(child));
    return 0;
}
