/* help and type. */
#include "builtins.h"
#include "sh.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *find_program(const char *name)
{
    const char *directories = variable_get("PATH");
    struct stat status;

    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? arena_copy(&scratch, name, strlen(name)) : NULL;
    for (; directories && *name; directories++) {
        size_t length = strcspn(directories, ":");
        char *path = arena_take(&scratch, length + strlen(name) + 2);
        sprintf(path, "%.*s%s%s", (int)length, directories, length ? "/" : "", name);
        if (stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0)
            return path;
        directories += length;
        if (!*directories)
            break;
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_programs(const char *directory)
{
    DIR *open = opendir(directory);
    char *names[512];
    size_t count = 0, column = 0;

    if (!open)
        return;
    for (struct dirent *entry; count < 512 && (entry = readdir(open));)
        if (entry->d_name[0] != '.')
            names[count++] = arena_copy(&scratch, entry->d_name, strlen(entry->d_name));
    closedir(open);
    qsort(names, count, sizeof *names, compare);
    printf("\nPrograms in %s:\n ", directory);
    for (size_t i = 0; i < count; i++) {
        if (column + strlen(names[i]) > 76) {
            printf("\n ");
            column = 0;
        }
        column += printf(" %s", names[i]);
    }
    putchar('\n');
}

int builtin_help(int argc, char *argv[])
{
    (void)argc, (void)argv;
    puts("Built-in commands:");
    for (size_t i = 0; i < builtin_count; i++) {
        char usage[64];
        snprintf(usage, sizeof usage, "%s %s", builtins[i].name, builtins[i].usage);
        printf("  %-34s %s\n", usage, builtins[i].help);
    }
    puts("\nAlso: pipes |, redirections < > >> 2>&1 <<, lists ; & && ||, if, while, until, for,\n"
         "case, functions, $(command), $((arithmetic)), ${name:-default}, patterns * ? [a-z].\n"
         "Ctrl-C interrupts, Ctrl-Z stops, Ctrl-D leaves; arrows edit the line and its history.");
    list_programs("/bin");
    return 0;
}

int builtin_type(int argc, char *argv[])
{
    int missing = 0;

    for (int i = 1; i < argc; i++) {
        const struct Function *function = functions;
        while (function && strcmp(function->name, argv[i]))
            function = function->next;
        const char *path = find_program(argv[i]);
        if (function)
            printf("%s is a function\n", argv[i]);
        else if (builtin_find(argv[i]))
            printf("%s is a shell builtin\n", argv[i]);
        else if (path)
            printf("%s is %s\n", argv[i], path);
        else
            printf("%s: not found\n", argv[i]);
        missing |= !function && !builtin_find(argv[i]) && !path;
    }
    return missing ? 127 : 0;
}
