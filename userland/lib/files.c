/* System calls about open files. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <syscall.h>
#include <unistd.h>

ssize_t read(int fd, void *buf, size_t count)
{
    return syscall_result(sys_read(fd, buf, count));
}

ssize_t write(int fd, const void *buf, size_t count)
{
    return syscall_result(sys_write(fd, buf, count));
}

ssize_t write_all(int fd, const void *buf, size_t count)
{
    for (size_t done = 0; done < count;) {
        ssize_t n = write(fd, (const char *)buf + done, count - done);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0)
            done += n;
    }
    return count;
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode = 0;

    if (flags & O_CREAT) {
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    return syscall_result(sys_open(path, flags, mode));
}

int creat(const char *path, mode_t mode)
{
    return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int close(int fd)
{
    return syscall_result(sys_close(fd));
}

off_t lseek(int fd, off_t offset, int whence)
{
    return syscall_result(sys_lseek(fd, offset, whence));
}

int dup(int fd)
{
    return syscall_result(sys_dup(fd));
}

int dup2(int from, int to)
{
    return syscall_result(sys_dup2(from, to));
}

int pipe(int fds[2])
{
    return syscall_result(sys_pipe(fds));
}

int fcntl(int fd, int command, ...)
{
    va_list arguments;

    va_start(arguments, command);
    long argument = va_arg(arguments, long);
    va_end(arguments);
    return syscall_result(sys_fcntl(fd, command, argument));
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;

    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return syscall_result(sys_ioctl(fd, request, argument));
}

int fstat(int fd, struct stat *result)
{
    return syscall_result(sys_fstat(fd, result));
}

int ftruncate(int fd, off_t length)
{
    return syscall_result(sys_ftruncate(fd, length));
}

int poll(struct pollfd *fds, unsigned long count, int timeout_ms)
{
    return syscall_result(sys_poll(fds, count, timeout_ms));
}
