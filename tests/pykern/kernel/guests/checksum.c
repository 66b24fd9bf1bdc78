/* checksum: fill memory with numbers, add them up again and again, and say so if a sum differs. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORDS = 1 << 15 };

static uint64_t memory[WORDS];

int main(int argc, char *argv[])
{
    uint64_t state = 1, first = 0;
    int rounds = argc > 1 ? atoi(argv[1]) : 1;

    for (int i = 0; i < WORDS; i++) {
        state = state * 6364136223846793005 + 1442695040888963407;
        memory[i] = state;
    }
    for (int round = 0; round < rounds; round++) {
        uint64_t sum = 0;
        for (int i = 0; i < WORDS; i++)
            sum = sum * 31 + memory[i];
        if (round && sum != first) {
            printf("round %d: %016lx, before %016lx\n", round, sum, first);
            return 1;
        }
        first = sum;
    }
    printf("checksum %016lx\n", first);
    return 0;
}
