/* ping PID: messages there and back, each with a number of its own (MIC-04, MIC-09, MIC-15). */
#include "lib/task.h"

int main(int argc, char **argv)
{
    static struct { int sender; int number; char rest[MESSAGE_SIZE - 7]; } message, answer;
    int pid = argc == 2 ? (int)number(argv[1]) : 1;

    message.sender = sys_getpid();
    if (send(pid, &message, MESSAGE_SIZE + 1) != -EMSGSIZE) {
        print("ping: a message of ", MESSAGE_SIZE + 1, " bytes was not refused\n");
        return 1;
    }
    if (recv((char *)(long)main, MESSAGE_SIZE) != -EFAULT) {
        print("ping: a message may be received into code: ", 1, "\n");
        return 1;
    }
    for (message.number = 1; message.number <= ROUND_TRIPS; message.number++) {
        message.rest[MESSAGE_SIZE - 9] = (char)message.number;
        while (send(pid, &message, MESSAGE_SIZE) == -EAGAIN)
            sys_sched_yield();
        if (recv(&answer, MESSAGE_SIZE) != MESSAGE_SIZE || answer.number != message.number ||
            answer.rest[MESSAGE_SIZE - 9] != (char)message.number) {
            print("ping: wrong answer to message ", message.number, "\n");
            return 1;
        }
    }
    print("ping: ", ROUND_TRIPS, " round trips\n");
    return 0;
}
