/* calls: every system call does what it must, and refuses what it must (MEL-12, MEL-13). */
#include "lib/mellos.h"
#include "lib/ports.h"

#define QUEUE_LENGTH 16
#define MESSAGE_MAX 4096
#define PORTS 256
#define KERNEL_ADDRESS 0xffffffff80000000
#define NO_SUCH_CALL 99

static char large[MESSAGE_MAX + 1];
static int failures;

static void check(const char *what, int holds)
{
    const char *verdict = holds ? "ok   " : "FAIL ";
    long length = 0;

    while (what[length])
        length++;
    sys_write(SERIAL, verdict, 5);
    sys_write(SERIAL, what, length);
    print("\n");
    failures += !holds;
}

static void check_write(void)
{
    check("write returns its size", sys_write(SERIAL, "\n", 1) == 1);
    check("write refuses memory of the kernel", sys_write(SERIAL, KERNEL_ADDRESS, 1) < 0);
    check("write refuses memory that is not there", sys_write(SERIAL, 16, 1) < 0);
    check("an unknown call is refused", int80(NO_SUCH_CALL, 0, 0, 0) < 0);
}

static void check_queue(void)
{
    int sent = 0;

    while (sent < 2 * QUEUE_LENGTH && sys_ipc_send(PORT_QUEUE, &sent, sizeof sent) >= 0)
        sent++;
    check("a queue takes 16 messages and no more", sent == QUEUE_LENGTH);
    int in_order = 1;
    for (int expected = 0; expected < sent; expected++) {
        int got = -1;
        in_order &= sys_ipc_recv(PORT_QUEUE, &got, sizeof got) == sizeof got && got == expected;
    }
    check("messages come in order", in_order);
}

static void check_limits(void)
{
    check("a message may have 4096 bytes", sys_ipc_send(PORT_QUEUE, large, MESSAGE_MAX) >= 0);
    check("all of it comes", sys_ipc_recv(PORT_QUEUE, large, MESSAGE_MAX) == MESSAGE_MAX);
    check("4097 bytes are refused", sys_ipc_send(PORT_QUEUE, large, MESSAGE_MAX + 1) < 0);
    check("port 255 exists", sys_ipc_send(PORTS - 1, "x", 1) >= 0);
    check("port 256 does not", sys_ipc_send(PORTS, "x", 1) < 0);
    check("nobody receives from port 256", sys_ipc_recv(PORTS, large, 1) < 0);
    check("send refuses memory of the kernel", sys_ipc_send(PORT_QUEUE, KERNEL_ADDRESS, 8) < 0);
    check("receive refuses code", sys_ipc_recv(PORT_QUEUE, (long)check, 8) < 0);
}

int main(void)
{
    check_write();
    check("sleep comes back", sys_sleep(1) >= 0);
    check_queue();
    check_limits();
    print_number("calls: ", failures, " failures\n");
    return failures != 0;
}
