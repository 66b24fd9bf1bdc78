/* test and [: conditions by operators of the argument list (POSIX, test). */
#include <commands.h>
#include <ctype.h>
#include <err.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct Words {
    char **at, **end;
    jmp_buf wrong;
};

static int or_list(struct Words *words);

_Noreturn static void wrong(struct Words *words, const char *what, const char *word)
{
    warnx("%s: %s", word, what);
    longjmp(words->wrong, 1);
}

static long integer(struct Words *words, const char *word)
{
    char *end;
    long value = strtol(word, &end, 10);

    while (isspace(*end))
        end++;
    if (end == word || *end)
        wrong(words, "out of range", word);
    return value;
}

static int about_file(char test, const char *path)
{
    struct stat status;

    if (strchr("hL", test))
        return lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
    if (strchr("rwx", test))
        return access(path, test == 'r' ? R_OK : test == 'w' ? W_OK : X_OK) == 0;
    if (stat(path, &status) < 0)
        return 0;
    switch (test) {
    case 'b': return S_ISBLK(status.st_mode);
    case 'c': return S_ISCHR(status.st_mode);
    case 'd': return S_ISDIR(status.st_mode);
    case 'f': return S_ISREG(status.st_mode);
    case 'p': return S_ISFIFO(status.st_mode);
    case 'S': return S_ISSOCK(status.st_mode);
    case 's': return status.st_size > 0;
    case 'u': return (status.st_mode & S_ISUID) != 0;
    case 'g': return (status.st_mode & S_ISGID) != 0;
    case 'k': return (status.st_mode & S_ISVTX) != 0;
    }
    return 1; /* -e */
}

static int unary(struct Words *words, char test, const char *operand)
{
    switch (test) {
    case 'n': return *operand != 0;
    case 'z': return *operand == 0;
    case 't': return isatty(integer(words, operand));
    }
    return about_file(test, operand);
}

static int newer(const char *a, const char *b)
{
    struct stat x, y;

    if (stat(a, &x) < 0)
        return 0;
    if (stat(b, &y) < 0)
        return 1;
    if (x.st_mtim.tv_sec != y.st_mtim.tv_sec)
        return x.st_mtim.tv_sec > y.st_mtim.tv_sec;
    return x.st_mtim.tv_nsec > y.st_mtim.tv_nsec;
}

static int same_file(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Which binary operator a word is: its index, or -1. */
static int binary_operator(const char *word)
{
    static const char *const operators[] = {
        "=", "==", "!=", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef",
    };

    for (int i = 0; i < (int)(sizeof operators / sizeof *operators); i++)
        if (!strcmp(word, operators[i]))
            return i;
    return -1;
}

static int binary(struct Words *words, int operator, const char *a, const char *b)
{
    switch (operator) {
    case 0: case 1: return strcmp(a, b) == 0;
    case 2: return strcmp(a, b) != 0;
    case 3: return strcmp(a, b) < 0;
    case 4: return strcmp(a, b) > 0;
    case 11: return newer(a, b);
    case 12: return newer(b, a);
    case 13: return same_file(a, b);
    }
    long x = integer(words, a), y = integer(words, b);
    switch (operator) {
    case 5: return x == y;
    case 6: return x != y;
    case 7: return x < y;
    case 8: return x <= y;
    case 9: return x > y;
    }
    return x >= y;
}

static int is_unary(const char *word)
{
    return word[0] == '-' && word[1] && !word[2] && strchr("bcdefghkLnprSstuwxz", word[1]);
}

static int primary(struct Words *words)
{
    long left = words->end - words->at;
    char **at = words->at;

    if (left == 0)
        wrong(words, "argument expected", "test");
    if (left >= 3 && binary_operator(at[1]) >= 0) {
        words->at += 3;
        return binary(words, binary_operator(at[1]), at[0], at[2]);
    }
    if (left >= 2 && !strcmp(at[0], "!")) {
        words->at++;
        return !primary(words);
    }
    if (left >= 3 && !strcmp(at[0], "(")) {
        words->at++;
        int result = or_list(words);
        if (words->at == words->end || strcmp(*words->at++, ")"))
            wrong(words, "closing parenthesis expected", "test");
        return result;
    }
    if (left >= 2 && is_unary(at[0])) {
        words->at += 2;
        return unary(words, at[0][1], at[1]);
    }
    words->at++;
    return **at != 0;
}

static int next_is(struct Words *words, const char *operator)
{
    if (words->at >= words->end || strcmp(*words->at, operator))
        return 0;
    words->at++;
    return 1;
}

static int and_list(struct Words *words)
{
    int result = primary(words);

    while (next_is(words, "-a"))
        result &= primary(words);
    return result;
}

static int or_list(struct Words *words)
{
    int result = and_list(words);

    while (next_is(words, "-o"))
        result |= and_list(words);
    return result;
}

int test_command(int argc, char *argv[])
{
    struct Words words = {.at = argv + 1, .end = argv + argc};
    const char *slash = strrchr(argv[0], '/');

    if (!strcmp(slash ? slash + 1 : argv[0], "[")) {
        if (argc < 2 || strcmp(argv[argc - 1], "]")) {
            warnx("missing ]");
            return 2;
        }
        words.end--;
    }
    if (words.at == words.end)
        return 1;
    if (setjmp(words.wrong))
        return 2;
    int result = or_list(&words);
    if (words.at < words.end)
        wrong(&words, "unknown operand", *words.at);
    return !result;
}
