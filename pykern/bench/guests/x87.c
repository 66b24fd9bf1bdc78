/* 80-bit x87: Newton's method for square roots, FSQRT, and a series for pi. */
#include "guest.h"

static long double newton(long double square)
{
    long double root = square;

    for (u32 i = 0; i < 20; i++)
        root = (root + square / root) * 0.5L;
    return root;
}

static long double root(long double square)
{
    long double result;

    __asm__("fsqrt" : "=t"(result) : "0"(square));
    return result;
}

static long double leibniz(u32 terms)
{
    long double sum = 0, sign = 4;

    for (u32 i = 0; i < terms; i++, sign = -sign)
        sum += sign / (2 * (int)i + 1);
    return sum;
}

u64 run(u64 iterations, const u64 *arguments)
{
    u64 sum = 0;

    for (; iterations; iterations--) {
        for (u32 i = 2; i < 200; i++)
            sum = sum * 3 + (u64)((newton(i) + root(i)) * 1e9L);
        sum = sum * 3 + (u64)(leibniz(3000) * 1e12L);
    }
    return sum;
}
