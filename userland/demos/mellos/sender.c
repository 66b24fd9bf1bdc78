/* sender: a "ping" to port 2 every 100 ticks (MEL-37). */
#include "lib/mellos.h"
#include "lib/ports.h"

int main(void)
{
    for (;;) {
        if (sys_ipc_send(PORT_REQUEST, "ping", 4) < 0)
            print("sender: the queue is full\n");
        sys_sleep(100);
    }
}
