/* Copying and removing whole directories. */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tree.h>
#include <unistd.h>

int is_directory(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

const char *path_inside(char result[PATH_MAX], const char *directory, const char *path)
{
    size_t end = strlen(path);

    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start && path[start - 1] != '/')
        start--;
    const char *slash = *directory && directory[strlen(directory) - 1] == '/' ? "" : "/";
    snprintf(result, PATH_MAX, "%s%s%.*s", directory, slash, (int)(end - start), path + start);
    return result;
}

static int complain(const char *path)
{
    warn("%s", path);
    return 1;
}

static int copy_bytes(int in, int out, const char *from, const char *to)
{
    static char buffer[16384];
    ssize_t size;

    while ((size = read(in, buffer, sizeof buffer)) > 0)
        if (write_all(out, buffer, size) < 0)
            return complain(to);
    return size < 0 ? complain(from) : 0;
}

static int copy_file(const char *from, const char *to, mode_t mode)
{
    int in = open(from, O_RDONLY);

    if (in < 0)
        return complain(from);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC, mode & 0777);
    int failed = out < 0 ? complain(to) : copy_bytes(in, out, from, to);
    close(in);
    if (out >= 0 && close(out) < 0)
        failed = complain(to);
    return failed;
}

static int copy_link(const char *from, const char *to)
{
    char target[PATH_MAX];
    ssize_t size = readlink(from, target, sizeof target - 1);

    if (size < 0)
        return complain(from);
    target[size] = 0;
    unlink(to);
    return symlink(target, to) < 0 ? complain(to) : 0;
}

/* Call a function for every entry of a directory, with its path. */
static int for_each(const char *path, int (*act)(const char *child, void *with), void *with)
{
    DIR *directory = opendir(path);
    char child[PATH_MAX];
    int failed = 0;

    if (!directory)
        return complain(path);
    for (struct dirent *entry; (entry = readdir(directory));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            failed |= act(path_inside(child, path, entry->d_name), with);
    closedir(directory);
    return failed;
}

struct CopyInto {
    const char *directory;
    int preserve;
};

static int copy_into(const char *child, void *with)
{
    struct CopyInto *into = with;
    char to[PATH_MAX];

    return tree_copy(child, path_inside(to, into->directory, child), 1, into->preserve);
}

static int copy_directory(const char *from, const char *to, mode_t mode, int preserve)
{
    struct CopyInto into = {to, preserve};

    if (mkdir(to, mode | 0700) < 0 && !(errno == EEXIST && is_directory(to)))
        return complain(to);
    return for_each(from, copy_into, &into);
}

int tree_copy(const char *from, const char *to, int recursive, int preserve)
{
    struct stat status, other;
    int keep_links = recursive || preserve, failed;

    if ((keep_links ? lstat(from, &status) : stat(from, &status)) < 0)
        return complain(from);
    if (stat(to, &other) == 0 && other.st_dev == status.st_dev && other.st_ino == status.st_ino) {
        warnx("'%s' and '%s' are the same file", from, to);
        return 1;
    }
    if (S_ISDIR(status.st_mode)) {
        if (!recursive) {
            warnx("omitting directory '%s'", from);
            return 1;
        }
        failed = copy_directory(from, to, status.st_mode, preserve);
    } else if (S_ISLNK(status.st_mode)) {
        return copy_link(from, to);
    } else {
        failed = copy_file(from, to, status.st_mode);
    }
    if (preserve && !failed) {
        struct timespec times[] = {status.st_atim, status.st_mtim};
        failed = chmod(to, status.st_mode & 07777) < 0 || utimensat(AT_FDCWD, to, times, 0) < 0;
    }
    return failed;
}

static int remove_child(const char *child, void *with)
{
    return tree_remove(child, 1, *(int *)with);
}

int tree_remove(const char *path, int recursive, int force)
{
    struct stat status;

    if (lstat(path, &status) < 0)
        return force && errno == ENOENT ? 0 : complain(path);
    if (!S_ISDIR(status.st_mode))
        return unlink(path) < 0 ? complain(path) : 0;
    if (!recursive) {
        warnx("'%s' is a directory", path);
        return 1;
    }
    return for_each(path, remove_child, &force) || (rmdir(path) < 0 && complain(path));
}
