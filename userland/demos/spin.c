/* spin: use a processor for a number of rounds of a million steps (100), or `forever`. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char *argv[])
{
    long rounds = argc > 1 ? (strcmp(argv[1], "forever") ? atol(argv[1]) : LONG_MAX) : 100;
    unsigned long sum = 0;

    for (long round = 0; round < rounds; round++)
        for (unsigned long i = 0; i < 1000000; i++)
            __asm__ volatile("add %1, %0" : "+r"(sum) : "r"(i));
    printf("%lu\n", sum);
    return 0;
}
