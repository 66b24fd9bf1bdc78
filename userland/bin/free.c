/* free: memory in KiB. */
#include <err.h>
#include <stdio.h>
#include <sys/sysinfo.h>

int main(void)
{
    struct sysinfo info;

    if (sysinfo(&info) < 0)
        err(1, "sysinfo");
    unsigned long unit = info.mem_unit;
    unsigned long total = info.totalram * unit / 1024, left = info.freeram * unit / 1024;
    unsigned long swap = info.totalswap * unit / 1024, swap_left = info.freeswap * unit / 1024;
    printf("%-7s %12s %12s %12s\n", "", "total", "used", "free");
    printf("%-7s %12lu %12lu %12lu\n", "Mem:", total, total - left, left);
    printf("%-7s %12lu %12lu %12lu\n", "Swap:", swap, swap - swap_left, swap_left);
    return 0;
}
