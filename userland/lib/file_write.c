/* Writing to a FILE. */
#include "file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int file_flush(FILE *file)
{
    size_t pending = file->flags & FILE_IS_WRITING ? file->at : 0;

    if (!pending)
        return 0;
    file->at = 0;
    if (write_all(file->fd, file->buffer, pending) < 0) {
        file->flags |= FILE_ERROR;
        return EOF;
    }
    return 0;
}

/* Make the buffer one for writing. */
static int start_writing(FILE *file)
{
    if (file->flags & FILE_IS_WRITING)
        return 0;
    if (!(file->flags & FILE_WRITE)) {
        errno = EBADF;
        file->flags |= FILE_ERROR;
        return EOF;
    }
    if (file->at != file->end)
        lseek(file->fd, (long)file->at - (long)file->end, SEEK_CUR);
    file->at = file->end = 0;
    file->flags |= FILE_IS_WRITING;
    if (file == stdout && isatty(file->fd))
        file->flags |= FILE_LINES;
    return 0;
}

int file_put(FILE *file, const char *from, size_t size)
{
    if (start_writing(file))
        return EOF;
    while (size) {
        size_t part = BUFSIZ - file->at;
        if (part > size)
            part = size;
        memcpy(file->buffer + file->at, from, part);
        file->at += part;
        from += part;
        size -= part;
        if (file->at == BUFSIZ && file_flush(file))
            return EOF;
    }
    return 0;
}

int file_settle(FILE *file, int saw_newline)
{
    if (file->flags & FILE_UNBUFFERED || (file->flags & FILE_LINES && saw_newline))
        return file_flush(file);
    return 0;
}

size_t fwrite(const void *restrict from, size_t size, size_t count, FILE *restrict file)
{
    size_t bytes = size * count;

    if (file_put(file, from, bytes) ||
        file_settle(file, file->flags & FILE_LINES && memchr(from, '\n', bytes)))
        return 0;
    return count;
}

int fputc(int c, FILE *file)
{
    char byte = c;

    if (file_put(file, &byte, 1) || file_settle(file, c == '\n'))
        return EOF;
    return (unsigned char)c;
}

int putc(int c, FILE *file)
{
    return fputc(c, file);
}

int putchar(int c)
{
    return fputc(c, stdout);
}

int fputs(const char *restrict s, FILE *restrict file)
{
    size_t length = strlen(s);

    return fwrite(s, 1, length, file) == length ? 0 : EOF;
}

int puts(const char *s)
{
    if (file_put(stdout, s, strlen(s)))
        return EOF;
    return fputc('\n', stdout) == EOF ? EOF : 0;
}

void perror(const char *what)
{
    if (what && *what)
        fprintf(stderr, "%s: %s\n", what, strerror(errno));
    else
        fprintf(stderr, "%s\n", strerror(errno));
}
