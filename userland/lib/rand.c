/* Numbers that look random and are the same every time (Knuth's MMIX constants). */
#include <stdint.h>
#include <stdlib.h>

static uint64_t state = 1;

void srand(unsigned seed)
{
    state = seed;
}

int rand(void)
{
    state = state * 6364136223846793005 + 1442695040888963407;
    return state >> 33;
}
