/* Formats of printf(), one result in a line; the same as with the host's C library. */
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static void integers(void)
{
    static const char *const flags[] = {"", "-", "+", " ", "0", "#", "-+", "+0", "-0", "# ", "#0"};
    static const char *const sizes[] = {"", "1", "8", "20", ".0", ".5", "8.3", "3.8"};
    static const char types[] = "dixXou";
    static const long values[] = {0, 1, -1, 42, -123456, INT_MAX, INT_MIN};
    char format[32];

    for (size_t f = 0; f < sizeof flags / sizeof *flags; f++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (const char *type = types; *type; type++)
                for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
                    snprintf(format, sizeof format, "%%%s%s%c", flags[f], sizes[s], *type);
                    printf("%s [", format);
                    printf(format, (int)values[v]);
                    printf("]\n");
                }
}

static void lengths(void)
{
    printf("%hhd %hhu %hd %hu %ld %lu %lld %llu %jd %zu %td\n", 300, 300, 70000, 70000, LONG_MIN,
           ULONG_MAX, LLONG_MIN, (unsigned long long)ULONG_MAX, (intmax_t)-5, (size_t)7,
           (ptrdiff_t)-9);
    printf("%p %c%c %% %5c|%-5c|\n", (void *)0x1234, 'a', 'b', 'x', 'y');
    printf("%*d|%-*d|%.*d|%*d\n", 5, 42, 5, 42, 4, 7, -6, 3);
    printf("%s|%10s|%-10s|%.2s|%10.3s|%.0s|\n", "text", "text", "text", "text", "text", "text");
}

static void doubles(void)
{
    static const char *const formats[] = {"%f", "%.0f", "%#.0f", "%.3f", "%12.4f", "%-12.2f|", "%+f", "% f",
                                          "%012.3f", "%e", "%.0e", "%.10e", "%E", "%g", "%.3g", "%#.10g", "%G",
                                          "%.20f", "%.15g", "%.17g", "%10.3e", "%.40f"};
    static const double values[] = {0.0, -0.0, 1.0, -1.5, 0.5, 1.5, 2.5, 0.1, 1.0 / 3, 123456789.125, 1e100,
                                    1e-100, 5e-324, 1.7976931348623157e308, 9.9999995, 999999.5, 0.0001,
                                    0.00001234, 100000, 1000000, 0.045, 1e15, 1e16, 1e22, 1e23,
                                    4.35, 2.675, 65535.99999999};

    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            printf("%s [", formats[f]);
            printf(formats[f], values[v]);
            printf("]\n");
        }
    printf("%f %F %5e %-8g| %08f\n", __builtin_inf(), -__builtin_inf(), __builtin_inf(),
           __builtin_nan(""), __builtin_inf());
}

static void truncation(void)
{
    char buffer[8];

    memset(buffer, 'z', sizeof buffer);
    printf("%d ", snprintf(buffer, 5, "%s", "abcdefgh"));
    printf("%s %c ", buffer, buffer[5]);
    printf("%d %d\n", snprintf(NULL, 0, "%d", 12345), sprintf(buffer, "%x", 255));
}

int main(void)
{
    integers();
    lengths();
    doubles();
    truncation();
    return 0;
}
