/* System calls that take the path of a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <syscall.h>
#include <unistd.h>

int stat(const char *restrict path, struct stat *restrict result)
{
    return syscall_result(sys_stat(path, result));
}

int lstat(const char *restrict path, struct stat *restrict result)
{
    return syscall_result(sys_lstat(path, result));
}

int access(const char *path, int mode)
{
    return syscall_result(sys_access(path, mode));
}

int unlink(const char *path)
{
    return syscall_result(sys_unlink(path));
}

int mkdir(const char *path, mode_t mode)
{
    return syscall_result(sys_mkdir(path, mode));
}

int mount(const char *source, const char *target, const char *type, unsigned long flags,
          const void *options)
{
    return syscall_result(sys_mount(source, target, type, flags, options));
}

int umount2(const char *target, int flags)
{
    return syscall_result(sys_umount2(target, flags));
}

int rmdir(const char *path)
{
    return syscall_result(sys_rmdir(path));
}

int remove(const char *path)
{
    return unlink(path) == 0 || (errno == EISDIR && rmdir(path) == 0) ? 0 : -1;
}

int rename(const char *from, const char *to)
{
    return syscall_result(sys_rename(from, to));
}

int link(const char *from, const char *to)
{
    return syscall_result(sys_link(from, to));
}

int symlink(const char *target, const char *path)
{
    return syscall_result(sys_symlink(target, path));
}

ssize_t readlink(const char *restrict path, char *restrict buf, size_t size)
{
    return syscall_result(sys_readlink(path, buf, size));
}

int chmod(const char *path, mode_t mode)
{
    return syscall_result(sys_chmod(path, mode));
}

int chdir(const char *path)
{
    return syscall_result(sys_chdir(path));
}

char *getcwd(char *buf, size_t size)
{
    return syscall_result(sys_getcwd(buf, size)) < 0 ? NULL : buf;
}

mode_t umask(mode_t mask)
{
    return sys_umask(mask);
}

int utimensat(int directory, const char *path, const struct timespec times[2], int flags)
{
    return syscall_result(sys_utimensat(directory, path, times, flags));
}

void sync(void)
{
    sys_sync();
}
