/* Names of users and groups. */
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Find `name:password:number:…` by its number. */
static const char *look_up(const char *path, unsigned number, char *name, size_t size)
{
    FILE *file = fopen(path, "r");
    char line[256];
    int found = 0;

    while (file && !found && fgets(line, sizeof line, file)) {
        char *rest = line, *field = strsep(&rest, ":");
        strsep(&rest, ":");
        if (!rest || strtoul(rest, NULL, 10) != number)
            continue;
        strlcpy(name, field, size);
        found = 1;
    }
    if (file)
        fclose(file);
    if (!found)
        snprintf(name, size, "%u", number);
    return name;
}

const char *user_name(uid_t uid)
{
    static char name[64];
    static uid_t known = -1;

    if (uid != known)
        look_up("/etc/passwd", uid, name, sizeof name);
    known = uid;
    return name;
}

const char *group_name(gid_t gid)
{
    static char name[64];
    static gid_t known = -1;

    if (gid != known)
        look_up("/etc/group", gid, name, sizeof name);
    known = gid;
    return name;
}
