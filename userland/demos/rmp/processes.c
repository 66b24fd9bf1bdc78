/* processes: fork with copy on write, exec, wait, getpid, mmap, munmap, brk, each by the kernel's own
 * number (RMP-07, RMP-11). */
#include "lib/process.h"

static volatile long number = 1;

static int child(void)
{
    char *arguments[] = {"/bin/rmp/exec_me", "forty", 0};

    number = 2; /* a copy of the page: the parent still has 1 */
    sys_execve(arguments[0], arguments, 0);
    return 99;
}

int main(void)
{
    int status = 0;
    long me = sys_getpid(), end = sys_brk(0);
    volatile char *page = (char *)sys_mmap(0, 2 * PAGE_SIZE, PROT_RW, MAP_PRIVATE_ANON, -1, 0);

    require(me > 1);
    require((long)page > 0);
    page[PAGE_SIZE] = 7;
    require(sys_munmap(page, PAGE_SIZE) == 0);
    require(page[PAGE_SIZE] == 7);
    require(sys_brk(end + 2 * PAGE_SIZE) == end + 2 * PAGE_SIZE);
    *(volatile char *)(end + PAGE_SIZE) = 1;
    require(sys_brk(end) == end);

    long pid = sys_fork();
    if (pid == 0)
        return child();
    require(pid > me);
    require(sys_wait4(pid, &status, 0, 0) == pid);
    require(status == 40 << 8);
    require(number == 1);
    require(sys_wait4(-1, 0, 0, 0) == -10); /* ECHILD */
    print("processes: fork, exec, wait, mmap, brk\n");
    return 0;
}
