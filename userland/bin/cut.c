/* cut: parts of each line; -f LIST fields (-d C ends one, a tab without it; -s only lines that have
 * any), -c LIST or -b LIST characters. LIST: 1,3-5,7- */
#include <err.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *list;
static char delimiter = '\t';
static int by_field, only_delimited;

static int wanted(long position)
{
    const char *at = list;

    for (;;) {
        char *end;
        long first = *at == '-' ? 1 : strtol(at, &end, 10), last = first;
        if (*at == '-')
            end = (char *)at;
        if (*end == '-') {
            at = end + 1;
            last = strtol(at, &end, 10);
            if (end == at)
                last = LONG_MAX;
        }
        if (first <= position && position <= last)
            return 1;
        if (*end != ',')
            return 0;
        at = end + 1;
    }
}

static void cut_characters(const char *line)
{
    for (long position = 1; *line; line++, position++)
        if (wanted(position))
            putchar(*line);
    putchar('\n');
}

static void cut_fields(char *line)
{
    char separators[] = {delimiter, 0}, *rest = line, *field;
    int first = 1;

    if (!strchr(line, delimiter)) {
        if (!only_delimited)
            puts(line);
        return;
    }
    for (long position = 1; (field = strsep(&rest, separators)); position++) {
        if (!wanted(position))
            continue;
        if (!first)
            putchar(delimiter);
        fputs(field, stdout);
        first = 0;
    }
    putchar('\n');
}

static void cut(FILE *file)
{
    char *line = NULL;
    size_t room = 0;

    while (getline(&line, &room, file) > 0) {
        line[strcspn(line, "\n")] = 0;
        if (by_field)
            cut_fields(line);
        else
            cut_characters(line);
    }
    free(line);
}

int main(int argc, char *argv[])
{
    for (int option; (option = getopt(argc, argv, "f:c:b:d:sn")) != -1;)
        switch (option) {
        case 'f': list = optarg; by_field = 1; break;
        case 'c': case 'b': list = optarg; break;
        case 'd': delimiter = *optarg; break;
        case 's': only_delimited = 1; break;
        case 'n': break;
        default: return 1;
        }
    if (!list)
        errx(1, "usage: cut -f LIST [-d C] [-s] | -c LIST [FILE]...");
    if (optind == argc)
        cut(stdin);
    for (; optind < argc; optind++) {
        FILE *file = strcmp(argv[optind], "-") ? fopen(argv[optind], "r") : stdin;
        if (!file)
            err(1, "%s", argv[optind]);
        cut(file);
        if (file != stdin)
            fclose(file);
    }
    return 0;
}
