/* printf: the format is used again until no argument is left. */
#include <commands.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Arguments {
    char **next;
    int left, failed;
};

static const char *take(struct Arguments *arguments)
{
    if (!arguments->left)
        return NULL;
    arguments->left--;
    return *arguments->next++;
}

static long number(struct Arguments *arguments)
{
    const char *word = take(arguments);
    char *end;

    if (!word)
        return 0;
    if (*word == '\'' || *word == '"')
        return (unsigned char)word[1];
    long value = strtol(word, &end, 0);
    if (*end || end == word) {
        warnx("invalid number '%s'", word);
        arguments->failed = 1;
    }
    return value;
}

/* Print text with escapes; return 1 at \c. */
static int put_escaped(const char *s)
{
    for (int c; *s;) {
        c = (unsigned char)*s++;
        if (c == '\\')
            s = read_escape(s, &c, 1);
        if (c < 0)
            return 1;
        putchar(c);
    }
    return 0;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
/* Print one conversion, which starts at the percent sign; return what follows it, NULL for the end. */
static const char *convert(const char *format, struct Arguments *arguments)
{
    char copy[64];
    size_t flags = 1 + strspn(format + 1, "-+ #0123456789.");
    char type = format[flags];
    const char *word;

    if (flags > sizeof copy - 4 || !type) {
        warnx("%s: invalid format", format);
        arguments->failed = 1;
        return NULL;
    }
    memcpy(copy, format, flags);
    if (strchr("diouxX", type)) {
        copy[flags] = 'l';
        copy[flags + 1] = type;
        copy[flags + 2] = 0;
        printf(copy, number(arguments));
        return format + flags + 1;
    }
    copy[flags] = type;
    copy[flags + 1] = 0;
    word = type == '%' ? NULL : take(arguments);
    if (type == 'b')
        return word && put_escaped(word) ? NULL : format + flags + 1;
    if (type == '%')
        putchar('%');
    else if (type == 's')
        printf(copy, word ? word : "");
    else if (type == 'c')
        fwrite(word ? word : "", 1, word && *word, stdout);
    else if (strchr("feEgG", type))
        printf(copy, word ? strtod(word, NULL) : 0.0);
    else {
        warnx("%%%c: invalid format", type);
        arguments->failed = 1;
        return NULL;
    }
    return format + flags + 1;
}
#pragma GCC diagnostic pop

static int once(const char *format, struct Arguments *arguments)
{
    while (*format) {
        int c = (unsigned char)*format;
        if (c == '%') {
            format = convert(format, arguments);
            if (!format)
                return 0;
            continue;
        }
        format++;
        if (c == '\\')
            format = read_escape(format, &c, 0);
        if (c < 0)
            return 0;
        putchar(c);
    }
    return 1;
}

int printf_command(int argc, char *argv[])
{
    struct Arguments arguments = {argv + 2, argc - 2, 0};

    if (argc < 2) {
        warnx("usage: printf FORMAT [ARGUMENT]...");
        return 2;
    }
    for (int left = -1; left != arguments.left;) {
        left = arguments.left;
        if (!once(argv[1], &arguments) || !arguments.left)
            break;
    }
    return arguments.failed;
}
