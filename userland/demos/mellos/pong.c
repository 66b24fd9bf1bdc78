/* pong: answer what comes to port 2 with the same bytes to port 1, where `ping` and `receiver` wait. */
#include "lib/mellos.h"
#include "lib/ports.h"

int main(void)
{
    static char buffer[BUFFER_SIZE];

    for (;;) {
        long size = sys_ipc_recv(PORT_REQUEST, buffer, sizeof buffer);
        if (size < 0)
            return 1;
        while (sys_ipc_send(PORT_REPLY, buffer, size) < 0)
            sys_sleep(1); /* the queue is full */
    }
}
