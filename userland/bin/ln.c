/* ln: give a file another name; -s by a symbolic link, -f in place of what is there. */
#include <err.h>
#include <tree.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    int symbolic = 0, force = 0;
    char inside[PATH_MAX];

    for (int option; (option = getopt(argc, argv, "sf")) != -1;) {
        if (option == '?')
            return 1;
        symbolic |= option == 's';
        force |= option == 'f';
    }
    if (argc - optind < 1 || argc - optind > 2)
        errx(1, "usage: ln [-sf] TARGET [NAME]");
    const char *target = argv[optind], *name = optind + 1 < argc ? argv[optind + 1] : ".";
    if (is_directory(name))
        name = path_inside(inside, name, target);
    if (force)
        unlink(name);
    if ((symbolic ? symlink(target, name) : link(target, name)) < 0)
        err(1, "%s", name);
    return 0;
}
