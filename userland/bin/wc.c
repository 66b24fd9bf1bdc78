/* wc: count lines, words and bytes; -l, -w, -c for one of them. */
#include <ctype.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct Counts {
    unsigned long lines, words, bytes;
};

static int wanted[3]; /* lines, words, bytes */

static struct Counts count(FILE *file)
{
    struct Counts counts = {0};
    int in_word = 0;

    for (int c; (c = fgetc(file)) != EOF; counts.bytes++) {
        counts.lines += c == '\n';
        counts.words += !isspace(c) && !in_word;
        in_word = !isspace(c);
    }
    return counts;
}

static void print(const struct Counts *counts, const char *name)
{
    const unsigned long values[] = {counts->lines, counts->words, counts->bytes};
    int several = wanted[0] + wanted[1] + wanted[2] > 1, first = 1;

    for (int i = 0; i < 3; i++)
        if (wanted[i]) {
            printf(several ? "%s%9lu" : "%s%lu", first ? "" : " ", values[i]);
            first = 0;
        }
    printf(name ? " %s\n" : "\n", name);
}

static int count_path(const char *path, struct Counts *total)
{
    FILE *file = strcmp(path, "-") ? fopen(path, "r") : stdin;

    if (!file) {
        warn("%s", path);
        return 1;
    }
    struct Counts counts = count(file);
    if (file != stdin)
        fclose(file);
    print(&counts, path);
    total->lines += counts.lines;
    total->words += counts.words;
    total->bytes += counts.bytes;
    return 0;
}

int main(int argc, char *argv[])
{
    struct Counts total = {0};
    int failed = 0;

    for (int option; (option = getopt(argc, argv, "lwc")) != -1;) {
        if (option == '?')
            return 1;
        wanted[option == 'l' ? 0 : option == 'w' ? 1 : 2] = 1;
    }
    if (!wanted[0] && !wanted[1] && !wanted[2])
        wanted[0] = wanted[1] = wanted[2] = 1;
    if (optind == argc) {
        total = count(stdin);
        print(&total, NULL);
        return 0;
    }
    for (int i = optind; i < argc; i++)
        failed |= count_path(argv[i], &total);
    if (argc - optind > 1)
        print(&total, "total");
    return failed;
}
