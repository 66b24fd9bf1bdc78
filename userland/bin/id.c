/* id: who we are; -u and -g as numbers, with -n as names. */
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    int user = 0, group = 0, names = 0;

    for (int option; (option = getopt(argc, argv, "ugn")) != -1;)
        switch (option) {
        case 'u': user = 1; break;
        case 'g': group = 1; break;
        case 'n': names = 1; break;
        default: return 1;
        }
    if (user || group) {
        const char *name = user ? user_name(getuid()) : group_name(getgid());
        if (names)
            puts(name);
        else
            printf("%u\n", user ? getuid() : getgid());
        return 0;
    }
    printf("uid=%u(%s) gid=%u(%s)\n", getuid(), user_name(getuid()), getgid(),
           group_name(getgid()));
    return 0;
}
