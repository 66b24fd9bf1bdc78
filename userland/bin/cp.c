/* cp: copy files; -r directories too, -p with modes and times, -a both. */
#include <err.h>
#include <tree.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    int recursive = 0, preserve = 0, failed = 0;
    char inside[PATH_MAX];

    for (int option; (option = getopt(argc, argv, "rRpaf")) != -1;) {
        if (option == '?')
            return 1;
        recursive |= option == 'r' || option == 'R' || option == 'a';
        preserve |= option == 'p' || option == 'a';
    }
    if (argc - optind < 2)
        errx(1, "usage: cp [-rpa] FILE... TARGET");
    const char *target = argv[argc - 1];
    int into = is_directory(target);
    if (!into && argc - optind > 2)
        errx(1, "target '%s' is not a directory", target);
    for (int i = optind; i < argc - 1; i++) {
        const char *to = into ? path_inside(inside, target, argv[i]) : target;
        failed |= tree_copy(argv[i], to, recursive, preserve);
    }
    return failed;
}
