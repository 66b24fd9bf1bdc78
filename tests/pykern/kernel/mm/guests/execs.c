/* Threads run on while another one replaces the program; the new one must have its memory to itself. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
enum { THREADS = 3, PAGES = 64, ROUNDS = 4, GENERATIONS = 4 };

static volatile int ready;

static void *scribble(void *pages)
{
    volatile char *p = pages;
    __sync_fetch_and_add(&ready, 1);
    for (;;)
        for (int i = 0; i < PAGES; i++)
            p[i * PAGE] = 0x55;
}

static char *memory(void)
{
    return mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Fill fresh pages with a value of one's own again and again; return how many bytes are not it. */
static int check(int value)
{
    int wrong = 0;
    for (int round = 0; round < ROUNDS; round++) {
        char *p = memory();
        for (int i = 0; i < PAGES; i++)
            wrong += p[i * PAGE] != 0;
        for (int i = 0; i < PAGES; i++)
            p[i * PAGE] = (char)value;
        for (int i = 0; i < PAGES; i++)
            wrong += p[i * PAGE] != (char)value;
        munmap(p, PAGES * PAGE);
    }
    return wrong;
}

int main(int argc, char **argv)
{
    int generation = argc > 1 ? atoi(argv[1]) : 0, status, sum = 0;
    setvbuf(stdout, 0, _IONBF, 0);
    for (int child = 1; child <= 3; child++)
        if (!fork())
            _exit(check(child) > 0);
    sum = check(4);
    while (wait(&status) > 0)
        sum += status;
    printf("generation %d: %d wrong\n", generation, sum);
    if (generation == GENERATIONS) {
        if (getpid() == 1)
            reboot(RB_POWER_OFF);
        return 0;
    }
    for (long i = 0; i < THREADS; i++) {
        pthread_t thread;
        pthread_create(&thread, 0, scribble, memory());
    }
    while (ready < THREADS)
        usleep(1000);
    char number[12];
    sprintf(number, "%d", generation + 1);
    execl(argv[0][0] == '/' ? argv[0] : "/sbin/init", argv[0], number, (char *)0);
    perror("execl");
    return 1;
}
