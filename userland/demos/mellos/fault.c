/* fault: touch the kernel's memory; whoever reads "alive" has a hole in the wall (MEL-48). */
#include "lib/mellos.h"

int main(void)
{
    print("fault: reading kernel memory\n");
    volatile char *kernel = (volatile char *)0xffffffff80000000;
    (void)*kernel;
    print("fault: alive\n");
    return 1;
}
