/* Byte-wise memory access with growing strides: the primes below 256 Ki. */
#include "guest.h"

#define LIMIT (256 << 10)

u64 run(u64 iterations, const u64 *arguments)
{
    u8 *composite = (u8 *)HEAP;
    u64 primes = 0;

    for (; iterations; iterations--) {
        for (u32 i = 0; i < LIMIT; i += 8)
            *(volatile u64 *)(composite + i) = 0;
        for (u32 i = 2; i < LIMIT; i++) {
            if (composite[i])
                continue;
            primes++;
            for (u32 j = 2 * i; j < LIMIT; j += i)
                composite[j] = 1;
        }
    }
    return primes;
}
