/* The environment. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char **own; /* environ, once it is in memory that we may enlarge */

static size_t count(void)
{
    size_t n = 0;

    while (environ[n])
        n++;
    return n;
}

static char **find(const char *name)
{
    size_t length = strlen(name);

    for (char **entry = environ; *entry; entry++)
        if (!strncmp(*entry, name, length) && (*entry)[length] == '=')
            return entry;
    return NULL;
}

char *getenv(const char *name)
{
    char **entry = find(name);

    return entry ? strchr(*entry, '=') + 1 : NULL;
}

static int append(char *entry)
{
    size_t n = count();
    char **larger = realloc(environ == own ? own : NULL, (n + 2) * sizeof *larger);

    if (!larger)
        return -1;
    if (environ != own)
        memcpy(larger, environ, n * sizeof *larger);
    larger[n] = entry;
    larger[n + 1] = NULL;
    environ = own = larger;
    return 0;
}

int setenv(const char *name, const char *value, int overwrite)
{
    if (!*name || strchr(name, '=')) {
        errno = EINVAL;
        return -1;
    }
    char **old = find(name);
    if (old && !overwrite)
        return 0;
    char *entry = malloc(strlen(name) + strlen(value) + 2);
    if (!entry)
        return -1;
    strcpy(stpcpy(stpcpy(entry, name), "="), value);
    if (!old)
        return append(entry);
    *old = entry; /* the old text may be the kernel's: it is not freed */
    return 0;
}

int unsetenv(const char *name)
{
    char **entry = find(name);

    for (; entry && *entry; entry++)
        *entry = entry[1];
    return 0;
}
