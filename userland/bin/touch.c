/* touch: set the times of files to now, making files that do not exist (-c: not). */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int touch(const char *path, int make)
{
    if (utimensat(AT_FDCWD, path, NULL, 0) == 0)
        return 0;
    if (errno == ENOENT && !make)
        return 0;
    int fd = errno == ENOENT ? open(path, O_WRONLY | O_CREAT, 0666) : -1;
    if (fd < 0) {
        warn("%s", path);
        return 1;
    }
    close(fd);
    return 0;
}

int main(int argc, char *argv[])
{
    int make = 1, failed = 0;

    for (int option; (option = getopt(argc, argv, "c")) != -1;) {
        if (option == '?')
            return 1;
        make = 0;
    }
    if (optind == argc)
        errx(1, "usage: touch [-c] FILE...");
    for (; optind < argc; optind++)
        failed |= touch(argv[optind], make);
    return failed;
}
