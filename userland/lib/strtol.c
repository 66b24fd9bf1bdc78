/* Numbers from text. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

static int digit_of(int c)
{
    if (isdigit(c))
        return c - '0';
    return isalpha(c) ? tolower(c) - 'a' + 10 : 99;
}

/* Skip white space and a sign, find the base; return where the digits start. */
static const char *prefix(const char *s, int *base, int *negative)
{
    while (isspace(*s))
        s++;
    *negative = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    if ((*base == 0 || *base == 16) && *s == '0' && (s[1] | 32) == 'x' && digit_of(s[2]) < 16) {
        *base = 16;
        return s + 2;
    }
    if (*base == 0)
        *base = *s == '0' ? 8 : 10;
    return s;
}

/* The number, between `least` (in two's complement) and `most`; ERANGE if it is not. */
static unsigned long number(const char *s, char **end, int base, unsigned long least,
                            unsigned long most)
{
    int negative, too_large = 0;
    const char *start = prefix(s, &base, &negative), *at = start;
    unsigned long value = 0, limit = negative && least ? -least : most;

    for (int digit; (digit = digit_of(*at)) < base; at++) {
        if (__builtin_mul_overflow(value, (unsigned long)base, &value) ||
            __builtin_add_overflow(value, (unsigned long)digit, &value) || value > limit)
            too_large = 1;
        if (too_large)
            value = limit;
    }
    if (end)
        *end = (char *)(at == start ? s : at);
    if (too_large) {
        errno = ERANGE;
        return negative && least ? least : most;
    }
    return negative ? -value : value;
}

long strtol(const char *s, char **end, int base)
{
    return number(s, end, base, LONG_MIN, LONG_MAX);
}

unsigned long strtoul(const char *s, char **end, int base)
{
    return number(s, end, base, 0, ULONG_MAX);
}

long long strtoll(const char *s, char **end, int base)
{
    return strtol(s, end, base);
}

unsigned long long strtoull(const char *s, char **end, int base)
{
    return strtoul(s, end, base);
}

long atol(const char *s)
{
    return strtol(s, NULL, 10);
}

int atoi(const char *s)
{
    return atol(s);
}
