/* tr: replace characters of one set by those of another; -d delete them, -s squeeze repeated ones,
 * -c all that are not in the set. Sets: abc, a-z, \n, [:lower:]. */
#include <commands.h>
#include <ctype.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct Set {
    unsigned char chars[1024];
    int count;
};

static void add(struct Set *set, int c)
{
    if (set->count < (int)sizeof set->chars)
        set->chars[set->count++] = c;
}

static const char *add_class(struct Set *set, const char *s)
{
    static const struct {
        const char *name;
        int (*test)(int);
    } classes[] = {
        {"[:alnum:]", isalnum}, {"[:alpha:]", isalpha}, {"[:digit:]", isdigit},
        {"[:lower:]", islower}, {"[:upper:]", isupper}, {"[:space:]", isspace},
        {"[:punct:]", ispunct}, {"[:print:]", isprint}, {"[:blank:]", isblank},
        {"[:cntrl:]", iscntrl}, {"[:xdigit:]", isxdigit}, {"[:graph:]", isgraph},
    };

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        size_t length = strlen(classes[i].name);
        if (strncmp(s, classes[i].name, length))
            continue;
        for (int c = 0; c < 128; c++)
            if (classes[i].test(c))
                add(set, c);
        return s + length;
    }
    return NULL;
}

static const char *one(const char *s, int *c)
{
    *c = (unsigned char)*s++;
    return *c == '\\' && *s ? read_escape(s, c, 0) : s;
}

static struct Set parse(const char *s)
{
    struct Set set = {.count = 0};

    while (*s) {
        const char *after = *s == '[' ? add_class(&set, s) : NULL;
        int first, last;
        if (after) {
            s = after;
            continue;
        }
        s = one(s, &first);
        last = first;
        if (s[0] == '-' && s[1])
            s = one(s + 1, &last);
        for (int c = first; c <= last; c++)
            add(&set, c);
    }
    return set;
}

static struct Set complement(const struct Set *set)
{
    struct Set rest = {.count = 0};

    for (int c = 0; c < 256; c++)
        if (!memchr(set->chars, c, set->count))
            add(&rest, c);
    return rest;
}

int main(int argc, char *argv[])
{
    int deleting = 0, squeezing = 0, complemented = 0, map[256], squeezed[256] = {0}, before = EOF;

    for (int option; (option = getopt(argc, argv, "dscC")) != -1;)
        switch (option) {
        case 'd': deleting = 1; break;
        case 's': squeezing = 1; break;
        case 'c': case 'C': complemented = 1; break;
        default: return 1;
        }
    if (optind == argc || (!deleting && !squeezing && argc - optind < 2))
        errx(1, "usage: tr [-cds] SET [SET]");
    struct Set from = parse(argv[optind]), to = {.count = 0};
    int translating = optind + 1 < argc && !deleting;
    if (optind + 1 < argc)
        to = parse(argv[optind + 1]);
    if (complemented)
        from = complement(&from);
    for (int c = 0; c < 256; c++)
        map[c] = c;
    for (int i = 0; i < from.count; i++) {
        if (deleting)
            map[from.chars[i]] = EOF;
        else if (translating && to.count)
            map[from.chars[i]] = to.chars[i < to.count ? i : to.count - 1];
    }
    const struct Set *last = to.count ? &to : &from;
    for (int i = 0; squeezing && i < last->count; i++)
        squeezed[last->chars[i]] = 1;
    for (int c; (c = getchar()) != EOF;) {
        c = map[c];
        if (c == EOF || (squeezed[c] && c == before))
            continue;
        putchar(c);
        before = c;
    }
    return 0;
}
