/* which: where programs are, by $PATH. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int find(const char *program)
{
    const char *directories = getenv("PATH");
    char path[PATH_MAX];
    struct stat status;

    for (; directories && *directories; directories += *directories == ':') {
        size_t length = strcspn(directories, ":");
        snprintf(path, sizeof path, "%.*s/%s", (int)length, directories, program);
        if (stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0) {
            puts(path);
            return 0;
        }
        directories += length;
    }
    return 1;
}

int main(int argc, char *argv[])
{
    int missing = 0;

    for (int i = 1; i < argc; i++)
        missing |= find(argv[i]);
    return missing;
}
