/* What a guest program in C sees. */
#ifndef GUEST_H
#define GUEST_H

#include "layout.h"

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

/* The program: its checksum after that many iterations. */
u64 run(u64 iterations, const u64 *arguments);

static inline u64 xorshift(u64 x)
{
    x ^= x << 13;
    x ^= x >> 7;
    return x ^ x << 17;
}

#endif
