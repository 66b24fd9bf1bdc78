/* Options of one letter (POSIX, Utility Syntax Guidelines). */
#include <err.h>
#include <getopt.h>
#include <string.h>

char *optarg;
int optind = 1, opterr = 1, optopt;
static int inside; /* position in an argument like -la */

static int next_argument(int result)
{
    optind++;
    inside = 0;
    return result;
}

static int with_value(int argc, char *const argv[], const char *options)
{
    if (argv[optind][inside]) {
        optarg = argv[optind] + inside;
        return next_argument(optopt);
    }
    if (optind + 1 >= argc) {
        if (opterr)
            warnx("option requires an argument -- '%c'", optopt);
        return next_argument(*options == ':' ? ':' : '?');
    }
    optarg = argv[++optind];
    return next_argument(optopt);
}

int getopt(int argc, char *const argv[], const char *options)
{
    const char *word = argv[optind];

    if (!inside) {
        if (optind >= argc || word[0] != '-' || !word[1])
            return -1;
        if (!strcmp(word, "--"))
            return next_argument(-1);
        inside = 1;
    }
    optopt = (unsigned char)word[inside++];
    const char *option = optopt == ':' ? NULL : strchr(options, optopt);
    if (option && option[1] == ':')
        return with_value(argc, argv, options);
    if (!word[inside])
        next_argument(0);
    if (option)
        return optopt;
    if (opterr)
        warnx("invalid option -- '%c'", optopt);
    return '?';
}
