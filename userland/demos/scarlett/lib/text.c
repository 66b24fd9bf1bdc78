/* Text for the console. */
#include "scarlett.h"

int failures;

unsigned long length(const char *text)
{
    unsigned long size = 0;

    while (text[size])
        size++;
    return size;
}

void print_number(const char *before, long number, const char *after)
{
    char digits[24], *at = digits + sizeof digits;
    unsigned long left = number < 0 ? -(unsigned long)number : (unsigned long)number;

    do
        *--at = '0' + left % 10;
    while (left /= 10);
    if (number < 0)
        *--at = '-';
    sys_write(STDOUT, before, length(before));
    sys_write(STDOUT, at, digits + sizeof digits - at);
    sys_write(STDOUT, after, length(after));
}

void check(const char *what, int holds)
{
    sys_write(STDOUT, holds ? "ok   " : "FAIL ", 5);
    sys_write(STDOUT, what, length(what));
    print("\n");
    failures += !holds;
}
