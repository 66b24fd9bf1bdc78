/* hello_world NAME ROUNDS: say so, use up a time slice, and again; the timer lets the others in (MIC-01). */
#include "lib/task.h"

#define MORE_THAN_A_SLICE 6000000

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    for (unsigned long round = 1; round <= number(argv[2]); round++) {
        print("hello_world ", number(argv[1]), round == 1 ? ": first\n" : ": again\n");
        spin(MORE_THAN_A_SLICE);
    }
    return 0;
}
