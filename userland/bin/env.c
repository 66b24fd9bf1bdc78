/* env: print the environment, or run a program with some variables changed; -i with no others. */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void assign(char *word)
{
    char *equals = strchr(word, '=');

    *equals = 0;
    setenv(word, equals + 1, 1);
    *equals = '=';
}

int main(int argc, char *argv[])
{
    static char *nothing[] = {NULL};
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        if (!strcmp(argv[i], "-i") || !strcmp(argv[i], "-"))
            environ = nothing;
        else if (!strcmp(argv[i], "-u") && i + 1 < argc)
            unsetenv(argv[++i]);
        else
            errx(125, "invalid option '%s'", argv[i]);
    }
    for (; i < argc && strchr(argv[i], '='); i++)
        assign(argv[i]);
    if (i == argc) {
        for (char **entry = environ; *entry; entry++)
            puts(*entry);
        return 0;
    }
    execvp(argv[i], argv + i);
    err(errno == ENOENT ? 127 : 126, "can't execute '%s'", argv[i]);
}
