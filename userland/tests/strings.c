/* string.h, strtol(), strtod(), qsort() and ctype.h; the same as with the host's C library. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void searches(void)
{
    static const char *const words[] = {"", "a", "ab", "abc", "b", "abcabc", "\xff", "a\xff", "ABC"};
    size_t count = sizeof words / sizeof *words;

    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            const char *a = words[i], *b = words[j], *found = strstr(a, b);
            printf("%zu %zu: %d %d %d %ld %zu %zu\n", i, j, sign(strcmp(a, b)),
                   sign(strncmp(a, b, 2)), sign(memcmp(a, b, strlen(a) < strlen(b) ? strlen(a) : strlen(b))),
                   found ? (long)(found - a) : -1, strspn(a, b), strcspn(a, b));
        }
    const char *text = "one, two,,three";
    printf("%s %s %s %d\n", strchr(text, 't'), strrchr(text, 't'), strpbrk(text, ",t"),
           strchr(text, 0) == text + strlen(text));
    char copy[32], *rest = NULL;
    strcpy(copy, text);
    for (char *token = strtok_r(copy, ", ", &rest); token; token = strtok_r(NULL, ", ", &rest))
        printf("<%s>", token);
    strcpy(copy, text);
    rest = copy;
    for (char *token; (token = strsep(&rest, ","));)
        printf("[%s]", token);
    putchar('\n');
}

static void moves(void)
{
    char buffer[32] = "0123456789abcdef";

    memmove(buffer + 3, buffer, 10);
    puts(buffer);
    memmove(buffer, buffer + 3, 10);
    puts(buffer);
    memset(buffer + 2, '-', 4);
    strncpy(buffer + 8, "xy", 5);
    for (int i = 0; i < 20; i++)
        printf("%02x", (unsigned char)buffer[i]);
    putchar('\n');
}

static void numbers(void)
{
    static const char *const words[] = {
        "0", "42", "-17", "+5", "  12x", "0x1F", "0x", "010", "08", "", "-", "z", "7fffffffffffffff",
        "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
        "99999999999999999999", "18446744073709551615", "18446744073709551616", "-1", "1e3", "zz",
    };
    static const int bases[] = {0, 10, 16, 8, 36};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (size_t b = 0; b < 5; b++) {
            char *end;
            errno = 0;
            long value = strtol(words[i], &end, bases[b]);
            printf("'%s' %d: %ld +%ld %d ", words[i], bases[b], value, (long)(end - words[i]), errno);
            errno = 0;
            unsigned long other = strtoul(words[i], &end, bases[b]);
            printf("%lu +%ld %d\n", other, (long)(end - words[i]), errno);
        }
    static const char *const fractions[] = {"0", "1.5", "-2.25e2", ".5", "5.", ".", "1e", "1e+", "3.14159", "1e10x", " 7", "-0"};
    for (size_t i = 0; i < sizeof fractions / sizeof *fractions; i++) {
        char *end;
        double value = strtod(fractions[i], &end);
        printf("'%s' %g +%ld\n", fractions[i], value, (long)(end - fractions[i]));
    }
}

static int compare(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return x < y ? -1 : x > y;
}

static void sorting(void)
{
    int values[500];
    unsigned state = 1;

    for (int size = 0; size < 500; size += 61) {
        for (int i = 0; i < size; i++)
            values[i] = (state = state * 1103515245 + 12345) >> 16 & 255;
        qsort(values, size, sizeof *values, compare);
        for (int i = 0; i < size; i++)
            printf("%d ", values[i]);
        int key = 77;
        int *found = bsearch(&key, values, size, sizeof *values, compare);
        printf("%d\n", found ? *found : -1);
    }
}

static void classes(void)
{
    for (int c = 0; c < 128; c++)
        printf("%d%d%d%d%d%d%d%d%d%d%d%d%c", !!isalpha(c), !!isdigit(c), !!isalnum(c), !!isspace(c),
               !!isupper(c), !!islower(c), !!ispunct(c), !!isprint(c), !!isgraph(c), !!iscntrl(c),
               !!isxdigit(c), !!isblank(c), c % 8 == 7 ? '\n' : ' ');
}

int main(void)
{
    searches();
    moves();
    numbers();
    sorting();
    classes();
    return 0;
}
