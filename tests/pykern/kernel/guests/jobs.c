/* Stopping and going on, process groups, sessions. */
#include "guest.h"

static volatile int events, last_code;

static void child_changed(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    events++;
    last_code = info->si_code;
}

static void stops(int number)
{
    pid_t child = fork();
    int status;
    if (!child) {
        if (number) {
            raise(number);
            sleep_ms(50); /* for the parent to be told that it goes on */
        } else
            for (;;)
                ;
        _exit(8);
    }
    if (!number) {
        sleep_ms(20);
        kill(child, SIGSTOP);
    }
    SAY("changed: %d", waitpid(child, &status, WUNTRACED) == child);
    say_status("child", status);
    SHOW(waitpid(child, &status, WNOHANG | WUNTRACED));
    kill(child, SIGCONT);
    SAY("changed: %d", waitpid(child, &status, WCONTINUED) == child);
    say_status("child", status);
    if (!number) {
        SHOW(waitpid(child, &status, WNOHANG | WCONTINUED | WUNTRACED));
        kill(child, SIGTERM);
    }
    say_status("child", wait_for(child));
}

static void killed_while_stopped(int number)
{
    int status;
    pid_t child = fork();
    if (!child) {
        raise(SIGSTOP);
        _exit(1);
    }
    waitpid(child, &status, WUNTRACED);
    kill(child, number);
    if (number != SIGKILL) {
        sleep_ms(20);
        SHOW(waitpid(child, &status, WNOHANG));
        kill(child, SIGCONT);
    }
    say_status("while stopped", wait_for(child));
}

static void groups(void)
{
    pid_t leader = fork();
    if (!leader) {
        setpgid(0, 0);
        pause();
        _exit(0);
    }
    setpgid(leader, leader);
    pid_t member = fork();
    if (!member) {
        setpgid(0, leader);
        pause();
        _exit(0);
    }
    setpgid(member, leader);
    SAY("same group: %d %d", getpgid(leader) == leader, getpgid(member) == leader);
    SHOW(setpgid(member, 1));
    SHOW(setpgid(getpid() + 1000, 0));
    SHOW(setpgid(0, -1));
    sleep_ms(30);
    SHOW(kill(-leader, SIGINT));
    say_status("leader", wait_for(leader));
    say_status("member", wait_for(member));
    SHOW(kill(-leader, SIGINT));
    pid_t child = fork();
    if (!child) {
        SAY("setsid: %d %d %d", setsid() == getpid(), getsid(0) == getpid(), getpgrp() == getpid());
        SHOW(setsid());
        SHOW(setpgid(0, 0));
        SHOW(open("/dev/tty", O_RDWR));
        _exit(0);
    }
    say_status("session", wait_for(child));
}

int main(void)
{
    struct sigaction action = { .sa_sigaction = child_changed, .sa_flags = SA_SIGINFO | SA_RESTART };
    sigaction(SIGCHLD, &action, 0);
    stops(SIGSTOP);
    /* Two events may become one signal. */
    SAY("events %d", events > 1 && last_code);
    stops(0);
    killed_while_stopped(SIGKILL);
    killed_while_stopped(SIGTERM);
    action.sa_flags |= SA_NOCLDSTOP;
    sigaction(SIGCHLD, &action, 0);
    events = 0;
    stops(SIGTSTP);
    SAY("SA_NOCLDSTOP: events %d", events);
    signal(SIGCHLD, SIG_DFL);
    groups();
    return 0;
}
