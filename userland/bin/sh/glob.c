/* File names that match a pattern, one directory of the path after the other. */
#include "sh.h"

#include <dirent.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int is_magic(const char *s, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (s[i] == '\\')
            i++;
        else if (strchr("*?[", s[i]))
            return 1;
    }
    return 0;
}

static void add(struct Word **words, const char *path)
{
    struct Word *word = arena_take(&scratch, sizeof *word);

    word->text = arena_copy(&scratch, path, strlen(path));
    while (*words && strcmp((*words)->text, path) < 0)
        words = &(*words)->next;
    word->next = *words;
    *words = word;
}

static void match(const char *directory, const char *pattern, struct Word **found);

/* Go on behind `directory` + `name`, if there is such a file. */
static void descend(const char *directory, const char *name, const char *rest, struct Word **found)
{
    char path[PATH_MAX];
    struct stat status;
    size_t slashes = strspn(rest, "/");

    if (snprintf(path, sizeof path, "%s%s%.*s", directory, name, (int)slashes, rest) >= PATH_MAX)
        return;
    if (lstat(path, &status) < 0)
        return;
    if (rest[slashes])
        match(path, rest + slashes, found);
    else
        add(found, path);
}

static void match(const char *directory, const char *pattern, struct Word **found)
{
    size_t size = strcspn(pattern, "/");
    char part[PATH_MAX];

    if (size >= sizeof part)
        return;
    memcpy(part, pattern, size);
    part[size] = 0;
    if (!is_magic(part, size)) {
        char *to = part;
        for (char *s = part; *s; *to++ = *s++)
            if (*s == '\\' && s[1])
                s++;
        *to = 0;
        descend(directory, part, pattern + size, found);
        return;
    }
    DIR *open = opendir(*directory ? directory : ".");
    if (!open)
        return;
    for (struct dirent *entry; (entry = readdir(open));)
        if (fnmatch(part, entry->d_name, FNM_PERIOD) == 0)
            descend(directory, entry->d_name, pattern + size, found);
    closedir(open);
}

struct Word *glob(const char *pattern)
{
    struct Word *found = NULL;

    if (*pattern != '/') {
        match("", pattern, &found);
        return found;
    }
    size_t slashes = strspn(pattern, "/");
    char *root = arena_copy(&scratch, pattern, slashes);
    if (pattern[slashes])
        match(root, pattern + slashes, &found);
    return found;
}
