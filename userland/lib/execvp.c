/* execvp(): look for the program in $PATH. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int execvp(const char *file, char *const argv[])
{
    char path[PATH_MAX];
    const char *directories = getenv("PATH");
    int denied = 0;

    if (strchr(file, '/'))
        return execv(file, argv);
    if (!directories)
        directories = "/bin";
    for (;;) {
        int length = strcspn(directories, ":");
        snprintf(path, sizeof path, "%.*s%s%s", length, directories, length ? "/" : "", file);
        execv(path, argv);
        if (errno == EACCES)
            denied = 1;
        else if (errno != ENOENT && errno != ENOTDIR)
            return -1;
        if (!directories[length])
            break;
        directories += length + 1;
    }
    errno = denied ? EACCES : ENOENT;
    return -1;
}
