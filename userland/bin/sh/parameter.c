/* $name, ${name…}, $(…) and $((…)). */
#include "sh.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The value of a parameter, NULL if it is unset; $@ and $* are not asked for here. */
static const char *value_of(const char *name)
{
    static char number[24];
    long value;

    if (isdigit(*name)) {
        int index = atoi(name);
        if (index == 0)
            return shell.name;
        return index <= shell.argument_count ? shell.arguments[index - 1] : NULL;
    }
    switch (*name) {
    case '?': value = shell.status; break;
    case '$': value = shell.pid; break;
    case '#': value = shell.argument_count; break;
    case '!':
        if (!shell.background_pid)
            return NULL;
        value = shell.background_pid;
        break;
    case '-': return shell.interactive ? "i" : "";
    default: return variable_get(name);
    }
    snprintf(number, sizeof number, "%ld", value);
    return number;
}

static void add_arguments(struct Expansion *expansion, char which, enum Quoting quoting)
{
    const char *separators = variable_get("IFS");

    for (int i = 0; i < shell.argument_count; i++) {
        if (i && which == '*' && quoting != UNQUOTED) {
            if (!separators || *separators)
                expansion_put(expansion, separators ? *separators : ' ', MARK_QUOTED);
        } else if (i) {
            expansion_put(expansion, 0, MARK_BREAK);
        }
        if (which == '@' && quoting == DOUBLE_QUOTED)
            expansion_put(expansion, 0, MARK_EMPTY);
        expansion_add(expansion, shell.arguments[i], quoting);
    }
}

/* Where the name of a parameter ends: letters and digits, or one special character. */
static const char *end_of_parameter(const char *s)
{
    if (isdigit(*s)) {
        while (isdigit(*s))
            s++;
        return s;
    }
    if (*s && strchr("?$#!@*-", *s))
        return s + 1;
    return skip_name(s);
}

/* Cut what matches off the end (%) or the start (#), as little or (`longest`) as much as possible. */
static char *cut(const char *value, const char *pattern, char side, int longest)
{
    size_t length = strlen(value);
    char *copy = arena_copy(&scratch, value, length);
    int from_start = (side == '#') != longest; /* try short prefixes, or long suffixes, first */

    for (size_t i = 0; i <= length; i++) {
        size_t at = from_start ? i : length - i;
        char kept = copy[at];
        if (side == '%') {
            if (fnmatch(pattern, copy + at, 0))
                continue;
            copy[at] = 0;
            return copy;
        }
        copy[at] = 0;
        int matches = fnmatch(pattern, copy, 0) == 0;
        copy[at] = kept;
        if (matches)
            return copy + at;
    }
    return copy;
}

static void assign_default(const char *name, const char *word)
{
    if (!is_name(name))
        fail("%s: cannot assign in this way", name);
    variable_set(name, word, 0);
}

/* ${name-word} and the like; `operator` is behind the colon, if there is one. */
static void with_word(struct Expansion *expansion, const char *name, const char *value,
                      const char *operator, enum Quoting quoting)
{
    const char *word = operator + 1;

    switch (*operator) {
    case '+':
        if (value)
            expand_text(expansion, word, quoting);
        return;
    case '-':
        if (!value)
            expand_text(expansion, word, quoting);
        break;
    case '=':
        if (!value) {
            assign_default(name, expand_string(word));
            value = value_of(name);
        }
        break;
    case '?':
        if (!value)
            fail("%s: %s", name, *word ? expand_string(word) : "parameter not set");
        break;
    }
    if (value)
        expansion_add(expansion, value, quoting);
}

static const char *checked(const char *name)
{
    const char *value = value_of(name);

    if (!value && shell.error_on_unset)
        fail("%s: parameter not set", name);
    return value ? value : "";
}

/* What is between the braces of ${…}. */
static void braces(struct Expansion *expansion, const char *text, enum Quoting quoting)
{
    char number[24];
    int length = text[0] == '#' && text[1] && end_of_parameter(text + 1)[0] == 0;
    const char *end = end_of_parameter(text + length);
    char *name = arena_copy(&scratch, text + length, end - text - length);

    if (!*name || (*end && !strchr(":-=?+%#", *end)))
        fail("${%s}: bad substitution", text);
    if (length) {
        int count = strchr("@*", *name) != NULL;
        long size = count ? shell.argument_count : (long)strlen(checked(name));
        snprintf(number, sizeof number, "%ld", size);
        expansion_add(expansion, number, quoting);
        return;
    }
    if (strchr("@*", *name)) {
        int none = shell.argument_count == 0;
        if (none && *end)
            with_word(expansion, name, NULL, end + (*end == ':'), quoting);
        else
            add_arguments(expansion, *name, quoting);
        return;
    }
    if (*end == '%' || *end == '#') {
        int longest = end[1] == *end;
        const char *pattern = expand_pattern(end + 1 + longest);
        expansion_add(expansion, cut(checked(name), pattern, *end, longest), quoting);
        return;
    }
    if (!*end) {
        expansion_add(expansion, checked(name), quoting);
        return;
    }
    const char *value = value_of(name);
    if (*end == ':' && value && !*value)
        value = NULL;
    with_word(expansion, name, value, end + (*end == ':'), quoting);
}

static void parentheses(struct Expansion *expansion, const char *s, const char *end,
                        enum Quoting quoting)
{
    char number[24];

    if (s[2] == '(' && end[-2] == ')') {
        char *text = arena_copy(&scratch, s + 3, end - s - 5);
        snprintf(number, sizeof number, "%ld", arithmetic(expand_here(text)));
        expansion_add(expansion, number, quoting);
        return;
    }
    char *output = command_output(arena_copy(&scratch, s + 2, end - s - 3));
    expansion_add(expansion, output, quoting);
    free(output);
}

const char *expand_dollar(struct Expansion *expansion, const char *s, enum Quoting quoting)
{
    const char *end = skip_piece(s);

    if (s[1] == '{') {
        if (!end)
            fail("%s: missing }", s);
        braces(expansion, arena_copy(&scratch, s + 2, end - s - 3), quoting);
        return end;
    }
    if (s[1] == '(') {
        if (!end)
            fail("%s: missing )", s);
        parentheses(expansion, s, end, quoting);
        return end;
    }
    end = end_of_parameter(s + 1);
    if (isdigit(s[1]))
        end = s + 2; /* $10 is ${1}0 */
    if (end == s + 1) {
        expansion_put(expansion, '$', quoting == UNQUOTED ? MARK_PLAIN : MARK_QUOTED);
        return end;
    }
    if (s[1] == '@' || s[1] == '*')
        add_arguments(expansion, s[1], quoting);
    else
        expansion_add(expansion, checked(arena_copy(&scratch, s + 1, end - s - 1)), quoting);
    return end;
}
