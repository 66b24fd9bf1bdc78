/* Counts aloud, and keeps what it counts in memory, registers and an open file as well.
 *
 * counting N [SLEEP_US]; at the end it says whether memory, floating point and file agree.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PAGES 64
#define WORDS 512

static long table[PAGES][WORDS];

int main(int argc, char **argv)
{
    long last = atol(argv[1]);
    struct timespec nap = {0, argc > 2 ? atol(argv[2]) * 1000 : 1000000};
    int file = open("/tmp/counted", O_RDWR | O_CREAT, 0600);
    double sum = 0;

    for (long i = 1; i <= last; i++) {
        char line[32];
        int length = snprintf(line, sizeof line, "%ld\n", i);
        if (write(1, line, length) != length)
            return 2;
        table[i % PAGES][i % WORDS] += i;
        sum += i * 0.5;
        nanosleep(&nap, NULL);
    }
    long total = 0;
    for (int page = 0; page < PAGES; page++)
        for (int word = 0; word < WORDS; word++)
            total += table[page][word];
    int right = total == last * (last + 1) / 2 && sum == total * 0.5 && file >= 3;
    printf("%s\n", right ? "counted well" : "counted wrong");
    return !right;
}
