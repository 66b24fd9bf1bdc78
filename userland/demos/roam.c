/* roam: go to every processor in turn, and see that we are there. */
#include <err.h>
#include <pykern.h>
#include <stdint.h>
#include <stdio.h>
#include <syscall.h>

#define CPUS 1024

static int go(unsigned cpu)
{
    uint64_t mask[CPUS / 64] = {0};
    unsigned here;

    mask[cpu / 64] = 1UL << cpu % 64;
    if (syscall_result(sys_sched_setaffinity(0, sizeof mask, mask)) < 0)
        err(1, "sched_setaffinity");
    if (getcpu(&here, NULL) < 0)
        err(1, "getcpu");
    if (here != cpu)
        warnx("wanted CPU %u, got CPU %u", cpu, here);
    return here != cpu;
}

int main(void)
{
    uint64_t allowed[CPUS / 64] = {0};
    int failed = 0, count = 0;

    if (syscall_result(sys_sched_getaffinity(0, sizeof allowed, allowed)) < 0)
        err(1, "sched_getaffinity");
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        if (allowed[cpu / 64] >> cpu % 64 & 1) {
            failed |= go(cpu);
            count++;
        }
    printf("%d processors\n", count);
    return failed;
}
