/* receiver: show what comes to port 1, at most 64 bytes of it (MEL-37). */
#include "lib/mellos.h"
#include "lib/ports.h"

int main(void)
{
    static char buffer[BUFFER_SIZE];

    for (;;) {
        long size = sys_ipc_recv(PORT_REPLY, buffer, sizeof buffer);
        if (size < 0)
            return 1;
        print("received: ");
        sys_write(SERIAL, buffer, size);
        print("\n");
    }
}
