/* More memory than there is: private, forked, moved, read into and written from by system calls. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096L
#define PAGES 4096L

static uint64_t mark(long page, long who)
{
    return (uint64_t)page * 0x9E3779B97F4A7C15u + (uint64_t)who;
}

static void fill(char *at, long first, long step, long who)
{
    for (long page = first; page < PAGES; page += step)
        *(uint64_t *)(at + page * PAGE + page % 500 * 8) = mark(page, who);
}

static long wrong(const char *at, long first, long step, long who)
{
    long count = 0;

    for (long page = first; page < PAGES; page += step)
        count += *(const uint64_t *)(at + page * PAGE + page % 500 * 8) != mark(page, who);
    return count;
}

/* Send 64 pages through a pipe into another place; both ends may be in swap space. */
static long piped(char *at)
{
    int ends[2];
    char *copy = malloc(64 * PAGE);
    long done = 0;

    if (pipe(ends) || !copy)
        return 1000;
    if (fork() == 0) {
        for (long sent = 0; sent < 64 * PAGE;)
            sent += write(ends[1], at + sent, (size_t)(64 * PAGE - sent));
        _exit(0);
    }
    close(ends[1]);
    while (done < 64 * PAGE) {
        ssize_t got = read(ends[0], copy + done, (size_t)(64 * PAGE - done));
        if (got <= 0)
            return 2000;
        done += got;
    }
    wait(NULL);
    return memcmp(at, copy, 64 * PAGE) != 0;
}

int main(void)
{
    char *at = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int status, failed = 0;

    if (at == MAP_FAILED)
        return 2;
    fill(at, 0, 1, 0);
    for (long child = 1; child <= 3; child++) {
        if (fork() == 0) {
            long before = wrong(at, 0, 1, 0);
            fill(at, child, 7, child);
            _exit(before || wrong(at, child, 7, child) || wrong(at, child + 1, 7, 0));
        }
    }
    for (int child = 0; child < 3; child++) {
        wait(&status);
        failed += status != 0;
    }
    printf("children: %d failed\n", failed);
    printf("parent: %ld wrong\n", wrong(at, 0, 1, 0));
    printf("pipe: %ld\n", piped(at));
    at = mremap(at, PAGES * PAGE, (PAGES + 16) * PAGE, MREMAP_MAYMOVE);
    printf("moved: %ld wrong\n", at == MAP_FAILED ? -1 : wrong(at, 0, 1, 0));
    mprotect(at, PAGES * PAGE, PROT_READ);
    printf("read-only: %ld wrong\n", wrong(at, 0, 3, 0));
    munmap(at, PAGES / 2 * PAGE);
    printf("half: %ld wrong\n", wrong(at, PAGES / 2, 1, 0));
    return failed;
}
