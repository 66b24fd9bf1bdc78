/* init: the first process. It starts a shell on the console, starts it again when it ends, and waits
 * for every process that lost its parent. `init COMMAND …` runs that, and powers off at its end. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

static char *const shell[] = {"/bin/sh", NULL};

static volatile sig_atomic_t asked;

/* As busybox's and sysvinit's: TERM reboots, USR1 halts, USR2 powers off. */
static void on_signal(int signal)
{
    asked = signal;
}

static void open_console(void)
{
    int fd = open("/dev/console", O_RDWR | O_NOCTTY);

    if (fd < 0)
        return; /* what the kernel opened for us will do */
    for (int standard = 0; standard < 3; standard++)
        if (fd != standard)
            dup2(fd, standard);
    if (fd > 2)
        close(fd);
}

static void print_motd(void)
{
    char line[256];
    FILE *file = fopen("/etc/motd", "r");

    if (!file)
        return;
    while (fgets(line, sizeof line, file))
        fputs(line, stdout);
    fclose(file);
    fflush(stdout);
}

/* Start a command in a session of its own, with the console as its terminal. */
static pid_t start(char *const argv[])
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    sigset_t none = 0;
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    ioctl(STDIN_FILENO, TIOCSCTTY, 1L);
    execvp(argv[0], argv);
    err(127, "%s", argv[0]);
}

static void shut_down(int command)
{
    signal(SIGTERM, SIG_IGN);
    if (getpid() == 1) {
        kill(-1, SIGTERM);
        kill(-1, SIGKILL);
    }
    sync();
    reboot(command);
    err(1, "reboot");
}

static void act_on_signal(void)
{
    switch (asked) {
    case SIGTERM: shut_down(RB_AUTOBOOT); break;
    case SIGUSR1: shut_down(RB_HALT_SYSTEM); break;
    case SIGUSR2: shut_down(RB_POWER_OFF); break;
    }
    asked = 0;
}

static void handle_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
}

/* Wait for processes until the one that matters ends; return how it did. */
static int reap_until(pid_t pid)
{
    int status;

    for (;;) {
        pid_t ended = wait(&status);
        if (ended == pid)
            return status;
        if (asked)
            act_on_signal();
        if (ended < 0 && errno == ECHILD)
            return 0;
    }
}

int main(int argc, char *argv[])
{
    setenv("PATH", "/bin", 0);
    setenv("HOME", "/", 0);
    setenv("TERM", "vt100", 0);
    if (getpid() == 1)
        open_console();
    handle_signals();
    print_motd();
    if (argc > 1) {
        int status = reap_until(start(argv + 1));
        if (getpid() == 1)
            shut_down(RB_POWER_OFF);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    for (;;) {
        pid_t pid = start(shell);
        if (pid < 0)
            err(1, "fork");
        int status = reap_until(pid);
        printf("init: the shell ended with status %d; starting it again\n", WEXITSTATUS(status));
        fflush(stdout);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
            errx(1, "%s cannot be started", shell[0]);
    }
}
