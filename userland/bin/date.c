/* date: the time, in UTC; +FORMAT as strftime, -d @SECONDS another time, -u. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    const char *format = "%a %b %e %H:%M:%S %Z %Y";
    time_t when = time(NULL);
    char text[256];

    for (int option; (option = getopt(argc, argv, "ud:")) != -1;) {
        if (option == '?')
            return 1;
        if (option != 'd')
            continue;
        if (*optarg != '@')
            errx(1, "invalid date '%s': expected @SECONDS", optarg);
        when = atol(optarg + 1);
    }
    if (optind < argc) {
        if (*argv[optind] != '+')
            errx(1, "invalid format '%s': expected +FORMAT", argv[optind]);
        format = argv[optind] + 1;
    }
    strftime(text, sizeof text, format, gmtime(&when));
    puts(text);
    return 0;
}
