/* Threads and the process around them: who decides its end, what exec and stopping do to all. */
#include "guest.h"

static volatile long busy[4];
static char *self;

static void *spin(void *argument)
{
    volatile long *mine = argument;
    for (;;)
        ++*mine;
    return 0;
}

static void *sleeps(void *argument)
{
    (void)argument;
    for (;;)
        sleep_ms(3);
    return 0;
}

static void *naps(void *argument)
{
    sleep_ms(20);
    return argument;
}

static void start(void *(*function)(void *), int count)
{
    pthread_t thread;
    for (int i = 0; i < count; i++)
        pthread_create(&thread, 0, function, (void *)&busy[i]);
}

static void *runs_program(void *argument)
{
    (void)argument;
    sleep_ms(5);
    execl(self, self, "after", (char *)0);
    return 0;
}

static int leader_ends_first(void)
{
    start(sleeps, 1);
    pthread_t thread;
    pthread_create(&thread, 0, runs_program, 0);
    syscall(SYS_exit, 5);
    return 0;
}

static int last_thread_is_not_first(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_create(&thread, &attributes, naps, 0);
    syscall(SYS_exit, 6);
    return 0;
}

static int exec_among_threads(void)
{
    start(spin, 2);
    start(sleeps, 2);
    sleep_ms(10);
    execl(self, self, "after", (char *)0);
    return 1;
}

static int exec_by_another(void)
{
    start(spin, 1);
    pthread_t thread;
    pthread_create(&thread, 0, runs_program, 0);
    pause();
    return 1;
}

static int fault_of_one(void)
{
    start(spin, 2);
    start(sleeps, 2);
    sleep_ms(10);
    raise(SIGTERM);
    return 1;
}

static void stopped(void)
{
    volatile long *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = fork();
    if (!child) {
        pthread_t thread;
        for (int i = 0; i < 3; i++)
            pthread_create(&thread, 0, spin, (void *)&shared[i * 8]);
        for (;;) {
            shared[24]++;
            sleep_ms(1);
        }
    }
    int status;
    long before[4], after[4];
    sleep_ms(60);
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    say_status("group", status);
    /* The others stop when they next leave the kernel. */
    sleep_ms(30);
    for (int i = 0; i < 4; i++)
        before[i] = shared[i * 8];
    sleep_ms(60);
    for (int i = 0; i < 4; i++)
        after[i] = shared[i * 8];
    SAY("all stopped: %d", !memcmp(before, after, sizeof before));
    kill(child, SIGCONT);
    sleep_ms(60);
    int moving = 0;
    for (int i = 0; i < 4; i++)
        moving += shared[i * 8] > after[i];
    SAY("all go on: %d", moving);
    kill(child, SIGKILL);
    say_status("group", wait_for(child));
}

int main(int argc, char **argv)
{
    self = argv[0];
    if (argc > 1) {
        SAY("after exec: first thread %d", getpid() == syscall(SYS_gettid));
        return 17;
    }
    static const struct { const char *name; int (*function)(void); } cases[] = {
        { "exec among threads", exec_among_threads },
        { "exec by another thread", exec_by_another },
        { "the first thread ends before exec", leader_ends_first },
        { "the first thread ends, then the last", last_thread_is_not_first },
        { "a signal", fault_of_one },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pid_t child = fork();
        if (!child)
            exit(cases[i].function());
        say_status(cases[i].name, wait_for(child));
    }
    stopped();
    return 0;
}
