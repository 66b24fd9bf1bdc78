/* ls: list files; -a all, -A all but . and .., -l long, -1 one in a line, -R subdirectories too,
 * -d directories themselves, -i inode numbers, -F marks, -r reversed, -t by time, -S by size. */
#include <dirent.h>
#include <err.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct Entry {
    char *name;
    char *path;
    struct stat status;
};

struct List {
    struct Entry *entries;
    size_t count;
};

static int all, almost_all, long_format, one_column, recursive, itself, inodes, marks;
static int reversed, by_time, by_size, columns, failed;

static int compare(const void *a, const void *b)
{
    const struct Entry *x = a, *y = b;
    long order = 0;

    if (by_time)
        order = y->status.st_mtim.tv_sec - x->status.st_mtim.tv_sec;
    if (by_time && !order)
        order = y->status.st_mtim.tv_nsec - x->status.st_mtim.tv_nsec;
    if (by_size)
        order = y->status.st_size - x->status.st_size;
    if (!order)
        order = strcmp(x->name, y->name);
    order = reversed ? -order : order;
    return order < 0 ? -1 : order > 0;
}

static void add(struct List *list, const char *name, const char *path, const struct stat *status)
{
    if (list->count % 32 == 0)
        list->entries = realloc(list->entries, (list->count + 32) * sizeof *list->entries);
    if (!list->entries)
        err(1, "too many files");
    list->entries[list->count++] = (struct Entry){strdup(name), strdup(path), *status};
}

static void clear(struct List *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->entries[i].name);
        free(list->entries[i].path);
    }
    free(list->entries);
}

static const char *mode_text(mode_t mode)
{
    static char text[11];
    const char *types = "?pc?d?b?-?l?s???";

    text[0] = types[mode >> 12];
    for (int i = 0; i < 9; i++)
        text[1 + i] = mode & 0400 >> i ? "rwx"[i % 3] : '-';
    if (mode & S_ISUID)
        text[3] = mode & 0100 ? 's' : 'S';
    if (mode & S_ISGID)
        text[6] = mode & 0010 ? 's' : 'S';
    if (mode & S_ISVTX)
        text[9] = mode & 0001 ? 't' : 'T';
    return text;
}

static const char *mark_of(mode_t mode)
{
    if (!marks)
        return "";
    if (S_ISDIR(mode))
        return "/";
    if (S_ISLNK(mode))
        return "@";
    if (S_ISFIFO(mode))
        return "|";
    if (S_ISSOCK(mode))
        return "=";
    return S_ISREG(mode) && mode & 0111 ? "*" : "";
}

static const char *date_text(time_t when)
{
    static char text[16];
    time_t age = time(NULL) - when;
    int recent = age > -3600 && age < 365 * 86400 / 2;

    strftime(text, sizeof text, recent ? "%b %e %H:%M" : "%b %e  %Y", localtime(&when));
    return text;
}

static void print_long(const struct Entry *entry)
{
    const struct stat *status = &entry->status;
    char target[PATH_MAX];

    printf("%s %4lu %-8s %-8s ", mode_text(status->st_mode), status->st_nlink,
           user_name(status->st_uid), group_name(status->st_gid));
    if (S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode))
        printf("%4u,%4u ", device_major(status->st_rdev), device_minor(status->st_rdev));
    else
        printf("%9ld ", status->st_size);
    printf("%s %s", date_text(status->st_mtime), entry->name);
    if (S_ISLNK(status->st_mode)) {
        ssize_t size = readlink(entry->path, target, sizeof target);
        printf(" -> %.*s", size < 0 ? 0 : (int)size, target);
    } else {
        fputs(mark_of(status->st_mode), stdout);
    }
    putchar('\n');
}

static void print_short(const struct Entry *entry, int width)
{
    if (inodes)
        printf("%7lu ", entry->status.st_ino);
    int length = printf("%s%s", entry->name, mark_of(entry->status.st_mode));
    while (length++ < width)
        putchar(' ');
}

/* As many columns as fit, filled downward as in a telephone book. */
static void print_columns(const struct List *list)
{
    size_t widest = 1;

    for (size_t i = 0; i < list->count; i++)
        if (strlen(list->entries[i].name) > widest)
            widest = strlen(list->entries[i].name);
    int width = widest + 2 + marks;
    size_t across = columns / (width + 8 * inodes) ? columns / (width + 8 * inodes) : 1;
    size_t rows = (list->count + across - 1) / across;
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = row; i < list->count; i += rows)
            print_short(&list->entries[i], i + rows < list->count ? width : 0);
        putchar('\n');
    }
}

static void print(struct List *list)
{
    qsort(list->entries, list->count, sizeof *list->entries, compare);
    if (!long_format && !one_column) {
        print_columns(list);
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (!long_format) {
            print_short(&list->entries[i], 0);
            putchar('\n');
            continue;
        }
        if (inodes)
            printf("%7lu ", list->entries[i].status.st_ino);
        print_long(&list->entries[i]);
    }
}

static int is_dots(const char *name)
{
    return !strcmp(name, ".") || !strcmp(name, "..");
}

static int wanted(const char *name)
{
    return name[0] != '.' || all || (almost_all && !is_dots(name));
}

static void read_directory(DIR *directory, const char *path, struct List *list)
{
    struct dirent *found;
    struct stat status;
    char child[PATH_MAX];

    while ((found = readdir(directory))) {
        if (!wanted(found->d_name))
            continue;
        size_t length = strlen(path);
        const char *slash = length && path[length - 1] == '/' ? "" : "/";
        snprintf(child, sizeof child, "%s%s%s", path, slash, found->d_name);
        if (lstat(child, &status) < 0) {
            warn("%s", child);
            failed = 1;
            continue;
        }
        add(list, found->d_name, child, &status);
    }
}

static void list_directory(const char *path, int titled)
{
    static int later;
    DIR *directory = opendir(path);
    struct List list = {0};
    long blocks = 0;

    if (!directory) {
        warn("%s", path);
        failed = 1;
        return;
    }
    if (titled)
        printf("%s%s:\n", later ? "\n" : "", path);
    later = 1;
    read_directory(directory, path, &list);
    closedir(directory);
    for (size_t i = 0; i < list.count; i++)
        blocks += list.entries[i].status.st_blocks;
    if (long_format)
        printf("total %ld\n", blocks / 2);
    print(&list);
    for (size_t i = 0; recursive && i < list.count; i++)
        if (S_ISDIR(list.entries[i].status.st_mode) && !is_dots(list.entries[i].name))
            list_directory(list.entries[i].path, 1);
    clear(&list);
}

static void list_paths(int count, char *paths[])
{
    struct List files = {0}, directories = {0};
    struct stat status;

    for (int i = 0; i < count; i++) {
        int follow = !long_format && !itself;
        if ((!follow || stat(paths[i], &status) < 0) && lstat(paths[i], &status) < 0) {
            warn("%s", paths[i]);
            failed = 1;
            continue;
        }
        add(!itself && S_ISDIR(status.st_mode) ? &directories : &files, paths[i], paths[i], &status);
    }
    if (files.count)
        print(&files);
    if (files.count && directories.count)
        putchar('\n');
    qsort(directories.entries, directories.count, sizeof *directories.entries, compare);
    for (size_t i = 0; i < directories.count; i++)
        list_directory(directories.entries[i].path, count > 1 || recursive);
    clear(&files);
    clear(&directories);
}

static void set_option(int option)
{
    switch (option) {
    case 'a': all = 1; return;
    case 'A': almost_all = 1; return;
    case 'l': long_format = 1; return;
    case '1': one_column = 1; return;
    case 'C': one_column = 0; return;
    case 'R': recursive = 1; return;
    case 'd': itself = 1; return;
    case 'i': inodes = 1; return;
    case 'F': marks = 1; return;
    case 'r': reversed = 1; return;
    case 't': by_time = 1; return;
    case 'S': by_size = 1; return;
    }
    exit(2);
}

int main(int argc, char *argv[])
{
    static char *here[] = {"."};
    struct winsize window;

    one_column = !isatty(STDOUT_FILENO);
    columns = ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col ? window.ws_col : 80;
    for (int option; (option = getopt(argc, argv, "aAl1CRdiFrtS")) != -1;)
        set_option(option);
    if (optind < argc)
        list_paths(argc - optind, argv + optind);
    else
        list_paths(1, here);
    return failed;
}
