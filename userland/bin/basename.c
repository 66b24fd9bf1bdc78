/* basename: the last part of a path, without a suffix if one is given. */
#include <err.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char *argv[])
{
    if (argc < 2 || argc > 3)
        errx(1, "usage: basename PATH [SUFFIX]");
    char *path = argv[1];
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        path[--length] = 0;
    char *slash = strrchr(path, '/');
    if (slash && slash[1])
        path = slash + 1;
    length = strlen(path);
    size_t suffix = argc > 2 ? strlen(argv[2]) : 0;
    if (suffix && suffix < length && !strcmp(path + length - suffix, argv[2]))
        path[length - suffix] = 0;
    puts(path);
    return 0;
}
