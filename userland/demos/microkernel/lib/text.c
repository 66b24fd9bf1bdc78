/* Numbers as text and back. */
#include "task.h"

unsigned long number(const char *text)
{
    unsigned long value = 0, base = 10;

    if (text[0] == '0' && text[1] == 'x')
        base = 16, text += 2;
    for (; *text; text++)
        value = value * base + (*text <= '9' ? *text - '0' : (*text | 32) - 'a' + 10);
    return value;
}

static char *append(char *at, const char *text)
{
    while (*text)
        *at++ = *text++;
    return at;
}

void print(const char *before, unsigned long value, const char *after)
{
    char line[160], digits[24], *at = append(line, before), *first = digits + sizeof digits - 1;

    *first = 0;
    do
        *--first = '0' + value % 10;
    while (value /= 10);
    at = append(append(at, first), after);
    sys_write(1, line, at - line);
}
