/* mkdir: make directories; -p with all above them, -m MODE. */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <tree.h>
#include <unistd.h>

static int make_parents(char *path)
{
    for (char *at = path + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = 0;
        int failed = mkdir(path, 0777) < 0 && errno != EEXIST;
        *at = '/';
        if (failed)
            return -1;
    }
    return 0;
}

int main(int argc, char *argv[])
{
    int parents = 0, failed = 0;
    mode_t mode = 0777;

    for (int option; (option = getopt(argc, argv, "pm:")) != -1;)
        switch (option) {
        case 'p': parents = 1; break;
        case 'm': mode = strtoul(optarg, NULL, 8); break;
        default: return 1;
        }
    if (optind == argc)
        errx(1, "usage: mkdir [-p] [-m MODE] DIRECTORY...");
    for (; optind < argc; optind++) {
        char *path = argv[optind];
        if (parents && is_directory(path))
            continue;
        if ((parents && make_parents(path) < 0) || mkdir(path, mode) < 0) {
            warn("can't create directory '%s'", path);
            failed = 1;
        }
    }
    return failed;
}
