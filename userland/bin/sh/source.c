/* Where lines come from: a string, a file, a person. */
#include "sh.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *line_of_string(struct Source *source, int continued)
{
    const char *start = source->rest;
    size_t size = strcspn(start, "\n");

    (void)continued;
    if (!*start)
        return NULL;
    source->rest = start + size + (start[size] == '\n');
    source->line.size = 0;
    text_add(&source->line, start, size);
    text_put(&source->line, '\n');
    return source->line.chars;
}

void source_string(struct Source *source, const char *text)
{
    *source = (struct Source){.next_line = line_of_string, .rest = text};
}

/* Read a block, keep its first line and give back the rest: commands may read from the same file. */
static int read_line_and_seek(struct Source *source)
{
    char block[512];
    ssize_t size = read(source->fd, block, sizeof block);

    if (size <= 0)
        return 0;
    char *newline = memchr(block, '\n', size);
    ssize_t used = newline ? newline - block + 1 : size;
    text_add(&source->line, block, used);
    if (used < size)
        lseek(source->fd, used - size, SEEK_CUR);
    return newline == NULL;
}

/* Read one byte, from what cannot be given back. */
static int read_byte(struct Source *source)
{
    char c;
    ssize_t size;

    do
        size = read(source->fd, &c, 1);
    while (size < 0 && errno == EINTR);
    if (size <= 0)
        return 0;
    text_put(&source->line, c);
    return c != '\n';
}

static const char *line_of_file(struct Source *source, int continued)
{
    int seekable = lseek(source->fd, 0, SEEK_CUR) >= 0;

    (void)continued;
    source->line.size = 0;
    while (seekable ? read_line_and_seek(source) : read_byte(source))
        ;
    if (!source->line.size)
        return NULL;
    if (source->line.chars[source->line.size - 1] != '\n')
        text_put(&source->line, '\n');
    return source->line.chars;
}

void source_file(struct Source *source, int fd)
{
    *source = (struct Source){.next_line = line_of_file, .fd = fd};
}

static const char *line_of_terminal(struct Source *source, int continued)
{
    const char *prompt = variable_get(continued ? "PS2" : "PS1");

    if (!continued)
        jobs_report();
    char *line = line_edit(prompt ? expand_string(prompt) : "");
    if (!line)
        return NULL;
    source->line.size = 0;
    text_add(&source->line, line, strlen(line));
    text_put(&source->line, '\n');
    free(line);
    return source->line.chars;
}

void source_terminal(struct Source *source)
{
    *source = (struct Source){.next_line = line_of_terminal, .person = 1};
}
