/* rm: remove files; -r directories too, -f no complaint about those that do not exist. */
#include <err.h>
#include <tree.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    int recursive = 0, force = 0, failed = 0;

    for (int option; (option = getopt(argc, argv, "rRf")) != -1;) {
        if (option == '?')
            return 1;
        recursive |= option != 'f';
        force |= option == 'f';
    }
    if (optind == argc && !force)
        errx(1, "usage: rm [-rf] FILE...");
    for (; optind < argc; optind++)
        failed |= tree_remove(argv[optind], recursive, force);
    return failed;
}
