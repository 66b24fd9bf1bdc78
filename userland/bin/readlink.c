/* readlink: where a symbolic link points to. */
#include <err.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    char target[PATH_MAX];

    if (argc != 2)
        errx(1, "usage: readlink LINK");
    ssize_t size = readlink(argv[1], target, sizeof target);
    if (size < 0)
        return 1;
    printf("%.*s\n", (int)size, target);
    return 0;
}
