/* hostname: the name of this system. */
#include <err.h>
#include <stdio.h>
#include <sys/utsname.h>

int main(void)
{
    struct utsname name;

    if (uname(&name) < 0)
        err(1, "uname");
    puts(name.nodename);
    return 0;
}
