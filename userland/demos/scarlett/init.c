/* init: what Scarlett OS tries of its system calls from user mode (SCA-19). */
#include "lib/scarlett.h"

static volatile int ran;

static void work(void *argument)
{
    print("Hello from a thread of a program\n");
    ran = *(int *)argument;
}

int main(void)
{
    int number = 7;
    struct thread thread = {work, &number};

    print("Hello from user mode\n");
    sys_yield();
    if (start_thread(&thread, NORMAL, "worker") < 0)
        return 1;
    for (int round = 0; !ran && round < 100; round++)
        sys_yield();
    return ran == number ? 0 : 2;
}
