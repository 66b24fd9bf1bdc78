/* ping: 100 round trips to `pong` and back, each with its number (MEL-42, test 7.5; MEL-08). */
#include "lib/mellos.h"
#include "lib/ports.h"

int main(void)
{
    long number, answer;

    for (number = 1; number <= ROUNDS; number++) {
        while (sys_ipc_send(PORT_REQUEST, &number, sizeof number) < 0)
            sys_sleep(1);
        answer = 0;
        if (sys_ipc_recv(PORT_REPLY, &answer, sizeof answer) != sizeof answer || answer != number) {
            print_number("ping: wrong answer to message ", number, "\n");
            return 1;
        }
    }
    print_number("ping: ", ROUNDS, " round trips\n");
    return 0;
}
