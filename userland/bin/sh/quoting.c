/* Where quoted pieces end. */
#include "sh.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

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

/* Could a command start at `s`, in a text that starts at `start`? */
static int at_command(const char *start, const char *s)
{
    static const char *const before[] = {"do", "then", "else", "if", "while", "until"};

    while (s > start && isblank(s[-1]))
        s--;
    if (s == start || strchr(";|&({\n", s[-1]))
        return 1;
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        size_t size = strlen(before[i]);
        if ((size_t)(s - start) >= size && !strncmp(s - size, before[i], size))
            return 1;
    }
    return 0;
}

static int is_word(const char *s, const char *word)
{
    size_t size = strlen(word);

    return !strncmp(s, word, size) && (!s[size] || strchr(" \t\n;&|)", s[size]));
}

/* Behind `$(`: quotes, nested parentheses and `case` count, comments do not. */
static const char *skip_parentheses(const char *s)
{
    const char *start = s;
    int cases = 0; /* in there a parenthesis may only close, behind a pattern */

    while (s && *s && (*s != ')' || cases)) {
        if (*s == '#' && (s == start || isspace(s[-1]))) {
            while (*s && *s != '\n')
                s++;
            continue;
        }
        if ((*s == 'c' && is_word(s, "case")) || (*s == 'e' && is_word(s, "esac")))
            if (at_command(start, s))
                cases += *s == 'c' ? 1 : -(cases > 0);
        s = *s == '(' && !cases ? skip_parentheses(s + 1) : skip_piece(s);
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
