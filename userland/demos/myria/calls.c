/* calls: makes a thousand system calls that do nothing, for their time to be taken (MYR-22). */
#include "lib/myria.h"

int main(void)
{
    for (int i = 0; i < 1000; i++)
        sys_getpid();
    return 0;
}
