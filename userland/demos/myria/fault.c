/* fault: reads the guard page below its stack, which ends it (MYR-06, MYR-17). */
#include "lib/myria.h"

int main(void)
{
    return *(volatile char *)0x7fffff;
}
