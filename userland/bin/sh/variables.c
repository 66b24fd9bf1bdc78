/* Variables and the environment. */
#include "sh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct Variable *variables;

struct Variable *variable_find(const char *name)
{
    for (struct Variable *variable = variables; variable; variable = variable->next)
        if (!strcmp(variable->name, name))
            return variable;
    return NULL;
}

struct Variable *variable_make(const char *name)
{
    struct Variable *variable = variable_find(name);

    if (variable)
        return variable;
    variable = calloc(1, sizeof *variable);
    variable->name = strdup(name);
    variable->next = variables;
    return variables = variable;
}

const char *variable_get(const char *name)
{
    struct Variable *variable = variable_find(name);

    return variable ? variable->value : NULL;
}

int variable_set(const char *name, const char *value, int flags)
{
    struct Variable *variable = variable_make(name);

    if (variable->flags & VARIABLE_READONLY)
        fail("%s: is read only", name);
    char *copy = strdup(value);
    free(variable->value);
    variable->value = copy;
    variable->flags |= flags;
    return 0;
}

void variable_unset(const char *name)
{
    for (struct Variable **link = &variables; *link; link = &(*link)->next) {
        struct Variable *variable = *link;
        if (strcmp(variable->name, name))
            continue;
        if (variable->flags & VARIABLE_READONLY)
            fail("%s: is read only", name);
        *link = variable->next;
        free(variable->name);
        free(variable->value);
        free(variable);
        return;
    }
}

int variable_assign(const char *assignment, int flags)
{
    const char *equals = strchr(assignment, '=');
    char *name = arena_copy(&scratch, assignment, equals - assignment);

    return variable_set(name, expand_string(equals + 1), flags);
}

void variables_from_environment(void)
{
    for (char **entry = environ; *entry; entry++) {
        char *equals = strchr(*entry, '=');
        if (!equals)
            continue;
        char *name = strndup(*entry, equals - *entry);
        if (is_name(name))
            variable_set(name, equals + 1, VARIABLE_EXPORTED);
        free(name);
    }
}

char **variables_to_environment(void)
{
    size_t count = 0;

    for (struct Variable *variable = variables; variable; variable = variable->next)
        count += (variable->flags & VARIABLE_EXPORTED) && variable->value;
    char **entries = arena_take(&scratch, (count + 1) * sizeof *entries), **at = entries + count;
    for (struct Variable *variable = variables; variable; variable = variable->next) {
        if (!(variable->flags & VARIABLE_EXPORTED) || !variable->value)
            continue;
        size_t size = strlen(variable->name) + strlen(variable->value) + 2;
        *--at = arena_take(&scratch, size); /* the newest stands first in the list */
        snprintf(*at, size, "%s=%s", variable->name, variable->value);
    }
    return entries;
}
