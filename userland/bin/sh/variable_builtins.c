/* export, readonly, unset, set, shift, local, read. */
#include "sh.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct Local {
    struct Local *next;
    char *name, *value; /* value NULL: it was unset */
    int flags;
};

static struct Local *locals;

struct Local *local_mark(void)
{
    return locals;
}

void local_save(const char *name)
{
    struct Variable *variable = variable_find(name);
    struct Local *local = calloc(1, sizeof *local);

    local->name = strdup(name);
    if (variable && variable->value)
        local->value = strdup(variable->value);
    local->flags = variable ? variable->flags : 0;
    local->next = locals;
    locals = local;
}

void local_undo(struct Local *mark)
{
    while (locals != mark) {
        struct Local *local = locals;
        locals = local->next;
        if (local->value) {
            variable_set(local->name, local->value, 0);
            variable_find(local->name)->flags = local->flags;
        } else {
            variable_unset(local->name);
        }
        free(local->name);
        free(local->value);
        free(local);
    }
}

/* Set a variable from an argument that has been expanded: NAME=value, or NAME. */
static int declare(const char *command, const char *word, int flags)
{
    const char *end = skip_name(word);

    if (end == word || (*end && *end != '=')) {
        fprintf(stderr, "%s: %s: %s: bad variable name\n", shell.name, command, word);
        return 1;
    }
    char *name = arena_copy(&scratch, word, end - word);
    if (!strcmp(command, "local"))
        local_save(name);
    if (*end)
        variable_set(name, end + 1, flags);
    else
        variable_make(name)->flags |= flags;
    return 0;
}

static int list_flagged(const char *command, int flag)
{
    for (struct Variable *variable = variables; variable; variable = variable->next)
        if (variable->flags & flag)
            printf(variable->value ? "%s %s='%s'\n" : "%s %s\n", command, variable->name,
                   variable->value);
    return 0;
}

static int declare_all(int argc, char *argv[], int flag)
{
    int failed = 0;

    if (argc == 1 || !strcmp(argv[1], "-p"))
        return list_flagged(argv[0], flag);
    for (int i = 1; i < argc; i++)
        failed |= declare(argv[0], argv[i], flag);
    return failed;
}

int builtin_export(int argc, char *argv[])
{
    return declare_all(argc, argv, VARIABLE_EXPORTED);
}

int builtin_readonly(int argc, char *argv[])
{
    return declare_all(argc, argv, VARIABLE_READONLY);
}

int builtin_local(int argc, char *argv[])
{
    int failed = 0;

    if (!shell.functions) {
        fprintf(stderr, "%s: local: not in a function\n", shell.name);
        return 1;
    }
    for (int i = 1; i < argc; i++)
        failed |= declare("local", argv[i], 0);
    return failed;
}

int builtin_unset(int argc, char *argv[])
{
    int of_functions = argc > 1 && !strcmp(argv[1], "-f");
    int first = argc > 1 && argv[1][0] == '-' ? 2 : 1;

    for (int i = first; i < argc; i++) {
        if (!of_functions) {
            variable_unset(argv[i]);
            continue;
        }
        for (struct Function **link = &functions; *link; link = &(*link)->next)
            if (!strcmp((*link)->name, argv[i])) {
                *link = (*link)->next;
                break;
            }
    }
    return 0;
}

int builtin_shift(int argc, char *argv[])
{
    int count = argc > 1 ? atoi(argv[1]) : 1;

    if (count < 0 || count > shell.argument_count)
        return 1;
    shell.arguments += count;
    shell.argument_count -= count;
    return 0;
}

static int set_option(char option, int on)
{
    switch (option) {
    case 'e': shell.exit_on_error = on; return 0;
    case 'x': shell.trace = on; return 0;
    case 'u': shell.error_on_unset = on; return 0;
    case 'f': shell.no_glob = on; return 0;
    case 'm': shell.monitor = on && shell.interactive; return 0;
    }
    fprintf(stderr, "%s: set: illegal option %c%c\n", shell.name, on ? '-' : '+', option);
    return 2;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(struct Variable **)a)->name, (*(struct Variable **)b)->name);
}

static int list_variables(void)
{
    size_t count = 0;

    for (struct Variable *variable = variables; variable; variable = variable->next)
        count++;
    struct Variable **sorted = arena_take(&scratch, count * sizeof *sorted + 1), **to = sorted;
    for (struct Variable *variable = variables; variable; variable = variable->next)
        *to++ = variable;
    qsort(sorted, count, sizeof *sorted, compare_names);
    for (size_t i = 0; i < count; i++)
        if (sorted[i]->value)
            printf("%s='%s'\n", sorted[i]->name, sorted[i]->value);
    return 0;
}

int builtin_set(int argc, char *argv[])
{
    int i = 1, explicit = 0;

    if (argc == 1)
        return list_variables();
    for (; i < argc && (argv[i][0] == '-' || argv[i][0] == '+') && argv[i][1]; i++) {
        explicit = !strcmp(argv[i], "--");
        if (explicit) {
            i++;
            break;
        }
        for (const char *option = argv[i] + 1; *option; option++)
            if (set_option(*option, argv[i][0] == '-'))
                return 2;
    }
    if (i == argc && !explicit)
        return 0;
    char **arguments = calloc(argc - i + 1, sizeof *arguments); /* lives as long as $1 does */
    for (int n = 0; n < argc - i; n++)
        arguments[n] = strdup(argv[i + n]);
    shell.arguments = arguments;
    shell.argument_count = argc - i;
    return 0;
}

/* --- read ----------------------------------------------------------------------------------- */

/* Read a line byte by byte: what follows belongs to somebody else. 1 at the end of the file. */
static int read_line(struct Text *line, struct Text *escaped, int raw)
{
    for (char c; read(STDIN_FILENO, &c, 1) == 1;) {
        int backslash = c == '\\' && !raw;
        if (backslash && read(STDIN_FILENO, &c, 1) != 1)
            return 1;
        if (c == '\n' && !backslash)
            return 0;
        if (backslash && c == '\n')
            continue;
        text_put(line, c);
        text_put(escaped, backslash);
    }
    return 1;
}

struct Splitter {
    const char *at, *escaped, *separators;
};

static int separates(const struct Splitter *splitter)
{
    return *splitter->at && !*splitter->escaped && strchr(splitter->separators, *splitter->at);
}

static void step(struct Splitter *splitter)
{
    splitter->at++;
    splitter->escaped++;
}

static void skip_space(struct Splitter *splitter)
{
    while (separates(splitter) && isspace(*splitter->at))
        step(splitter);
}

static void take_field(struct Splitter *splitter, const char *name)
{
    const char *start = splitter->at;

    while (*splitter->at && !separates(splitter))
        step(splitter);
    variable_set(name, arena_copy(&scratch, start, splitter->at - start), 0);
    skip_space(splitter);
    if (separates(splitter)) {
        step(splitter);
        skip_space(splitter);
    }
}

static void take_rest(struct Splitter *splitter, const char *name)
{
    size_t size = strlen(splitter->at);

    while (size && !splitter->escaped[size - 1] && isspace(splitter->at[size - 1]) &&
           strchr(splitter->separators, splitter->at[size - 1]))
        size--;
    variable_set(name, arena_copy(&scratch, splitter->at, size), 0);
}

int builtin_read(int argc, char *argv[])
{
    static char *reply[] = {"REPLY", NULL};
    struct Text line = {0}, escaped = {0};
    int raw = 0, i = 1;

    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        raw |= strchr(argv[i], 'r') != NULL;
        if (strchr(argv[i], 'p') && i + 1 < argc)
            fputs(argv[++i], stderr);
    }
    char **names = i < argc ? argv + i : reply;
    text_add(&line, "", 0);
    text_add(&escaped, "", 0);
    int at_end = read_line(&line, &escaped, raw);
    const char *separators = variable_get("IFS");
    struct Splitter splitter = {line.chars, escaped.chars, separators ? separators : " \t\n"};
    skip_space(&splitter);
    for (; names[1]; names++)
        take_field(&splitter, *names);
    take_rest(&splitter, *names);
    text_free(&line);
    text_free(&escaped);
    return at_end;
}
