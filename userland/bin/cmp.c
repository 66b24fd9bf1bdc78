/* cmp: where two files differ first; -s says nothing. */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static FILE *open_file(const char *path)
{
    FILE *file = strcmp(path, "-") ? fopen(path, "r") : stdin;

    if (!file)
        err(2, "%s", path);
    return file;
}

int main(int argc, char *argv[])
{
    int silent = 0, a, b;
    long byte = 1, line = 1;

    for (int option; (option = getopt(argc, argv, "s")) != -1;) {
        if (option == '?')
            return 2;
        silent = 1;
    }
    if (argc - optind != 2)
        errx(2, "usage: cmp [-s] FILE FILE");
    FILE *one = open_file(argv[optind]), *other = open_file(argv[optind + 1]);
    for (;; byte++) {
        a = fgetc(one);
        b = fgetc(other);
        if (a != b || a == EOF)
            break;
        line += a == '\n';
    }
    if (a == b)
        return 0;
    if (silent)
        return 1;
    if (a == EOF || b == EOF)
        warnx("EOF on %s", argv[optind + (b == EOF)]);
    else
        printf("%s %s differ: char %ld, line %ld\n", argv[optind], argv[optind + 1], byte, line);
    return 1;
}
