/* mv: rename files, or move them into a directory; over the border of a file system by copying. */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <tree.h>
#include <unistd.h>

static int move(const char *from, const char *to)
{
    if (rename(from, to) == 0)
        return 0;
    if (errno == EXDEV)
        return tree_copy(from, to, 1, 1) || tree_remove(from, 1, 0);
    warn("can't rename '%s'", from);
    return 1;
}

int main(int argc, char *argv[])
{
    char inside[PATH_MAX];
    int failed = 0;

    while (getopt(argc, argv, "fi") == 'f')
        ;
    if (argc - optind < 2)
        errx(1, "usage: mv FILE... TARGET");
    const char *target = argv[argc - 1];
    int into = is_directory(target);
    if (!into && argc - optind > 2)
        errx(1, "target '%s' is not a directory", target);
    for (int i = optind; i < argc - 1; i++)
        failed |= move(argv[i], into ? path_inside(inside, target, argv[i]) : target);
    return failed;
}
