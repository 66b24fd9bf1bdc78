/* forkbomb: fork a tree of processes, LIMIT (64) at most, and wait for all of them. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    int limit = argc > 1 ? atoi(argv[1]) : 64;
    /* Shared by the whole tree, so that the tree has an end. */
    int *count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t root = getpid();
    int failed = 0, status;

    if (count == MAP_FAILED)
        err(1, "mmap");
    *count = 1;
    while (__atomic_fetch_add(count, 1, __ATOMIC_SEQ_CST) < limit)
        if (fork() < 0) {
            failed = 1; /* too many processes: that is what limits are for */
            break;
        }
    while (wait(&status) > 0)
        failed |= status;
    if (getpid() == root)
        printf("%d processes%s\n", limit, failed ? ", some could not be made" : "");
    return failed != 0;
}
