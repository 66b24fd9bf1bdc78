/* spin: use a processor without any system call, so that only the timer can take it away (MEL-18). */
#include "lib/mellos.h"

int main(void)
{
    for (long round = 1; round <= 10; round++) {
        for (long i = 0; i < 1000000; i++)
            __asm__ volatile("");
        print_number("spin: round ", round, "\n");
    }
    return 0;
}
