/* mount: list what is mounted. */
#include <err.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char *argv[])
{
    FILE *file = fopen("/proc/mounts", "r");
    char line[512];

    if (argc > 1)
        errx(1, "%s: only listing is supported", argv[1]);
    if (!file)
        err(1, "/proc/mounts");
    while (fgets(line, sizeof line, file)) {
        char *rest = line, *fields[4];
        for (int i = 0; i < 4; i++)
            fields[i] = strsep(&rest, " \n");
        if (fields[3])
            printf("%s on %s type %s (%s)\n", fields[0], fields[1], fields[2], fields[3]);
    }
    fclose(file);
    return 0;
}
