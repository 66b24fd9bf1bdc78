/* init: the first process of the MelloOS profile (MEL-15). */
#include "lib/mellos.h"

int main(void)
{
    print("[USERLAND] Hello from userland! ✨\n");
    for (;;)
        sys_sleep(100);
}
