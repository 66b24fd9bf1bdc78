/* $(…): run a command and take what it prints. */
#include "sh.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *read_all(int fd)
{
    struct Text text = {0};
    char block[1024];
    ssize_t size;

    while ((size = read(fd, block, sizeof block)) > 0 || (size < 0 && errno == EINTR))
        for (ssize_t i = 0; i < size; i++)
            if (block[i])
                text_put(&text, block[i]);
    while (text.size && text.chars[text.size - 1] == '\n')
        text.chars[--text.size] = 0;
    return text.chars ? text.chars : strdup("");
}

char *command_output(const char *command)
{
    int fds[2], status = 0;

    if (pipe(fds) < 0)
        fail("pipe: %s", strerror(errno));
    pid_t pid = job_fork(NULL);
    if (pid < 0)
        fail("fork: %s", strerror(errno));
    if (pid == 0) {
        close(fds[0]);
        dup2(fds[1], STDOUT_FILENO);
        if (fds[1] != STDOUT_FILENO)
            close(fds[1]);
        shell_exit(execute_string(command));
    }
    close(fds[1]);
    char *output = read_all(fds[0]);
    close(fds[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    shell.substituted = wait_status(status);
    return output;
}
