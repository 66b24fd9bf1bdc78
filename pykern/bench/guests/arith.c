/* Integer arithmetic in registers: a random number generator, sums, a multiplication and a few branches. */
#include "guest.h"

u64 run(u64 iterations, const u64 *arguments)
{
    u64 sum = 0;

    for (; iterations; iterations--) {
        u64 x = 88172645463325252; /* every iteration takes the same branches, so instructions count linearly */

        for (u32 i = 0; i < 100000; i++) {
            x = xorshift(x);
            sum += x & 0xFFFF;
            if (x & 1)
                sum ^= x >> 3;
            else
                sum = sum * 5 + i;
        }
    }
    return sum;
}
