/* tail: the last lines of files; -n LINES (+LINES: from that line on), -c BYTES, -f goes on. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long count = 10;
static int by_bytes, from_start, follow;

/* Everything from line (or byte) `count` on. */
static void copy_from(FILE *file)
{
    long at = 1;

    for (int c; (c = fgetc(file)) != EOF;) {
        if (at >= count)
            putchar(c);
        at += by_bytes || c == '\n';
    }
}

static char *read_all(FILE *file, size_t *size)
{
    size_t room = 4096;
    char *text = malloc(room);

    for (*size = 0;;) {
        size_t part = fread(text + *size, 1, room - *size, file);
        *size += part;
        if (*size < room)
            return text;
        room *= 2;
        text = realloc(text, room);
        if (!text)
            err(1, "file is too long");
    }
}

static void copy_last(FILE *file)
{
    size_t size, start;
    char *text = read_all(file, &size);
    long left = count;

    if (by_bytes) {
        start = (size_t)count < size ? size - count : 0;
    } else {
        start = size;
        if (start && left && text[start - 1] == '\n')
            start--;
        while (start && left > 0 && (text[start - 1] != '\n' || --left))
            start--;
        if (!count)
            start = size;
    }
    fwrite(text + start, 1, size - start, stdout);
    free(text);
}

static void follow_forever(FILE *file)
{
    for (;;) {
        for (int c; (c = fgetc(file)) != EOF;)
            putchar(c);
        fflush(stdout);
        clearerr(file);
        sleep(1);
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
    if (from_start)
        copy_from(file);
    else
        copy_last(file);
    if (follow)
        follow_forever(file);
    if (file != stdin)
        fclose(file);
    return 0;
}

static void set_count(const char *text)
{
    from_start = *text == '+';
    count = labs(atol(text));
}

int main(int argc, char *argv[])
{
    int failed = 0;

    if (argc > 1 && argv[1][0] == '-' && argv[1][1] >= '0' && argv[1][1] <= '9') {
        set_count(argv[1] + 1); /* tail -5 */
        optind = 2;
    }
    for (int option; (option = getopt(argc, argv, "n:c:f")) != -1;)
        switch (option) {
        case 'n': set_count(optarg); break;
        case 'c': set_count(optarg); by_bytes = 1; break;
        case 'f': follow = 1; break;
        default: return 1;
        }
    if (optind == argc)
        return copy_path("-", NULL);
    for (int i = optind; i < argc; i++)
        failed |= copy_path(argv[i], argc - optind == 1 ? NULL : i > optind ? "\n" : "");
    return failed;
}
