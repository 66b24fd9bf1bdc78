/* uniq: equal lines that follow each other only once; -c how many, -d only repeated, -u only others. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int counted, repeated_only, unique_only;

static void print(const char *line, long count)
{
    if ((repeated_only && count == 1) || (unique_only && count > 1))
        return;
    if (counted)
        printf("%7ld ", count);
    puts(line);
}

int main(int argc, char *argv[])
{
    char *line = NULL, *before = NULL;
    size_t room = 0;
    long count = 0;
    FILE *file = stdin;

    for (int option; (option = getopt(argc, argv, "cdu")) != -1;)
        switch (option) {
        case 'c': counted = 1; break;
        case 'd': repeated_only = 1; break;
        case 'u': unique_only = 1; break;
        default: return 1;
        }
    if (optind < argc && strcmp(argv[optind], "-"))
        file = fopen(argv[optind], "r");
    if (!file)
        err(1, "%s", argv[optind]);
    while (getline(&line, &room, file) > 0) {
        line[strcspn(line, "\n")] = 0;
        if (before && !strcmp(line, before)) {
            count++;
            continue;
        }
        if (before)
            print(before, count);
        free(before);
        before = strdup(line);
        count = 1;
    }
    if (before)
        print(before, count);
    return 0;
}
