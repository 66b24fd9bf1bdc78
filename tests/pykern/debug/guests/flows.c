/* flows: what a session of every day goes through: locals, recursion, vfork, a breakpoint of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

struct point {
    int x, y;
    const char *name;
} here = {3, 4, "origin"};
int skipped = 7;

__attribute__((noinline)) int factorial(int n)
{
    return n < 2 ? 1 : n * factorial(n - 1);
}

__attribute__((noinline)) int sum_to(int last)
{
    volatile int sum = 0;
    for (int i = 1; i <= last; i++)
        sum += i;
    return sum;
}

__attribute__((noinline)) void twice(int *value)
{
    *value *= 2;
}

int main(void)
{
    int status, count = sum_to(4);
    twice(&count);
    count += factorial(5);
    pid_t pid = vfork();
    if (pid == 0) {
        execl("/bin/sibling", "sibling", (char *)0);
        _exit(1);
    }
    waitpid(pid, &status, 0);
    __asm__ volatile("int3");
    skipped = 0;
    printf("count %d, skipped %d\n", count, skipped);
    return reboot(RB_POWER_OFF);
}
