/* family: the first process. It has a child that becomes /bin/sibling, works, and gets a signal. */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

static int ended;
__thread volatile long mine = 7;
__attribute__((section(".samedata"))) volatile int total;

__attribute__((noinline, section(".same"))) void work(int i)
{
    total += i;
}

__attribute__((noinline)) void finished(int status, volatile char *untouched)
{
    mine = total + status;
    total = untouched[0];
}

static void handler(int number)
{
    total += 1000 + number;
}

int main(void)
{
    char *untouched = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    signal(SIGUSR1, handler);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sibling", "sibling", (char *)0);
        _exit(1);
    }
    for (int i = 1; i <= 5; i++)
        work(i);
    if (write(1, "work\n", 5) != 5)
        return 1;
    waitpid(pid, &ended, 0);
    raise(SIGUSR1);
    finished(WEXITSTATUS(ended), untouched);
    return reboot(RB_POWER_OFF);
}
