/* fork, vfork, exec, exit and what wait tells of them. */
#include "guest.h"
#include <sys/resource.h>

static int shared = 1;

static void statuses(void)
{
    static const int codes[] = { 0, 1, 127, 255, 256, -1 };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        pid_t child = fork();
        if (!child)
            _exit(codes[i]);
        say_status("exit", wait_for(child));
    }
    const int signals[] = { SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGUSR1, SIGPIPE, SIGALRM,
        SIGSYS, SIGRTMIN };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        pid_t child = fork();
        if (!child) {
            raise(signals[i]);
            _exit(0);
        }
        int status = wait_for(child);
        SAY("signal %d: %d", signals[i], WIFSIGNALED(status) ? WTERMSIG(status) : -1);
    }
    static const int harmless[] = { SIGCHLD, SIGURG, SIGWINCH, SIGCONT };
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        pid_t child = fork();
        if (!child) {
            raise(harmless[i]);
            _exit(i);
        }
        say_status("harmless", wait_for(child));
    }
}

static void faults(void)
{
    for (int kind = 0; kind < 6; kind++) {
        pid_t child = fork();
        if (!child) {
            if (kind == 0)
                *(volatile int *)8 = 1;
            if (kind == 1)
                __asm__ volatile("cltd; idivl %0" : : "r"(0), "a"(1) : "edx");
            if (kind == 2)
                __asm__ volatile("ud2");
            if (kind == 3)
                __asm__ volatile("cli");
            if (kind == 4)
                ((void (*)(void))(uintptr_t)&shared)();
            if (kind == 5)
                *(volatile int *)0xffff800000000000 = 1;
            _exit(0);
        }
        say_status("fault", wait_for(child));
    }
}

static void families(void)
{
    int status;
    pid_t me = getpid(), one = fork();
    if (!one)
        _exit(getppid() == me ? 5 : 6);
    SAY("which: %d", waitpid(one, &status, 0) == one);
    say_status("parent known", status);
    SHOW(waitpid(one, &status, 0));
    SHOW(waitpid(-1, &status, 0));
    pid_t slow = fork();
    if (!slow) {
        sleep_ms(100);
        _exit(9);
    }
    SHOW(waitpid(slow, &status, WNOHANG));
    SAY("then: %d", waitpid(slow, &status, 0) == slow);
    say_status("slow", status);
    /* Any of a group. */
    pid_t grouped = fork();
    if (!grouped) {
        setpgid(0, 0);
        _exit(3);
    }
    setpgid(grouped, grouped);
    SAY("group: %d", waitpid(-grouped, &status, 0) == grouped);
    SHOW(waitpid(-12345, &status, 0));
    SHOW(waitpid(-1, &status, 0xff00));
    /* A grandchild outlives its parent. */
    int ends[2];
    if (pipe(ends))
        return;
    pid_t child = fork();
    if (!child) {
        pid_t parent = getpid();
        if (!fork()) {
            close(ends[0]);
            while (getppid() == parent)
                sleep_ms(5);
            int ok = getppid() != parent;
            _exit(write(ends[1], &ok, sizeof ok) != sizeof ok);
        }
        _exit(0);
    }
    wait_for(child);
    close(ends[1]);
    int ok = 0;
    while (read(ends[0], &ok, sizeof ok) > 0)
        ;
    SAY("orphan adopted: %d", ok);
    close(ends[0]);
}

static void copies(void)
{
    int on_stack = 1, *on_heap = malloc(sizeof *on_heap);
    *on_heap = 1;
    pid_t child = fork();
    if (!child) {
        shared = on_stack = *on_heap = 2;
        _exit(shared + on_stack + *on_heap);
    }
    say_status("child's copies", wait_for(child));
    SAY("parent's: %d %d %d", shared, on_stack, *on_heap);
    child = vfork();
    if (!child) {
        shared = 77;
        _exit(4);
    }
    SAY("vfork shares: %d", shared);
    say_status("vfork", wait_for(child));
}

static void programs(char *self)
{
    char *arguments[] = { "zero", "one two", "", "three", 0 };
    char *environment[] = { "A=1", "EMPTY=", "B=x y", 0 };
    pid_t child = vfork();
    if (!child) {
        execve(self, arguments, environment);
        _exit(126);
    }
    say_status("exec", wait_for(child));
    SHOW(execve("/nowhere", arguments, environment));
    SHOW(execve("/", arguments, environment));
    SHOW(execve("data", arguments, environment));
    SHOW(execve("data/more", arguments, environment));
    SHOW(execve("", arguments, environment));
    SHOW(execve(NOWHERE, arguments, environment));
    SHOW(execve(self, NOWHERE, environment));
    /* Descriptors: close-on-exec. */
    int kept = open("data", O_RDONLY), closed = open("data", O_RDONLY | O_CLOEXEC);
    char numbers[2][16];
    sprintf(numbers[0], "%d", kept);
    sprintf(numbers[1], "%d", closed);
    child = fork();
    if (!child) {
        execl(self, "descriptors", numbers[0], numbers[1], (char *)0);
        _exit(126);
    }
    say_status("descriptors", wait_for(child));
}

int main(int argc, char **argv, char **environment)
{
    if (!strcmp(argv[0], "zero")) {
        for (int i = 0; i < argc; i++)
            SAY("argv[%d] '%s'", i, argv[i]);
        for (; *environment; environment++)
            SAY("env '%s'", *environment);
        return 11;
    }
    if (!strcmp(argv[0], "descriptors")) {
        SHOW(lseek(atoi(argv[1]), 0, SEEK_CUR));
        SHOW(lseek(atoi(argv[2]), 0, SEEK_CUR));
        return 12;
    }
    struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    statuses();
    faults();
    families();
    copies();
    programs(argv[0]);
    return 0;
}
