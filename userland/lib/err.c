/* Complaints that begin with the program's name. */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void complain(const char *why, const char *format, va_list arguments)
{
    fflush(stdout);
    fprintf(stderr, "%s: ", program_name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, why ? ": %s\n" : "\n", why);
}

void warn(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    complain(strerror(errno), format, arguments);
    va_end(arguments);
}

void warnx(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    complain(NULL, format, arguments);
    va_end(arguments);
}

void err(int status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    complain(strerror(errno), format, arguments);
    exit(status);
}

void errx(int status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    complain(NULL, format, arguments);
    exit(status);
}
