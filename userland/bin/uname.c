/* uname: the name of the system; -s kernel, -n host, -r release, -v version, -m machine, -a all. */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    static const char letters[] = "snrvm";
    struct utsname name;
    unsigned wanted = 0;

    for (int option; (option = getopt(argc, argv, "asnrvm")) != -1;) {
        if (option == '?')
            return 1;
        wanted |= option == 'a' ? 31 : 1 << (strchr(letters, option) - letters);
    }
    if (!wanted)
        wanted = 1;
    if (uname(&name) < 0)
        err(1, "uname");
    const char *fields[] = {name.sysname, name.nodename, name.release, name.version, name.machine};
    for (int i = 0, first = 1; i < 5; i++)
        if (wanted & 1 << i) {
            printf("%s%s", first ? "" : " ", fields[i]);
            first = 0;
        }
    putchar('\n');
    return 0;
}
