/* sleeper: write, sleep, write (MEL-42, tests 7.2 and 7.3). */
#include "lib/mellos.h"

int main(void)
{
    for (long round = 1; round <= 5; round++) {
        print_number("sleeper: round ", round, "\n");
        if (sys_sleep(10) < 0)
            return 1;
    }
    print("sleeper: awake\n");
    return 0;
}
