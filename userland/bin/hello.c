/* hello: is anybody there? */
#include <stdio.h>

int main(void)
{
    puts("Hello from userland!");
    return 0;
}
