/* Patterns of the shell (POSIX, Pattern Matching Notation). */
#include <fnmatch.h>
#include <stddef.h>

/* Does [...] match c? Sets *end to what follows the bracket; NULL if it is never closed. */
static int bracket(const char *pattern, char c, const char **end)
{
    int negated = *pattern == '!' || *pattern == '^';
    const char *at = pattern + negated, *first = at;
    int found = 0;

    *end = NULL;
    for (; *at != ']' || at == first; at++) {
        if (*at == '\\' && at[1])
            at++;
        if (!*at)
            return 0;
        char low = *at, high = low;
        if (at[1] == '-' && at[2] && at[2] != ']') {
            at += 2;
            high = *at;
        }
        if ((unsigned char)low <= (unsigned char)c && (unsigned char)c <= (unsigned char)high)
            found = 1;
    }
    *end = at + 1;
    return found != negated;
}

static int star(const char *pattern, const char *string, int flags)
{
    for (;; string++) {
        if (fnmatch(pattern, string, flags & ~FNM_PERIOD) == 0)
            return 0;
        if (!*string || ((flags & FNM_PATHNAME) && *string == '/'))
            return FNM_NOMATCH;
    }
}

int fnmatch(const char *pattern, const char *string, int flags)
{
    for (; *pattern; string++) {
        const char *rest = pattern + 1, *end;
        int wild = *pattern == '*' || *pattern == '?' || *pattern == '[';

        if (wild && *string == '.' && (flags & FNM_PERIOD))
            return FNM_NOMATCH;
        if (*pattern == '*')
            return star(rest, string, flags);
        if (!*string || (wild && *string == '/' && (flags & FNM_PATHNAME)))
            return FNM_NOMATCH;
        int matches = *pattern == '?' || *pattern == *string;
        if (*pattern == '\\' && *rest)
            matches = *rest++ == *string;
        else if (*pattern == '[') {
            int inside = bracket(rest, *string, &end);
            if (end) {
                matches = inside;
                rest = end;
            }
        }
        if (!matches)
            return FNM_NOMATCH;
        if ((flags & FNM_PATHNAME) && *string != '/')
            flags &= ~FNM_PERIOD;
        pattern = rest;
    }
    return *string ? FNM_NOMATCH : 0;
}
