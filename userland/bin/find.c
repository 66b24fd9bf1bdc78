/* find: all files below a directory; -name PATTERN, -type f|d|l|p|c|b, -maxdepth N, -empty, -print. */
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tree.h>

static const char *name;
static int type, empty, deepest = 1 << 30, failed;

static int is_empty(const char *path, const struct stat *status)
{
    int entries = 0;

    if (!S_ISDIR(status->st_mode))
        return S_ISREG(status->st_mode) && status->st_size == 0;
    DIR *directory = opendir(path);
    while (directory && readdir(directory))
        entries++;
    if (directory)
        closedir(directory);
    return entries == 2; /* . and .. */
}

static int matches(const char *path, const struct stat *status)
{
    static const struct {
        char letter;
        mode_t mode;
    } types[] = {{'f', S_IFREG}, {'d', S_IFDIR},  {'l', S_IFLNK}, {'p', S_IFIFO},
                 {'c', S_IFCHR}, {'b', S_IFBLK}, {'s', S_IFSOCK}};
    const char *slash = strrchr(path, '/');

    if (name && fnmatch(name, slash && slash[1] ? slash + 1 : path, 0))
        return 0;
    if (empty && !is_empty(path, status))
        return 0;
    for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
        if (types[i].letter == type)
            return (status->st_mode & S_IFMT) == types[i].mode;
    return 1;
}

static void walk(const char *path, int depth)
{
    struct stat status;
    char child[PATH_MAX];

    if (lstat(path, &status) < 0) {
        warn("%s", path);
        failed = 1;
        return;
    }
    if (matches(path, &status))
        puts(path);
    if (!S_ISDIR(status.st_mode) || depth >= deepest)
        return;
    DIR *directory = opendir(path);
    if (!directory) {
        warn("%s", path);
        failed = 1;
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            walk(path_inside(child, path, entry->d_name), depth + 1);
    closedir(directory);
}

static const char *value_of(char *argv[])
{
    if (!argv[1])
        errx(1, "%s: a value is missing", *argv);
    return argv[1];
}

/* Read one condition; return the last word of it. */
static char **condition(char *argv[])
{
    if (!strcmp(*argv, "-print"))
        return argv;
    if (!strcmp(*argv, "-empty")) {
        empty = 1;
        return argv;
    }
    const char *value = value_of(argv);
    if (!strcmp(*argv, "-name"))
        name = value;
    else if (!strcmp(*argv, "-type"))
        type = *value;
    else if (!strcmp(*argv, "-maxdepth"))
        deepest = atoi(value);
    else
        errx(1, "unrecognized: %s", *argv);
    return argv + 1;
}

int main(int argc, char *argv[])
{
    int count = 1;

    while (count < argc && argv[count][0] != '-')
        count++;
    for (char **word = argv + count; *word; word++)
        word = condition(word);
    if (count == 1)
        walk(".", 0);
    for (int i = 1; i < count; i++)
        walk(argv[i], 0);
    return failed;
}
