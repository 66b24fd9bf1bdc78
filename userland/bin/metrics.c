/* metrics: the kernel's counters, or those that are named. */
#include <err.h>
#include <pykern.h>
#include <stdio.h>
#include <string.h>

static int print_one(const char *text, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (!strncmp(line, name, length) && line[length] == ' ') {
            printf("%.*s\n", (int)(strcspn(line, "\n") - length - 1), line + length + 1);
            return 0;
        }
    warnx("there is no counter %s", name);
    return 1;
}

int main(int argc, char *argv[])
{
    static char text[16384];
    int missing = 0;

    if (metrics(text, sizeof text - 1) < 0)
        err(1, "metrics");
    if (argc == 1)
        fputs(text, stdout);
    for (int i = 1; i < argc; i++)
        missing |= print_one(text, argv[i]);
    return missing;
}
