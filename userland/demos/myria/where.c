/* where: says at which address it runs (MYR-21). */
#include "lib/myria.h"

static const char digits[] = "0123456789abcdef";

int main(void)
{
    char line[24];
    int length = 0;
    uint64_t here = (uint64_t)main & ~0xfffUL;

    line[length++] = '0';
    line[length++] = 'x';
    for (int shift = 60; shift >= 0; shift -= 4)
        if (here >> shift)
            line[length++] = digits[here >> shift & 15];
    line[length++] = '\n';
    sys_write(STDOUT, line, length);
    return 0;
}
