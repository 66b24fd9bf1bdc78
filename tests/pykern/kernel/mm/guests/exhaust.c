/* Children take all the memory there is; the parent goes on, and what they had comes back. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
enum { MINE = 500 };

static void take_all(void)
{
    for (;;) {
        char *p = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            _exit(1);
        for (int i = 0; i < 1 << 20; i += PAGE)
            p[i] = 1;
    }
}

/* Take all by system calls, which answer with an error where a program would be killed. */
static void take_all_by_calls(void)
{
    int pair[2];
    pipe(pair);
    for (;;) {
        char *p = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (int i = 0; i < 1 << 20; i += PAGE) {
            write(pair[1], "x", 1);
            if (read(pair[0], p + i, 1) < 0)
                _exit(errno == ENOMEM ? 2 : 3);
        }
    }
}

/* Take all by forking: every child has pages of its own. */
static void fork_on(char *mine)
{
    for (;;) {
        int child = fork();
        if (child < 0)
            _exit(errno == ENOMEM || errno == EAGAIN ? 4 : 5);
        if (child) {
            int status;
            wait(&status);
            _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 4);
        }
        for (int i = 0; i < MINE; i++)
            mine[i * PAGE]++;
    }
}

int main(void)
{
    char *mine = mmap(0, MINE * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    setvbuf(stdout, 0, _IONBF, 0);
    for (int i = 0; i < MINE; i++)
        mine[i * PAGE] = (char)i;
    for (int round = 0; round < 2; round++)
        for (int kind = 0; kind < 3; kind++) {
            int status, wrong = 0;
            if (!fork()) {
                if (kind == 0)
                    take_all();
                if (kind == 1)
                    take_all_by_calls();
                fork_on(mine);
            }
            wait(&status);
            for (int i = 0; i < MINE; i++)
                wrong += mine[i * PAGE] != (char)i;
            printf("kind %d: signal %d, status %d, %d wrong\n", kind, WTERMSIG(status),
                   WEXITSTATUS(status), wrong);
        }
    reboot(RB_POWER_OFF);
    return 0;
}
