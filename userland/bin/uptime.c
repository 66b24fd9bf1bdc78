/* uptime: how long the system has been running, and how busy it is. */
#include <err.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <time.h>

static void print_load(const char *before, unsigned long load)
{
    printf("%s%lu.%02lu", before, load >> 16, (load & 0xffff) * 100 >> 16);
}

int main(void)
{
    struct sysinfo info;
    char clock[16];
    time_t now = time(NULL);

    if (sysinfo(&info) < 0)
        err(1, "sysinfo");
    strftime(clock, sizeof clock, "%T", localtime(&now));
    long days = info.uptime / 86400, hours = info.uptime / 3600 % 24, minutes = info.uptime / 60 % 60;
    printf(" %s up ", clock);
    if (days)
        printf("%ld day%s, ", days, days == 1 ? "" : "s");
    if (hours)
        printf("%2ld:%02ld, ", hours, minutes);
    else
        printf("%ld min, ", minutes);
    print_load(" load average: ", info.loads[0]);
    print_load(", ", info.loads[1]);
    print_load(", ", info.loads[2]);
    putchar('\n');
    return 0;
}
