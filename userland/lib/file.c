/* Opening, closing and seeking a FILE. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct File standard[3] = {
    {.fd = 0, .flags = FILE_READ, .next = &standard[1]},
    {.fd = 1, .flags = FILE_WRITE, .next = &standard[2]},
    {.fd = 2, .flags = FILE_WRITE | FILE_UNBUFFERED},
};
FILE *const stdin = &standard[0];
FILE *const stdout = &standard[1];
FILE *const stderr = &standard[2];
struct File *open_files = standard;

static int parse_mode(const char *mode, unsigned *flags)
{
    int update = strchr(mode, '+') != NULL;
    int open_flags = strchr(mode, 'e') ? O_CLOEXEC : 0;

    switch (*mode) {
    case 'r':
        *flags = FILE_READ;
        break;
    case 'w':
        *flags = FILE_WRITE;
        open_flags |= O_CREAT | O_TRUNC;
        break;
    case 'a':
        *flags = FILE_WRITE | FILE_APPEND;
        open_flags |= O_CREAT | O_APPEND;
        break;
    default:
        errno = EINVAL;
        return -1;
    }
    if (update) {
        *flags |= FILE_READ | FILE_WRITE;
        return open_flags | O_RDWR;
    }
    return open_flags | (*mode == 'r' ? O_RDONLY : O_WRONLY);
}

static FILE *make(int fd, unsigned flags)
{
    FILE *file = malloc(sizeof *file);

    if (!file)
        return NULL;
    file->fd = fd;
    file->flags = flags;
    file->at = file->end = 0;
    file->next = open_files;
    open_files = file;
    return file;
}

FILE *fopen(const char *restrict path, const char *restrict mode)
{
    unsigned flags;
    int open_flags = parse_mode(mode, &flags);
    int fd = open_flags < 0 ? -1 : open(path, open_flags, 0666);

    if (fd < 0)
        return NULL;
    FILE *file = make(fd, flags);
    if (!file)
        close(fd);
    return file;
}

FILE *fdopen(int fd, const char *mode)
{
    unsigned flags;

    return parse_mode(mode, &flags) < 0 ? NULL : make(fd, flags);
}

int fclose(FILE *file)
{
    int failed = file_flush(file) | close(file->fd);
    FILE **link = &open_files;

    while (*link != file)
        link = &(*link)->next;
    *link = file->next;
    if (file < standard || file >= standard + 3)
        free(file);
    return failed ? EOF : 0;
}

int fflush(FILE *file)
{
    int failed = 0;

    if (file)
        return file_flush(file);
    for (file = open_files; file; file = file->next)
        failed |= file_flush(file);
    return failed;
}

int fseek(FILE *file, long offset, int whence)
{
    if (file_flush(file))
        return -1;
    if (whence == SEEK_CUR)
        offset -= file->end - file->at;
    file->at = file->end = 0;
    file->flags &= ~FILE_END;
    return lseek(file->fd, offset, whence) < 0 ? -1 : 0;
}

long ftell(FILE *file)
{
    long offset = lseek(file->fd, 0, SEEK_CUR);

    if (offset < 0)
        return -1;
    return file->flags & FILE_IS_WRITING ? offset + (long)file->at
                                         : offset - (long)(file->end - file->at);
}

void rewind(FILE *file)
{
    fseek(file, 0, SEEK_SET);
    clearerr(file);
}

int fileno(FILE *file)
{
    return file->fd;
}

int feof(FILE *file)
{
    return (file->flags & FILE_END) != 0;
}

int ferror(FILE *file)
{
    return (file->flags & FILE_ERROR) != 0;
}

void clearerr(FILE *file)
{
    file->flags &= ~(FILE_END | FILE_ERROR);
}
