/* sleep: wait for the sum of the times, each in seconds, or with m, h or d behind it. */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds_of(const char *word)
{
    char *end;
    double value = strtod(word, &end);

    if (end == word || value < 0 || (*end && end[1]))
        errx(1, "invalid number '%s'", word);
    switch (*end) {
    case 0: case 's': return value;
    case 'm': return value * 60;
    case 'h': return value * 3600;
    case 'd': return value * 86400;
    }
    errx(1, "invalid number '%s'", word);
}

int main(int argc, char *argv[])
{
    double seconds = 0;

    if (argc < 2)
        errx(1, "usage: sleep SECONDS...");
    for (int i = 1; i < argc; i++)
        seconds += seconds_of(argv[i]);
    struct timespec left = {seconds, (seconds - (long)seconds) * 1e9};
    while (nanosleep(&left, &left) < 0)
        ;
    return 0;
}
