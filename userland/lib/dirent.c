/* Reading directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <syscall.h>
#include <unistd.h>

struct Directory {
    int fd;
    long at, end; /* bytes in the buffer */
    _Alignas(8) char buffer[4096];
};

DIR *opendir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    DIR *directory = malloc(sizeof *directory);
    if (!directory) {
        close(fd);
        return NULL;
    }
    directory->fd = fd;
    directory->at = directory->end = 0;
    return directory;
}

struct dirent *readdir(DIR *directory)
{
    if (directory->at == directory->end) {
        long size = sys_getdents64(directory->fd, directory->buffer, sizeof directory->buffer);
        if (size <= 0) {
            syscall_result(size);
            return NULL;
        }
        directory->at = 0;
        directory->end = size;
    }
    struct dirent *entry = (struct dirent *)(directory->buffer + directory->at);
    directory->at += entry->d_reclen;
    return entry;
}

int closedir(DIR *directory)
{
    int fd = directory->fd;

    free(directory);
    return close(fd);
}
