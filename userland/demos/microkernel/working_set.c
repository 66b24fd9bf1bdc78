/* working_set PAGES ROUNDS: use a few of many pages most of the time, other ones in each phase, as
 * programs do; the same references each time (MIC-05). */
#include "lib/task.h"

#define HOT 24
#define PHASE 400

static uint32_t state = 1;

static uint32_t next(void)
{
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

int main(int argc, char **argv)
{
    unsigned long pages = argc == 3 ? number(argv[1]) : 0, rounds = argc == 3 ? number(argv[2]) : 0;
    long where = sys_mmap(0, pages * PAGE_SIZE, 3, 0x22, -1, 0);
    unsigned long wrong = 0, first = 0;

    if (!pages || where < 0)
        return 2;
    for (unsigned long page = 0; page < pages; page++)
        *(unsigned long *)(where + page * PAGE_SIZE) = page;
    for (unsigned long round = 0; round < rounds; round++) {
        if (round % PHASE == 0)
            first = next() % pages;
        unsigned long any = next() % pages, hot = (first + next() % HOT) % pages;
        unsigned long page = next() % 16 ? hot : any;
        wrong += *(unsigned long *)(where + page * PAGE_SIZE) != page;
        spin(2000);
    }
    return wrong != 0;
}
