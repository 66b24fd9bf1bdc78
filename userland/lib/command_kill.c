/* kill: send a signal to processes; kill -l lists the signals. */
#include <commands.h>
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int list(int argc, char *argv[])
{
    if (argc == 2) {
        for (int signal = 1; signal <= SIGSYS; signal++)
            printf("%2d) %s\n", signal, signal_name(signal));
        return 0;
    }
    for (int i = 2; i < argc; i++) {
        int signal = signal_number(argv[i]);
        if (signal > 128)
            signal -= 128; /* an exit status */
        if (signal < 0 || !signal_name(signal)) {
            warnx("unknown signal '%s'", argv[i]);
            return 1;
        }
        if (isdigit(*argv[i]))
            printf("%s\n", signal_name(signal));
        else
            printf("%d\n", signal);
    }
    return 0;
}

static int send(const char *word, int signal)
{
    char *end;
    long pid = strtol(word, &end, 10);

    if (end == word || *end) {
        warnx("invalid number '%s'", word);
        return 1;
    }
    if (kill(pid, signal) == 0)
        return 0;
    warnx("can't kill pid %ld: %s", pid, strerror(errno));
    return 1;
}

int kill_command(int argc, char *argv[])
{
    int signal = SIGTERM, failed = 0, i = 1;

    if (argc > 1 && !strcmp(argv[1], "-l"))
        return list(argc, argv);
    if (i < argc && argv[i][0] == '-' && strcmp(argv[i], "--")) {
        const char *name = argv[i] + 1;
        if (!strcmp(name, "s") && i + 1 < argc)
            name = argv[++i];
        signal = signal_number(name);
        if (signal < 0) {
            warnx("bad signal name '%s'", name);
            return 1;
        }
        i++;
    }
    if (i < argc && !strcmp(argv[i], "--"))
        i++;
    if (i == argc) {
        warnx("you need to specify whom to kill");
        return 1;
    }
    for (; i < argc; i++)
        failed |= send(argv[i], signal);
    return failed;
}
