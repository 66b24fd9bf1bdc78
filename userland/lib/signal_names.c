/* INT, TERM, …: the names that kill(1) and trap take. */
#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    [0] = "EXIT",         [SIGHUP] = "HUP",   [SIGINT] = "INT",       [SIGQUIT] = "QUIT",
    [SIGILL] = "ILL",     [SIGTRAP] = "TRAP", [SIGABRT] = "ABRT",     [SIGBUS] = "BUS",
    [SIGFPE] = "FPE",     [SIGKILL] = "KILL", [SIGUSR1] = "USR1",     [SIGSEGV] = "SEGV",
    [SIGUSR2] = "USR2",   [SIGPIPE] = "PIPE", [SIGALRM] = "ALRM",     [SIGTERM] = "TERM",
    [SIGSTKFLT] = "STKFLT", [SIGCHLD] = "CHLD", [SIGCONT] = "CONT",   [SIGSTOP] = "STOP",
    [SIGTSTP] = "TSTP",   [SIGTTIN] = "TTIN", [SIGTTOU] = "TTOU",     [SIGURG] = "URG",
    [SIGXCPU] = "XCPU",   [SIGXFSZ] = "XFSZ", [SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF",
    [SIGWINCH] = "WINCH", [SIGIO] = "IO",     [SIGPWR] = "PWR",       [SIGSYS] = "SYS",
};

#define COUNT ((int)(sizeof names / sizeof *names))

const char *signal_name(int signal)
{
    return signal >= 0 && signal < COUNT ? names[signal] : NULL;
}

/* The number for `15`, `TERM`, `SIGTERM` or `term`; -1 for anything else. */
int signal_number(const char *name)
{
    char *end;
    long number = strtol(name, &end, 10);

    if (isdigit(*name) && !*end)
        return number < NSIG ? (int)number : -1;
    for (int i = 0; i < COUNT; i++)
        if (!strcasecmp(name, names[i]) || (!strncmp(name, "SIG", 3) && !strcmp(name + 3, names[i])))
            return i;
    return -1;
}
