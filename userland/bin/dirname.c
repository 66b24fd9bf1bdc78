/* dirname: a path without its last part. */
#include <err.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char *argv[])
{
    if (argc != 2)
        errx(1, "usage: dirname PATH");
    char *path = argv[1];
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    while (length && path[length - 1] != '/')
        length--;
    while (length > 1 && path[length - 1] == '/')
        length--;
    path[length] = 0;
    puts(length ? path : ".");
    return 0;
}
