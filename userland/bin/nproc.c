/* nproc: how many processors we may run on. */
#include <stdint.h>
#include <stdio.h>
#include <syscall.h>

int main(void)
{
    uint64_t mask[16] = {0};
    int count = 0;

    sys_sched_getaffinity(0, sizeof mask, mask);
    for (int cpu = 0; cpu < 16 * 64; cpu++)
        count += mask[cpu / 64] >> cpu % 64 & 1;
    printf("%d\n", count ? count : 1);
    return 0;
}
