/* mount: mount a file system, or list what is mounted. [-t type] [-r] source directory */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static void list(void)
{
    FILE *file = fopen("/proc/mounts", "r");
    char line[512];

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
}

int main(int argc, char *argv[])
{
    const char *type = "vfat";
    unsigned long flags = 0;

    for (int option; (option = getopt(argc, argv, "rt:")) != -1;) {
        if (option == '?')
            exit(1);
        if (option == 't')
            type = optarg;
        else
            flags |= MS_RDONLY;
    }
    if (argc == optind) {
        list();
        return 0;
    }
    if (argc - optind != 2)
        errx(1, "expected a source and a directory");
    if (mount(argv[optind], argv[optind + 1], type, flags, NULL) < 0)
        err(1, "%s on %s", argv[optind], argv[optind + 1]);
    return 0;
}
