/* printf() and the others, in terms of vfprintf() and vsnprintf(). */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int printf(const char *restrict format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int size = vfprintf(stdout, format, arguments);
    va_end(arguments);
    return size;
}

int fprintf(FILE *restrict file, const char *restrict format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int size = vfprintf(file, format, arguments);
    va_end(arguments);
    return size;
}

int sprintf(char *restrict s, const char *restrict format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int size = vsnprintf(s, SIZE_MAX >> 1, format, arguments);
    va_end(arguments);
    return size;
}

int snprintf(char *restrict s, size_t size, const char *restrict format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(s, size, format, arguments);
    va_end(arguments);
    return length;
}

static int allocated(char **restrict s, const char *restrict format, va_list arguments)
{
    int length = vsnprintf(NULL, 0, format, arguments);

    *s = malloc(length + 1);
    return *s ? vsnprintf(*s, length + 1, format, arguments) : -1;
}

int asprintf(char **restrict s, const char *restrict format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = allocated(s, format, arguments);
    va_end(arguments);
    return length;
}

int dprintf(int fd, const char *restrict format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    int length = allocated(&text, format, arguments);
    va_end(arguments);
    if (length >= 0 && write_all(fd, text, length) < 0)
        length = -1;
    free(text);
    return length;
}
