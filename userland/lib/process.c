/* System calls about processes and process groups. */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <syscall.h>
#include <unistd.h>

pid_t fork(void)
{
    return syscall_result(sys_fork());
}

int execve(const char *path, char *const argv[], char *const envp[])
{
    return syscall_result(sys_execve(path, argv, envp));
}

int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    return syscall_result(sys_wait4(pid, status, options, 0));
}

pid_t wait(int *status)
{
    return waitpid(-1, status, 0);
}

pid_t getpid(void)
{
    return sys_getpid();
}

pid_t getppid(void)
{
    return sys_getppid();
}

uid_t getuid(void)
{
    return sys_getuid();
}

uid_t geteuid(void)
{
    return sys_geteuid();
}

gid_t getgid(void)
{
    return sys_getgid();
}

pid_t getpgrp(void)
{
    return sys_getpgrp();
}

pid_t getpgid(pid_t pid)
{
    return syscall_result(sys_getpgid(pid));
}

int setpgid(pid_t pid, pid_t pgid)
{
    return syscall_result(sys_setpgid(pid, pgid));
}

pid_t setsid(void)
{
    return syscall_result(sys_setsid());
}

pid_t tcgetpgrp(int fd)
{
    pid_t pgid;

    return ioctl(fd, TIOCGPGRP, &pgid) < 0 ? -1 : pgid;
}

int tcsetpgrp(int fd, pid_t pgid)
{
    return ioctl(fd, TIOCSPGRP, &pgid);
}

int getrlimit(int resource, struct rlimit *limit)
{
    return syscall_result(sys_getrlimit(resource, limit));
}

int setrlimit(int resource, const struct rlimit *limit)
{
    return syscall_result(sys_setrlimit(resource, limit));
}
