/* chmod: change who may read, write and execute files; octal, or [ugoa][+-=][rwxX]. */
#include <ctype.h>
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static mode_t who_mask(const char **s)
{
    mode_t mask = 0;

    for (; **s && strchr("ugoa", **s); ++*s)
        mask |= **s == 'u' ? 0700 : **s == 'g' ? 0070 : **s == 'o' ? 0007 : 0777;
    return mask;
}

static mode_t permission_bits(const char **s, mode_t old)
{
    mode_t bits = 0;

    for (; **s && strchr("rwxX", **s); ++*s) {
        int executable = S_ISDIR(old) || old & 0111;
        bits |= **s == 'r' ? 0444 : **s == 'w' ? 0222 : **s == 'x' || executable ? 0111 : 0;
    }
    return bits;
}

static mode_t changed(const char *s, mode_t old)
{
    const char *start = s;

    if (isdigit(*s))
        return strtoul(s, NULL, 8);
    for (;; s++) {
        mode_t mask = who_mask(&s);
        if (!mask) { /* all, but for what umask forbids */
            mode_t forbidden = umask(0);
            umask(forbidden);
            mask = 0777 & ~forbidden;
        }
        char operator = *s;
        if (!operator || !strchr("+-=", operator))
            errx(1, "invalid mode '%s'", start);
        s++;
        mode_t bits = permission_bits(&s, old) & mask;
        old = operator == '+' ? old | bits : operator == '-' ? old & ~bits : (old & ~mask) | bits;
        if (*s != ',')
            break;
    }
    if (*s)
        errx(1, "invalid mode '%s'", start);
    return old & 07777;
}

int main(int argc, char *argv[])
{
    struct stat status;
    int failed = 0;

    if (argc < 3)
        errx(1, "usage: chmod MODE FILE...");
    for (int i = 2; i < argc; i++)
        if (stat(argv[i], &status) < 0 || chmod(argv[i], changed(argv[1], status.st_mode)) < 0) {
            warn("%s", argv[i]);
            failed = 1;
        }
    return failed;
}
