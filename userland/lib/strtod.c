/* Decimal fractions from text; the last bit may be wrong where there are more than 19 digits. */
#include <ctype.h>
#include <stdlib.h>

static long double power_of_ten(int exponent)
{
    long double result = 1, factor = 10;

    for (; exponent; exponent >>= 1, factor *= factor)
        if (exponent & 1)
            result *= factor;
    return result;
}

static const char *exponent_part(const char *s, int *exponent)
{
    char *end;

    if ((*s | 32) != 'e')
        return s;
    if (!isdigit(s[1]) && !((s[1] == '-' || s[1] == '+') && isdigit(s[2])))
        return s;
    *exponent += strtol(s + 1, &end, 10);
    return end;
}

double strtod(const char *s, char **end)
{
    const char *at = s;
    long double value = 0;
    int digits = 0, exponent = 0, point = 0;

    while (isspace(*at))
        at++;
    int negative = *at == '-';
    if (*at == '-' || *at == '+')
        at++;
    for (; isdigit(*at) || (*at == '.' && !point); at++) {
        if (*at == '.') {
            point = 1;
            continue;
        }
        value = value * 10 + (*at - '0');
        digits++;
        exponent -= point;
    }
    if (digits)
        at = exponent_part(at, &exponent);
    value = exponent < 0 ? value / power_of_ten(-exponent) : value * power_of_ten(exponent);
    if (end)
        *end = (char *)(digits ? at : s);
    return negative ? -value : value;
}
