/* Words to fields (POSIX, Word Expansions): expand, split, match file names, remove quotes.
 *
 * An expansion is a string with a mark for each character, which says where it came from. */
#include "sh.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void expansion_put(struct Expansion *expansion, char c, enum Mark mark)
{
    text_put(&expansion->chars, c);
    text_put(&expansion->marks, mark);
}

/* Add the result of an expansion. */
void expansion_add(struct Expansion *expansion, const char *s, enum Quoting quoting)
{
    for (; *s; s++)
        expansion_put(expansion, *s, quoting == UNQUOTED ? MARK_RESULT : MARK_QUOTED);
}

static const char *expand_backquotes(struct Expansion *expansion, const char *s,
                                     enum Quoting quoting)
{
    const char *end = skip_piece(s);
    char *command = arena_take(&scratch, end - s), *to = command;

    for (s++; s < end - 1; s++) {
        if (*s == '\\' && strchr("$`\\", s[1]))
            s++;
        *to++ = *s;
    }
    char *output = command_output(command);
    expansion_add(expansion, output, quoting);
    free(output);
    return end;
}

static const char *expand_backslash(struct Expansion *expansion, const char *s,
                                    enum Quoting quoting)
{
    const char *special = quoting == HERE_DOCUMENT ? "$`\\\n" : "$`\"\\\n}";

    if (!s[1] || (quoting != UNQUOTED && !strchr(special, s[1]))) {
        expansion_put(expansion, '\\', MARK_QUOTED);
        return s + 1;
    }
    if (s[1] != '\n')
        expansion_put(expansion, s[1], MARK_QUOTED);
    return s + 2;
}

static const char *expand_single_quotes(struct Expansion *expansion, const char *s)
{
    expansion_put(expansion, 0, MARK_EMPTY);
    for (s++; *s != '\''; s++)
        expansion_put(expansion, *s, MARK_QUOTED);
    return s + 1;
}

static const char *expand_double_quotes(struct Expansion *expansion, const char *s)
{
    const char *end = skip_piece(s);
    char *inside = arena_copy(&scratch, s + 1, end - s - 2);
    int no_arguments = !strcmp(inside, "$@") && !shell.argument_count;

    if (!no_arguments) /* "$@" without arguments is no field at all */
        expansion_put(expansion, 0, MARK_EMPTY);
    expand_text(expansion, inside, DOUBLE_QUOTED);
    return end;
}

static const char *expand_piece(struct Expansion *expansion, const char *s, enum Quoting quoting)
{
    switch (*s) {
    case '\\': return expand_backslash(expansion, s, quoting);
    case '$': return expand_dollar(expansion, s, quoting);
    case '`': return expand_backquotes(expansion, s, quoting);
    case '\'':
        if (quoting == UNQUOTED)
            return expand_single_quotes(expansion, s);
        break;
    case '"':
        if (quoting == UNQUOTED)
            return expand_double_quotes(expansion, s);
        if (quoting == DOUBLE_QUOTED) /* inside "${x:-"…"}" */
            return s + 1;
        break;
    }
    expansion_put(expansion, *s, quoting == UNQUOTED ? MARK_PLAIN : MARK_QUOTED);
    return s + 1;
}

void expand_text(struct Expansion *expansion, const char *s, enum Quoting quoting)
{
    while (*s)
        s = expand_piece(expansion, s, quoting);
}

/* ~ and ~/… at the start of a word. */
static const char *expand_tilde(struct Expansion *expansion, const char *s)
{
    const char *home = variable_get("HOME");

    if (s[0] != '~' || (s[1] && s[1] != '/') || !home)
        return s;
    for (; *home; home++)
        expansion_put(expansion, *home, MARK_QUOTED);
    return s + 1;
}

static void expansion_free(struct Expansion *expansion)
{
    text_free(&expansion->chars);
    text_free(&expansion->marks);
}

/* --- fields --------------------------------------------------------------------------------- */

struct Fields {
    struct Word *first, **last;
    struct Text pattern; /* of the field that is being made; quoted characters as \c */
    int exists, magic;
};

static char *without_backslashes(char *s)
{
    char *to = s, *start = s;

    for (; *s; s++) {
        if (*s == '\\' && s[1])
            s++;
        *to++ = *s;
    }
    *to = 0;
    return start;
}

static void append(struct Fields *fields, struct Word *words)
{
    *fields->last = words;
    while (*fields->last)
        fields->last = &(*fields->last)->next;
}

static void end_field(struct Fields *fields)
{
    struct Word *matches = NULL;

    if (!fields->exists)
        return;
    char *pattern = fields->pattern.chars ? fields->pattern.chars : "";
    if (fields->magic && !shell.no_glob)
        matches = glob(pattern);
    if (!matches) {
        matches = arena_take(&scratch, sizeof *matches);
        matches->text = without_backslashes(arena_copy(&scratch, pattern, strlen(pattern)));
    }
    append(fields, matches);
    fields->pattern.size = 0;
    if (fields->pattern.chars)
        *fields->pattern.chars = 0;
    fields->exists = fields->magic = 0;
}

static void put_in_field(struct Fields *fields, char c, enum Mark mark)
{
    if (mark == MARK_QUOTED || (c == '\\' && mark == MARK_RESULT))
        text_put(&fields->pattern, '\\');
    else if (strchr("*?[", c))
        fields->magic = 1;
    text_put(&fields->pattern, c);
    fields->exists = 1;
}

static int separates(const struct Expansion *expansion, size_t i, const char *separators)
{
    return i < expansion->chars.size && expansion->marks.chars[i] == MARK_RESULT &&
           strchr(separators, expansion->chars.chars[i]);
}

static size_t skip_space(const struct Expansion *expansion, size_t i, const char *separators)
{
    while (separates(expansion, i, separators) && isspace(expansion->chars.chars[i]))
        i++;
    return i;
}

/* One separator: white space, or another character with the white space around it. */
static size_t end_at_separator(struct Fields *fields, const struct Expansion *expansion, size_t i,
                               const char *separators)
{
    i = skip_space(expansion, i, separators);
    if (separates(expansion, i, separators)) {
        fields->exists = 1;
        i = skip_space(expansion, i + 1, separators);
    }
    end_field(fields);
    return i;
}

static void split(struct Fields *fields, const struct Expansion *expansion)
{
    const char *separators = variable_get("IFS");

    if (!separators)
        separators = " \t\n";
    for (size_t i = 0; i < expansion->chars.size;) {
        enum Mark mark = expansion->marks.chars[i];
        if (separates(expansion, i, separators)) {
            i = end_at_separator(fields, expansion, i, separators);
            continue;
        }
        if (mark == MARK_EMPTY)
            fields->exists = 1;
        else if (mark == MARK_BREAK)
            end_field(fields);
        else
            put_in_field(fields, expansion->chars.chars[i], mark);
        i++;
    }
    end_field(fields);
}

struct Word *expand_words(const struct Word *words)
{
    struct Fields fields = {.last = &fields.first};

    for (; words; words = words->next) {
        struct Expansion expansion = {0};
        expand_text(&expansion, expand_tilde(&expansion, words->text), UNQUOTED);
        split(&fields, &expansion);
        expansion_free(&expansion);
    }
    text_free(&fields.pattern);
    return fields.first;
}

/* --- strings -------------------------------------------------------------------------------- */

/* The characters, with arguments of "$@" separated by spaces; patterns get their backslashes. */
static char *joined(struct Expansion *expansion, int pattern)
{
    struct Text text = {0};

    for (size_t i = 0; i < expansion->chars.size; i++) {
        enum Mark mark = expansion->marks.chars[i];
        if (mark == MARK_EMPTY)
            continue;
        if (pattern && mark == MARK_QUOTED)
            text_put(&text, '\\');
        text_put(&text, mark == MARK_BREAK ? ' ' : expansion->chars.chars[i]);
    }
    char *result = arena_copy(&scratch, text.chars ? text.chars : "", text.size);
    text_free(&text);
    expansion_free(expansion);
    return result;
}

char *expand_string(const char *text)
{
    struct Expansion expansion = {0};

    expand_text(&expansion, expand_tilde(&expansion, text), UNQUOTED);
    return joined(&expansion, 0);
}

char *expand_pattern(const char *text)
{
    struct Expansion expansion = {0};

    expand_text(&expansion, expand_tilde(&expansion, text), UNQUOTED);
    return joined(&expansion, 1);
}

char *expand_here(const char *text)
{
    struct Expansion expansion = {0};

    expand_text(&expansion, text, HERE_DOCUMENT);
    return joined(&expansion, 0);
}
