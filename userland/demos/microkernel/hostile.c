/* hostile ADDRESS: fill what lies at the same address as the victim's secret in this task's own
 * memory, then write to an address that is none of it (MIC-06). */
#include "lib/task.h"

static volatile unsigned long mine[64 * PAGE_SIZE / 8] = {1};

int main(int argc, char **argv)
{
    for (unsigned long i = 0; i < sizeof mine / 8; i++)
        mine[i] = ~0ul;
    if (argc == 2)
        *(volatile unsigned long *)number(argv[1]) = 0;
    return 0;
}
