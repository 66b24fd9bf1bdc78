/* System calls about memory. */
#include <errno.h>
#include <sys/mman.h>
#include <syscall.h>
#include <unistd.h>

static char *current_break;

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return (void *)syscall_result(sys_mmap(at, size, protection, flags, fd, offset));
}

int munmap(void *at, size_t size)
{
    return syscall_result(sys_munmap(at, size));
}

int mprotect(void *at, size_t size, int protection)
{
    return syscall_result(sys_mprotect(at, size, protection));
}

int brk(void *end)
{
    current_break = (char *)sys_brk(end); /* the old one, if the kernel refuses */
    if (current_break == end)
        return 0;
    errno = ENOMEM;
    return -1;
}

void *sbrk(intptr_t increment)
{
    if (!current_break)
        current_break = (char *)sys_brk(0);
    char *old = current_break;
    return increment && brk(old + increment) < 0 ? (void *)-1 : old;
}
