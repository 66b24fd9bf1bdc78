/* write: says hello, and exits with what write() has returned (MYR-14). */
#include "lib/myria.h"

int main(void)
{
    return print("Hello from ring 3\n");
}
