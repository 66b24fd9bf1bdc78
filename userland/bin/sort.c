/* sort: lines in order; -r reversed, -n by number, -u each once, -f either case, -k N from field N,
 * -t C fields end with that character. */
#include <ctype.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct Line {
    char *text;
    size_t number; /* equal lines stay in order */
};

static struct Line *lines;
static size_t count;
static int reversed, numeric, unique, fold, field = 1;
static char separator;

/* Where the key starts: field N and what follows. */
static const char *key_of(const char *s)
{
    for (int i = 1; i < field; i++) {
        if (separator) {
            s += strcspn(s, (char[]){separator, 0});
            s += *s != 0;
            continue;
        }
        s += strspn(s, " \t");
        s += strcspn(s, " \t");
    }
    return s;
}

static int compare_keys(const char *a, const char *b)
{
    if (numeric) {
        double x = strtod(a, NULL), y = strtod(b, NULL);
        return x < y ? -1 : x > y;
    }
    return fold ? strcasecmp(a, b) : strcmp(a, b);
}

static int compare(const struct Line *a, const struct Line *b)
{
    int order = compare_keys(key_of(a->text), key_of(b->text));

    if (!order && !unique) /* the whole line decides */
        order = strcmp(a->text, b->text);
    return reversed ? -order : order;
}

static int compare_lines(const void *a, const void *b)
{
    const struct Line *x = a, *y = b;
    int order = compare(x, y);

    return order ? order : x->number < y->number ? -1 : 1;
}

static void read_lines(FILE *file)
{
    char *line = NULL;
    size_t room = 0;

    while (getline(&line, &room, file) > 0) {
        line[strcspn(line, "\n")] = 0;
        if (count % 256 == 0)
            lines = realloc(lines, (count + 256) * sizeof *lines);
        if (!lines)
            err(2, "too many lines");
        lines[count] = (struct Line){strdup(line), count};
        count++;
    }
    free(line);
}

int main(int argc, char *argv[])
{
    for (int option; (option = getopt(argc, argv, "rnufk:t:")) != -1;)
        switch (option) {
        case 'r': reversed = 1; break;
        case 'n': numeric = 1; break;
        case 'u': unique = 1; break;
        case 'f': fold = 1; break;
        case 'k': field = atoi(optarg); break;
        case 't': separator = *optarg; break;
        default: return 2;
        }
    if (optind == argc)
        read_lines(stdin);
    for (int i = optind; i < argc; i++) {
        FILE *file = strcmp(argv[i], "-") ? fopen(argv[i], "r") : stdin;
        if (!file)
            err(2, "%s", argv[i]);
        read_lines(file);
        if (file != stdin)
            fclose(file);
    }
    qsort(lines, count, sizeof *lines, compare_lines);
    for (size_t i = 0; i < count; i++)
        if (!unique || i == 0 || compare(&lines[i - 1], &lines[i]))
            puts(lines[i].text);
    return 0;
}
