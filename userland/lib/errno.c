/* errno, and the raw system call. */
#include <errno.h>
#include <stdarg.h>
#include <syscall.h>
#include <unistd.h>

#define MAX_ERRNO 4095

int errno;

long syscall_result(long result)
{
    if ((unsigned long)result < -(unsigned long)MAX_ERRNO)
        return result;
    errno = -result;
    return -1;
}

long syscall(long number, ...)
{
    va_list arguments;
    long a[6];

    va_start(arguments, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(arguments, long);
    va_end(arguments);
    return syscall_result(syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}
