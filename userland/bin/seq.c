/* seq: numbers from FIRST (1) to LAST by STEP (1); -s TEXT between them, -w equally wide. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double number(const char *word, int *fraction)
{
    char *end;
    double value = strtod(word, &end);
    const char *point = strchr(word, '.');

    if (end == word || *end)
        errx(1, "invalid number '%s'", word);
    if (point && (int)strlen(point + 1) > *fraction)
        *fraction = strlen(point + 1);
    return value;
}

static int width_of(double value, int fraction)
{
    return snprintf(NULL, 0, "%.*f", fraction, value);
}

int main(int argc, char *argv[])
{
    const char *separator = "\n";
    double numbers[3];
    int wide = 0, fraction = 0, count = 0, width = 0, i = 1;

    /* no getopt(): -1 is a number */
    for (; i < argc && (!strcmp(argv[i], "-w") || !strcmp(argv[i], "-s")); i++) {
        if (argv[i][1] == 'w')
            wide = 1;
        else if (i + 1 < argc)
            separator = argv[++i];
    }
    for (; i < argc && count < 3; i++)
        numbers[count++] = number(argv[i], &fraction);
    if (!count || i < argc)
        errx(1, "usage: seq [-w] [-s TEXT] [FIRST [STEP]] LAST");
    double first = count > 1 ? numbers[0] : 1, last = numbers[count - 1];
    double step = count > 2 ? numbers[1] : 1;
    if (step == 0)
        errx(1, "the step is zero");
    if (wide) {
        int other = width_of(last, fraction);
        width = width_of(first, fraction);
        width = width > other ? width : other;
    }
    double slack = (step < 0 ? -step : step) * 1e-9;
    for (long n = 0;; n++) {
        double value = first + n * step;
        if (step > 0 ? value > last + slack : value < last - slack)
            break;
        printf("%s%0*.*f", n ? separator : "", width, fraction, value);
        width = wide ? width : 0;
    }
    if (step > 0 ? first <= last + slack : first >= last - slack)
        putchar('\n');
    return 0;
}
