/* Numbers as text. */
#include "mellos.h"

void print_number(const char *before, long number, const char *after)
{
    char line[128], *at = line + 64;
    unsigned long left = number < 0 ? -(unsigned long)number : (unsigned long)number;
    char *end = at;

    do
        *--at = '0' + left % 10;
    while (left /= 10);
    if (number < 0)
        *--at = '-';
    /* One write, so that lines of several tasks do not mix. */
    const char *last = before;
    while (*last)
        last++;
    while (last > before)
        *--at = *--last;
    while (*after)
        *end++ = *after++;
    sys_write(SERIAL, at, end - at);
}
