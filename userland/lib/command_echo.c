/* echo: print the arguments; -n without a newline, -e with \n \t \0ooo and the like. */
#include <commands.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *octal(const char *s, int *c)
{
    int digits = 0;

    for (*c = 0; digits < 3 && *s >= '0' && *s <= '7'; digits++)
        *c = *c * 8 + (*s++ - '0');
    return s;
}

static const char *hexadecimal(const char *s, int *c)
{
    int digits = 0;

    for (*c = 0; digits < 2 && isxdigit(*s); digits++, s++)
        *c = *c * 16 + (isdigit(*s) ? *s - '0' : tolower(*s) - 'a' + 10);
    return s;
}

const char *read_escape(const char *s, int *c, int leading_zero)
{
    static const char letters[] = "abefnrtv\\", values[] = "\a\b\033\f\n\r\t\v\\";
    const char *found = *s ? strchr(letters, *s) : NULL;

    *c = '\\';
    if (found) {
        *c = values[found - letters];
        return s + 1;
    }
    if (*s == 'c') {
        *c = -1;
        return s + 1;
    }
    if (*s == 'x' && isxdigit(s[1]))
        return hexadecimal(s + 1, c);
    if (*s == '0' && leading_zero)
        return octal(s + 1, c);
    return *s >= '0' && *s <= '7' && !leading_zero ? octal(s, c) : s;
}

/* Print one argument; return 1 at \c, which ends all output. */
static int put_escaped(const char *s)
{
    while (*s) {
        int c = (unsigned char)*s++;
        if (c == '\\')
            s = read_escape(s, &c, 1);
        if (c < 0)
            return 1;
        putchar(c);
    }
    return 0;
}

int echo_command(int argc, char *argv[])
{
    int newline = 1, escapes = 0, i = 1;

    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (argv[i][1 + strspn(argv[i] + 1, "neE")])
            break;
        if (strchr(argv[i], 'n'))
            newline = 0;
        for (const char *at = argv[i]; *at; at++)
            escapes = *at == 'e' ? 1 : *at == 'E' ? 0 : escapes;
    }
    for (; i < argc; i++) {
        if (!escapes)
            fputs(argv[i], stdout);
        else if (put_escaped(argv[i]))
            return 0;
        if (i + 1 < argc)
            putchar(' ');
    }
    if (newline)
        putchar('\n');
    return ferror(stdout);
}
