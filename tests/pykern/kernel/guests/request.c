/* First process that runs the command of each line it reads, and says how that has ended. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *const environment[] = { "PATH=/bin", "LC_ALL=C", "HOME=/", 0 };

static void run(char *line)
{
    char *arguments[64], **next = arguments;

    for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n"))
        *next++ = word;
    *next = 0;
    execve(arguments[0], arguments, environment);
    perror(arguments[0]);
    _exit(127);
}

int main(void)
{
    char line[256];
    int status;

    for (int number = 0;; number++) {
        printf("request %d?\n", number);
        fflush(stdout);
        ssize_t size = read(0, line, sizeof line - 1);
        if (size <= 0)
            pause();
        line[size] = 0;
        pid_t child = fork();
        if (!child)
            run(line);
        while (waitpid(child, &status, 0) < 0)
            ;
        printf("status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
        fflush(stdout);
    }
}
