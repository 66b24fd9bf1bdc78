/* Reading from a FILE. */
#include "file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Get more bytes into an empty buffer; 0 if there are some. */
static int fill(FILE *file)
{
    if (!(file->flags & FILE_READ)) {
        errno = EBADF;
        file->flags |= FILE_ERROR;
        return EOF;
    }
    if (file->flags & FILE_IS_WRITING && file_flush(file))
        return EOF;
    file->flags &= ~FILE_IS_WRITING;
    file->at = file->end = 0;
    if (file == stdin)
        fflush(stdout); /* a prompt must be seen before the answer is awaited */
    ssize_t size = read(file->fd, file->buffer, BUFSIZ);
    if (size <= 0) {
        file->flags |= size ? FILE_ERROR : FILE_END;
        return EOF;
    }
    file->at = 0;
    file->end = size;
    return 0;
}

int fgetc(FILE *file)
{
    if ((file->flags & FILE_IS_WRITING || file->at == file->end) && fill(file))
        return EOF;
    return file->buffer[file->at++];
}

int getc(FILE *file)
{
    return fgetc(file);
}

int getchar(void)
{
    return fgetc(stdin);
}

int ungetc(int c, FILE *file)
{
    if (c == EOF || file->flags & FILE_IS_WRITING)
        return EOF;
    if (file->at == 0) {
        if (file->end == BUFSIZ)
            return EOF;
        memmove(file->buffer + 1, file->buffer, file->end++);
        file->at = 1;
    }
    file->buffer[--file->at] = c;
    file->flags &= ~FILE_END;
    return c;
}

size_t fread(void *restrict to, size_t size, size_t count, FILE *restrict file)
{
    size_t wanted = size * count, done = 0;

    while (done < wanted) {
        if ((file->flags & FILE_IS_WRITING || file->at == file->end) && fill(file))
            break;
        size_t part = file->end - file->at;
        if (part > wanted - done)
            part = wanted - done;
        memcpy((char *)to + done, file->buffer + file->at, part);
        file->at += part;
        done += part;
    }
    return size ? done / size : 0;
}

char *fgets(char *restrict s, int size, FILE *restrict file)
{
    int length = 0, c = 0;

    while (length < size - 1 && c != '\n' && (c = fgetc(file)) != EOF)
        s[length++] = c;
    s[length] = 0;
    return length ? s : NULL;
}

ssize_t getdelim(char **restrict line, size_t *restrict room, int delimiter, FILE *restrict file)
{
    size_t length = 0;
    int c = EOF;

    while (length == 0 || c != delimiter) {
        if ((c = fgetc(file)) == EOF)
            break;
        if (!*line || length + 2 > *room) {
            size_t larger = *line && *room >= 64 ? 2 * *room : 128;
            char *moved = realloc(*line, larger);
            if (!moved)
                return -1;
            *line = moved;
            *room = larger;
        }
        (*line)[length++] = c;
    }
    if (length == 0)
        return -1;
    (*line)[length] = 0;
    return length;
}

ssize_t getline(char **restrict line, size_t *restrict room, FILE *restrict file)
{
    return getdelim(line, room, '\n', file);
}
