/* grep: lines that match a basic regular expression. -F fixed text, -i either case, -v those that do
 * not, -c how many, -n with numbers, -l names only, -q nothing, -h/-H without/with names,
 * -x whole lines, -r directories. Understands . [] * \+ \? ^ $ and \ ; no groups. */
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fixed, fold, inverted, counting, numbered, names_only, quiet, whole, recursive;
static int with_names = -1, failed;
static const char *pattern;

static int same(char a, char b)
{
    return a == b || (fold && tolower(a) == tolower(b));
}

/* Behind the bracket expression that starts at `p`; NULL if it is not closed. */
static const char *end_of_bracket(const char *p)
{
    p += 1 + (p[1] == '^');
    if (*p == ']')
        p++;
    while (*p && *p != ']') {
        if (p[0] == '[' && p[1] == ':' && strstr(p, ":]"))
            p = strstr(p, ":]") + 1;
        p++;
    }
    return *p ? p + 1 : NULL;
}

static int in_class(const char *name, int c)
{
    static const struct {
        const char *name;
        int (*test)(int);
    } classes[] = {
        {"alnum:", isalnum}, {"alpha:", isalpha}, {"digit:", isdigit}, {"lower:", islower},
        {"print:", isprint}, {"punct:", ispunct}, {"space:", isspace}, {"upper:", isupper},
        {"xdigit:", isxdigit}, {"blank:", isblank}, {"cntrl:", iscntrl}, {"graph:", isgraph},
    };

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (!strncmp(name, classes[i].name, strlen(classes[i].name)))
            return classes[i].test(c);
    return 0;
}

static int in_bracket(const char *p, const char *end, char c)
{
    int negated = p[1] == '^', found = 0;

    for (p += 1 + negated; p < end - 1; p++) {
        if (p[0] == '[' && p[1] == ':') {
            found |= in_class(p + 2, (unsigned char)c);
            p = strstr(p, ":]") + 1;
            continue;
        }
        char low = *p, high = low;
        if (p[1] == '-' && p + 2 < end - 1) {
            p += 2;
            high = *p;
        }
        found |= low <= c && c <= high;
        if (fold)
            found |= (low <= tolower(c) && tolower(c) <= high) ||
                     (low <= toupper(c) && toupper(c) <= high);
    }
    return found != negated;
}

static const char *end_of_item(const char *p)
{
    const char *end = *p == '[' ? end_of_bracket(p) : NULL;

    if (end)
        return end;
    return *p == '\\' && p[1] ? p + 2 : p + 1;
}

static int item_matches(const char *p, char c)
{
    if (!c)
        return 0;
    if (*p == '.')
        return 1;
    if (*p == '[' && end_of_bracket(p))
        return in_bracket(p, end_of_bracket(p), c);
    return same(*p == '\\' && p[1] ? p[1] : *p, c);
}

static int match_here(const char *p, const char *s);

/* `item` repeated at least `least` and at most `most` times, as often as possible first. */
static int match_repeated(const char *item, const char *rest, const char *s, long least, long most)
{
    long count = 0;

    while (count < most && item_matches(item, s[count]))
        count++;
    for (; count >= least; count--)
        if (match_here(rest, s + count))
            return 1;
    return 0;
}

static int match_here(const char *p, const char *s)
{
    for (;;) {
        if (!*p)
            return !whole || !*s;
        if (p[0] == '$' && !p[1])
            return !*s;
        const char *after = end_of_item(p);
        if (*after == '*')
            return match_repeated(p, after + 1, s, 0, LONG_MAX);
        if (after[0] == '\\' && after[1] == '+')
            return match_repeated(p, after + 2, s, 1, LONG_MAX);
        if (after[0] == '\\' && after[1] == '?')
            return match_repeated(p, after + 2, s, 0, 1);
        if (!item_matches(p, *s))
            return 0;
        p = after;
        s++;
    }
}

static int match_fixed(const char *line)
{
    size_t length = strlen(pattern);

    if (whole && strlen(line) != length)
        return 0;
    for (; strlen(line) >= length; line++) {
        size_t i = 0;
        while (i < length && same(pattern[i], line[i]))
            i++;
        if (i == length)
            return 1;
    }
    return 0;
}

static int matches(const char *line)
{
    if (fixed)
        return match_fixed(line);
    if (*pattern == '^')
        return match_here(pattern + 1, line);
    do
        if (match_here(pattern, line))
            return 1;
    while (!whole && *line++);
    return 0;
}

static void print_line(const char *name, long number, const char *line)
{
    if (with_names)
        printf("%s:", name);
    if (numbered)
        printf("%ld:", number);
    puts(line);
}

/* Search one file; return whether something was found. */
static int search(FILE *file, const char *name)
{
    char *line = NULL;
    size_t room = 0;
    long found = 0;

    for (long number = 1; getline(&line, &room, file) > 0; number++) {
        line[strcspn(line, "\n")] = 0;
        if (matches(line) == inverted)
            continue;
        found++;
        if (quiet || names_only)
            break;
        if (!counting)
            print_line(name, number, line);
    }
    free(line);
    if (names_only && found)
        puts(name);
    else if (counting && !quiet)
        printf(with_names ? "%s:%ld\n" : "%.0s%ld\n", name, found);
    return found > 0;
}

static int search_path(const char *path);

static int search_directory(const char *path)
{
    DIR *directory = opendir(path);
    char child[PATH_MAX];
    int found = 0;

    if (!directory) {
        warn("%s", path);
        failed = 1;
        return 0;
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
        found |= search_path(child);
    }
    closedir(directory);
    return found;
}

static int search_path(const char *path)
{
    struct stat status;

    if (!strcmp(path, "-"))
        return search(stdin, "(standard input)");
    if (recursive && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return search_directory(path);
    FILE *file = fopen(path, "r");
    if (!file) {
        warn("%s", path);
        failed = 1;
        return 0;
    }
    int found = search(file, path);
    fclose(file);
    return found;
}

static void set_option(int option)
{
    switch (option) {
    case 'F': fixed = 1; return;
    case 'i': fold = 1; return;
    case 'v': inverted = 1; return;
    case 'c': counting = 1; return;
    case 'n': numbered = 1; return;
    case 'l': names_only = 1; return;
    case 'q': quiet = 1; return;
    case 'x': whole = 1; return;
    case 'r': recursive = 1; return;
    case 'h': with_names = 0; return;
    case 'H': with_names = 1; return;
    case 's': return;
    case 'e': pattern = optarg; return;
    }
    exit(2);
}

int main(int argc, char *argv[])
{
    int found = 0;

    for (int option; (option = getopt(argc, argv, "FivcnlqxrhHse:")) != -1;)
        set_option(option);
    if (!pattern && optind < argc)
        pattern = argv[optind++];
    if (!pattern)
        errx(2, "usage: grep [-FivcnlqxrhH] PATTERN [FILE]...");
    if (with_names < 0)
        with_names = argc - optind > 1 || recursive;
    if (optind == argc)
        found = search_path(recursive ? "." : "-");
    for (int i = optind; i < argc; i++)
        found |= search_path(argv[i]);
    return failed && !(found && quiet) ? 2 : !found;
}
