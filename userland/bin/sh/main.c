/* sh: a shell after POSIX; scripts, -c, or a person at a terminal. */
#include "sh.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct Shell shell;

void shell_exit(int status)
{
    shell.status = status;
    shell.leaving = STAY;
    run_exit_trap();
    exit(status);
}

void fail(const char *format, ...)
{
    va_list arguments;

    fflush(stdout);
    fprintf(stderr, "%s: ", shell.name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    shell.status = 2;
    if (!shell.top)
        shell_exit(2);
    longjmp(*shell.top, 1);
}

static void on_interrupt(int signal)
{
    (void)signal;
    shell.interrupted = 1;
}

/* Take the terminal, as the leader of a process group. */
static void start_job_control(void)
{
    shell.terminal = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
    if (shell.terminal < 0 || tcgetpgrp(shell.terminal) < 0) {
        if (shell.terminal < 0)
            shell.terminal = STDIN_FILENO;
        warnx("no job control on this terminal");
        return;
    }
    tcgetattr(shell.terminal, &shell.modes);
    while (tcgetpgrp(shell.terminal) != getpgrp())
        kill(0, SIGTTIN); /* until whoever started us gives us the terminal */
    signal(SIGTSTP, SIG_IGN);
    signal(SIGTTIN, SIG_IGN);
    signal(SIGTTOU, SIG_IGN);
    if (setpgid(0, 0) == 0 || getpgrp() == getpid())
        shell.monitor = tcsetpgrp(shell.terminal, getpid()) == 0;
}

static void start_interactive(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};

    shell.interactive = 1;
    sigaction(SIGINT, &action, NULL);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    start_job_control();
    if (!variable_get("PS1"))
        variable_set("PS1", getuid() ? "$PWD \\$ " : "$PWD # ", 0);
    if (!variable_get("PS2"))
        variable_set("PS2", "> ", 0);
}

/* Read and run what a person types, until the end of the input. */
static void run_interactive(void)
{
    static jmp_buf top;
    static struct Source source;
    source_terminal(&source);
    if (setjmp(top)) { /* a command was given up */
        shell.leaving = STAY;
        if (shell.functions) {
            shell.arguments = shell.outer_arguments;
            shell.argument_count = shell.outer_count;
        }
        shell.loops = shell.functions = shell.tested = 0;
        redirect_undo(NULL);
        local_undo(NULL);
    }
    shell.top = &top;
    execute_source(&source);
}

static void set_defaults(void)
{
    char directory[PATH_MAX];

    if (!variable_get("PATH"))
        variable_set("PATH", "/bin", VARIABLE_EXPORTED);
    if (getcwd(directory, sizeof directory))
        variable_set("PWD", directory, VARIABLE_EXPORTED);
    variable_set("IFS", " \t\n", 0);
}

static void run_script(const char *path)
{
    struct Source source;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        fprintf(stderr, "%s: can't open '%s': %s\n", shell.name, path, strerror(errno));
        exit(errno == ENOENT ? 127 : 126);
    }
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    close(fd);
    source_file(&source, moved);
    execute_source(&source);
}

int main(int argc, char *argv[])
{
    static char *set_options[3] = {"set"};
    struct Source source;
    const char *command = NULL;
    int interactive = 0;

    shell.name = argc ? argv[0] : "sh";
    shell.pid = getpid();
    variables_from_environment();
    set_defaults();
    for (int option; (option = getopt(argc, argv, "c:isefux")) != -1;) {
        char flag[3] = {'-', option, 0};
        set_options[1] = flag;
        if (option == 'c')
            command = optarg;
        else if (option == 'i')
            interactive = 1;
        else if (option == '?' || (option != 's' && builtin_set(2, set_options)))
            return 2;
    }
    if (optind < argc)
        shell.name = argv[optind];
    shell.arguments = argv + (optind < argc ? optind + 1 : argc);
    shell.argument_count = optind < argc ? argc - optind - 1 : 0;
    if (command) {
        execute_string(command);
    } else if (optind < argc) {
        run_script(shell.name);
    } else if (interactive || isatty(STDIN_FILENO)) {
        start_interactive();
        run_interactive();
    } else {
        source_file(&source, STDIN_FILENO);
        execute_source(&source);
    }
    shell_exit(shell.status);
}
