/* memhog: take memory, one MiB after the other, and touch it: at most LIMIT MiB (64), or `all`. */
#include <err.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MIB (1L << 20)

int main(int argc, char *argv[])
{
    long limit = argc > 1 ? (strcmp(argv[1], "all") ? atol(argv[1]) : LONG_MAX) : 64, taken = 0;

    for (; taken < limit; taken++) {
        char *block =
            mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED) {
            warn("after %ld MiB", taken);
            break;
        }
        for (long at = 0; at < MIB; at += 4096) {
            if (block[at])
                errx(2, "memory is not zero at %p", block + at);
            block[at] = 1;
        }
    }
    printf("%ld MiB\n", taken);
    return taken < limit;
}
