/* init: process 1 of the memory and process kernel; waits for children it is given, for ever. */
#include "lib/process.h"

int main(void)
{
    for (;;)
        if (sys_wait4(-1, 0, 0, 0) < 0)
            sys_task_sleep(1000);
}
