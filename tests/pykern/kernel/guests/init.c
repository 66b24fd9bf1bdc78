/* First process of the tests: runs the commands of /commands one after the other, their output in
 * /out/N and /out/N.err, their wait status in /out/N.status, and turns the machine off. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[1 << 16];
static char *const environment[] = { "PATH=/bin", "LC_ALL=C", "HOME=/", 0 };

static void send_to(int fd, const char *path)
{
    int file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
    dup2(file, fd);
    close(file);
}

static void run(int number, char **arguments)
{
    char path[64];
    setsid();
    close(0);
    open("/dev/null", O_RDONLY);
    sprintf(path, "/out/%d.err", number);
    send_to(2, path);
    sprintf(path, "/out/%d", number);
    send_to(1, path);
    chdir("/work");
    execve(arguments[0], arguments, environment);
    perror(arguments[0]);
    _exit(127);
}

static void note(int number, int status)
{
    char path[64];
    sprintf(path, "/out/%d.status", number);
    FILE *file = fopen(path, "w");
    fprintf(file, "%d", status);
    fclose(file);
}

int main(void)
{
    int fd = open("/commands", O_RDONLY), number = 0, status;
    text[read(fd, text, sizeof text - 1)] = 0;
    close(fd);
    for (char *command = text; *command; number++) {
        char *end = strchr(command, '\x1e'), *arguments[64], **next = arguments;
        *end = 0;
        for (char *word = command, *stop; (stop = strchr(word, '\x1f')); word = stop + 1) {
            *stop = 0;
            *next++ = word;
        }
        *next = 0;
        pid_t child = fork();
        if (!child)
            run(number, arguments);
        while (waitpid(child, &status, 0) < 0)
            ;
        note(number, status);
        /* Orphans that the command has left behind. */
        while (waitpid(-1, &status, WNOHANG) > 0)
            ;
        command = end + 1;
    }
    reboot(RB_POWER_OFF);
    return 1;
}
