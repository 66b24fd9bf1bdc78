/* crowd: a thread, a vfork, and a fault that a debugger may keep away. */
#include <pthread.h>
#include <signal.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

volatile int seen, stopped;
static volatile int *volatile nowhere;

static void handler(int number)
{
    seen = number;
}

static void fault(int number)
{
    seen = number;
    reboot(RB_POWER_OFF);
}

static void *run(void *argument)
{
    usleep(500);
    return argument;
}

int main(void)
{
    pthread_t thread;

    pthread_create(&thread, 0, run, 0);
    pthread_join(thread, 0);
    pid_t pid = vfork();
    if (pid == 0)
        _exit(9);
    waitpid(pid, 0, 0);
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    signal(SIGSEGV, fault);
    *nowhere = 1;
    if (write(1, "repaired\n", 9) != 9)
        return 1;
    return reboot(RB_POWER_OFF);
}
