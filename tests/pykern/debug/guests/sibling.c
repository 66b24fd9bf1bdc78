/* sibling: has a function of its own where /sbin/init has `work`. */
#include <unistd.h>

__attribute__((section(".samedata"))) volatile int left = 40;

__attribute__((noinline, section(".same"))) void rest(int i)
{
    left -= i;
}

int main(void)
{
    for (int i = 1; i <= 7; i++)
        rest(i);
    usleep(1000);
    return left;
}
