/* Where quoted pieces end. */
#include "sh.h"

#include <ctype.h>
#include <stddef.h>

const char *skip_name(const char *s)
{
    if (!isalpha(*s) && *s != '_')
        return s;
    while (isalnum(*s) || *s == '_')
        s++;
    return s;
}

int is_name(const char *s)
{
    return *s && skip_name(s) != s && !*skip_name(s);
}

static const char *skip_until(const char *s, char end, const char *(*skip)(const char *))
{
    while (s && *s && *s != end)
        s = skip(s);
    return s && *s ? s + 1 : NULL;
}

static const char *skip_character(const char *s)
{
    return *s == '\\' ? (s[1] ? s + 2 : NULL) : s + 1;
}

static const char *skip_plain(const char *s)
{
    return s + 1;
}

/* Behind `$(`: quotes and nested parentheses count, comments do not. */
static const char *skip_parentheses(const char *s)
{
    while (s && *s && *s != ')') {
        if (*s == '(')
            s = skip_parentheses(s + 1);
        else if (*s == '#' && isspace(s[-1]))
            while (*s && *s != '\n')
                s++;
        else
            s = skip_piece(s);
    }
    return s && *s ? s + 1 : NULL;
}

static const char *skip_dollar(const char *s)
{
    if (s[1] == '(')
        return skip_parentheses(s + 2);
    if (s[1] == '{')
        return skip_until(s + 2, '}', skip_piece);
    return s + 1;
}

const char *skip_double_quoted_piece(const char *s)
{
    switch (*s) {
    case '\\': return skip_character(s);
    case '`': return skip_until(s + 1, '`', skip_character);
    case '$': return skip_dollar(s);
    }
    return s + 1;
}

const char *skip_piece(const char *s)
{
    switch (*s) {
    case '\'': return skip_until(s + 1, '\'', skip_plain);
    case '"': return skip_until(s + 1, '"', skip_double_quoted_piece);
    }
    return skip_double_quoted_piece(s);
}
