/* umount: unmount a file system. [-l] directory */
#include <err.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    int flags = 0;

    for (int option; (option = getopt(argc, argv, "l")) != -1;) {
        if (option == '?')
            exit(1);
        flags = MNT_DETACH;
    }
    if (argc - optind != 1)
        errx(1, "expected a directory");
    if (umount2(argv[optind], flags) < 0)
        err(1, "%s", argv[optind]);
    return 0;
}
