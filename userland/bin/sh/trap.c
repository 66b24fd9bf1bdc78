/* trap: commands to run when a signal arrives, or at the end. */
#include "sh.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *actions[NSIG]; /* 0 is EXIT; "" ignores the signal */
static volatile sig_atomic_t arrived[NSIG], any;

static void on_signal(int signal)
{
    arrived[signal] = any = 1;
    if (signal == SIGINT)
        shell.interrupted = 0; /* the trap is what happens */
}

static void run_action(int signal)
{
    int status = shell.status;
    char *action = strdup(actions[signal]);

    execute_string(action);
    free(action);
    shell.status = status;
}

void run_traps(void)
{
    if (!any)
        return;
    any = 0;
    for (int signal = 1; signal < NSIG; signal++)
        if (arrived[signal]) {
            arrived[signal] = 0;
            if (actions[signal])
                run_action(signal);
        }
}

void run_exit_trap(void)
{
    char *action = actions[0];

    actions[0] = NULL;
    if (action)
        execute_string(action);
}

void reset_traps(void)
{
    for (int signal = 0; signal < NSIG; signal++) {
        if (!actions[signal] || !*actions[signal])
            continue; /* what is ignored stays ignored */
        free(actions[signal]);
        actions[signal] = NULL;
        if (signal)
            sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    }
}

static void set(int signal, const char *action)
{
    struct sigaction handler = {.sa_handler = on_signal};

    free(actions[signal]);
    actions[signal] = action ? strdup(action) : NULL;
    if (!signal)
        return;
    if (!action)
        handler.sa_handler = SIG_DFL;
    else if (!*action)
        handler.sa_handler = SIG_IGN;
    sigaction(signal, &handler, NULL);
}

static int list(void)
{
    for (int signal = 0; signal < NSIG; signal++)
        if (actions[signal])
            printf("trap -- '%s' %s\n", actions[signal], signal_name(signal));
    return 0;
}

int builtin_trap(int argc, char *argv[])
{
    int first = argc > 1 && !strcmp(argv[1], "--") ? 2 : 1;

    if (first == argc)
        return list();
    const char *action = argv[first];
    if (!strcmp(action, "-") || isdigit(*action))
        action = NULL;
    for (int i = isdigit(*argv[first]) ? first : first + 1; i < argc; i++) {
        int signal = signal_number(argv[i]);
        if (signal < 0) {
            fprintf(stderr, "%s: trap: %s: bad trap\n", shell.name, argv[i]);
            return 1;
        }
        set(signal, action);
    }
    return 0;
}
