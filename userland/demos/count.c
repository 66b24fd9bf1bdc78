/* count N [MILLISECONDS]: print 1 to N, one at a time, and see at the end that nothing was lost.
 *
 * What it has counted is in memory, on the stack and in SSE registers: wherever it is taken, it
 * goes on, or says what is wrong.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PAGES 64
#define WORDS 512

static long table[PAGES][WORDS];

static long total(void)
{
    long sum = 0;

    for (int page = 0; page < PAGES; page++)
        for (int word = 0; word < WORDS; word++)
            sum += table[page][word];
    return sum;
}

int main(int argc, char *argv[])
{
    if (argc < 2 || argc > 3)
        errx(2, "usage: count N [MILLISECONDS]");
    long last = atol(argv[1]), nap_ms = argc > 2 ? atol(argv[2]) : 1;
    struct timespec nap = {nap_ms / 1000, nap_ms % 1000 * 1000000};
    double half = 0;

    for (long i = 1; i <= last; i++) {
        char line[32];
        int length = snprintf(line, sizeof line, "%ld\n", i);
        if (write(1, line, length) != length)
            err(1, "write");
        table[i % PAGES][i % WORDS] += i;
        half += i * 0.5;
        nanosleep(&nap, NULL);
    }
    if (total() != last * (last + 1) / 2 || half * 2 != total())
        errx(1, "lost count");
    printf("counted to %ld\n", last);
    return 0;
}
