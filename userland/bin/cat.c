/* cat: copy files to standard output. */
#include <err.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int copy(int fd, const char *name)
{
    static char buffer[16384];
    ssize_t size;

    while ((size = read(fd, buffer, sizeof buffer)) > 0)
        if (write_all(STDOUT_FILENO, buffer, size) < 0)
            err(1, "write error");
    if (size < 0)
        warn("%s", name);
    return size < 0;
}

static int copy_path(const char *path)
{
    if (!strcmp(path, "-"))
        return copy(STDIN_FILENO, "standard input");
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        warn("%s", path);
        return 1;
    }
    int failed = copy(fd, path);
    close(fd);
    return failed;
}

int main(int argc, char *argv[])
{
    int failed = 0;

    if (getopt(argc, argv, "u") == '?') /* -u is how we work anyway */
        return 2;
    if (optind == argc)
        return copy_path("-");
    for (; optind < argc; optind++)
        failed |= copy_path(argv[optind]);
    return failed;
}
