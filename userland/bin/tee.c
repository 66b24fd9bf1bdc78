/* tee: copy standard input to standard output and to files; -a appends to them. */
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    static char buffer[4096];
    int how = O_TRUNC, count = 0, failed = 0;
    ssize_t size;

    for (int option; (option = getopt(argc, argv, "ai")) != -1;) {
        if (option == '?')
            return 1;
        how = option == 'a' ? O_APPEND : how;
    }
    int *fds = calloc(argc, sizeof *fds);
    for (; optind < argc; optind++) {
        int fd = open(argv[optind], O_WRONLY | O_CREAT | how, 0666);
        if (fd < 0)
            warn("%s", argv[optind]);
        else
            fds[count++] = fd;
        failed |= fd < 0;
    }
    while ((size = read(STDIN_FILENO, buffer, sizeof buffer)) > 0) {
        failed |= write_all(STDOUT_FILENO, buffer, size) < 0;
        for (int i = 0; i < count; i++)
            failed |= write_all(fds[i], buffer, size) < 0;
    }
    free(fds);
    return failed;
}
