/* A port is closed by who has made it, or by its end, and by nobody else. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PORT_CREATE = 1000, PORT_CLOSE, SEND, RECEIVE };

static const char code[64] = "read only";

static void tell(const char *what, long result)
{
    printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "done");
    fflush(stdout);
}

int main(void)
{
    long port = syscall(PORT_CREATE, 0);

    if (fork() == 0) {
        tell("another closes it", syscall(PORT_CLOSE, port));
        tell("another sends", syscall(SEND, port, "hello", 5));
        return 0;
    }
    wait(NULL);
    tell("received where nothing may be written", syscall(RECEIVE, port, code, 5, 0L));
    char got[6] = "";
    tell("received", syscall(RECEIVE, port, got, 5, 0L));
    printf("%s, %s\n", got, code);
    tell("closed", syscall(PORT_CLOSE, port));
    tell("sent to nobody", syscall(SEND, port, "hello", 5));
    return 0;
}
