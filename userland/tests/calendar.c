/* Dates; the same as with the host's C library in UTC. */
#define _GNU_SOURCE
#include <stdio.h>
#include <time.h>

int main(void)
{
    char text[256];

    for (long step = -40; step < 120; step++) {
        time_t when = step * 43000001L + 951782399L; /* around the leap day of 2000 */
        struct tm *fields = gmtime(&when);
        strftime(text, sizeof text, "%F %T %a %A %b %B %e %j %y %I %p %u %w %D %R %c %s %%", fields);
        printf("%ld %s %d\n", (long)when, text, timegm(fields) == when);
    }
    return 0;
}
