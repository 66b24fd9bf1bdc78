/* Scalar code over bytes: strlen, memcmp, strcpy and a search, as a C library without vector code has them. */
#include "guest.h"

#define LINES 256

static u64 length(const char *s)
{
    const char *p = s;

    while (*p)
        p++;
    return p - s;
}

static int compare(const char *a, const char *b, u64 n)
{
    for (; n; n--, a++, b++)
        if (*a != *b)
            return *a - *b;
    return 0;
}

static void copy(char *to, const char *from)
{
    while ((*to++ = *from++))
        ;
}

static u64 count(const char *s, char c)
{
    u64 n = 0;

    for (; *s; s++)
        n += *s == c;
    return n;
}

u64 run(u64 iterations, const u64 *arguments)
{
    char *text = (char *)HEAP, *scratch = text + (1 << 20);
    u64 sum = 0, x = 1;

    for (u32 line = 0; line < LINES; line++) {
        char *s = text + 128 * line;

        for (u32 i = 0; i < 20 + line % 100; i++)
            s[i] = 'a' + i % 26;
        x = xorshift(x);
        s[x % 20] = 'A';
        s[20 + line % 100] = 0;
    }
    for (; iterations; iterations--)
        for (u32 line = 0; line < LINES; line++) {
            const char *s = text + 128 * line, *other = text + 128 * (line * 7 % LINES);
            u64 n = length(s);

            copy(scratch, s);
            sum = sum * 3 + compare(scratch, s, n) + compare(s, other, n) + count(s, 'e') + n;
        }
    return sum;
}
