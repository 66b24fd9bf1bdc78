/* yielder COUNT: give the processor away so often (MIC-03). */
#include "lib/task.h"

int main(int argc, char **argv)
{
    for (unsigned long left = argc == 2 ? number(argv[1]) : 100; left; left--)
        sys_sched_yield();
    return 0;
}
