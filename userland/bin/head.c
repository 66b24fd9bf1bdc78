/* head: the first lines of files; -n LINES, -c BYTES. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long lines = 10, bytes = -1;

static void copy(FILE *file)
{
    long left = bytes >= 0 ? bytes : lines;

    for (int c; left > 0 && (c = fgetc(file)) != EOF;) {
        putchar(c);
        left -= bytes >= 0 || c == '\n';
    }
}

static int copy_path(const char *path, const char *title)
{
    FILE *file = strcmp(path, "-") ? fopen(path, "r") : stdin;

    if (!file) {
        warn("%s", path);
        return 1;
    }
    if (title)
        printf("%s==> %s <==\n", title, path);
    copy(file);
    if (file != stdin)
        fclose(file);
    return 0;
}

int main(int argc, char *argv[])
{
    int failed = 0, verbose = 0, quiet = 0;

    if (argc > 1 && argv[1][0] == '-' && argv[1][1] >= '0' && argv[1][1] <= '9') {
        lines = atol(argv[1] + 1); /* head -5 */
        optind = 2;
    }
    for (int option; (option = getopt(argc, argv, "n:c:vq")) != -1;)
        switch (option) {
        case 'n': lines = atol(optarg); break;
        case 'c': bytes = atol(optarg); break;
        case 'v': verbose = 1; break;
        case 'q': quiet = 1; break;
        default: return 1;
        }
    if (optind == argc)
        return copy_path("-", NULL);
    int titled = verbose || (argc - optind > 1 && !quiet);
    for (int i = optind; i < argc; i++)
        failed |= copy_path(argv[i], !titled ? NULL : i > optind ? "\n" : "");
    return failed;
}
