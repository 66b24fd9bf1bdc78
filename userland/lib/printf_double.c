/* %f, %e and %g. */
#include "decimal.h"
#include "printf.h"

#include <stdio.h>
#include <string.h>

#define TEXT_SIZE (DECIMAL_DIGITS + 400)

struct Text {
    int size;
    char text[TEXT_SIZE];
};

static void add(struct Text *text, char c)
{
    if (text->size < TEXT_SIZE)
        text->text[text->size++] = c;
}

/* The digit at a position, counted from the point: 0 is the one before it. */
static char digit_at(const struct Decimal *decimal, int position)
{
    int index = decimal->point - 1 - position;

    return index >= 0 && index < decimal->count ? decimal->digits[index] : '0';
}

static void fixed(struct Text *text, struct Decimal *decimal, int precision, int point)
{
    int integer = decimal->point > 0 ? decimal->point : 1;

    for (int position = integer - 1; position >= 0; position--)
        add(text, digit_at(decimal, position));
    if (precision || point)
        add(text, '.');
    for (int position = 1; position <= precision; position++)
        add(text, digit_at(decimal, -position));
}

static void scientific(struct Text *text, struct Decimal *decimal, int precision, int point, char e)
{
    int exponent = decimal->count ? decimal->point - 1 : 0;
    char tail[16];

    for (int i = 0; i <= precision; i++) {
        add(text, i < decimal->count ? decimal->digits[i] : '0');
        if (i == 0 && (precision || point))
            add(text, '.');
    }
    int length = snprintf(tail, sizeof tail, "%c%c%02d", e, exponent < 0 ? '-' : '+',
                          exponent < 0 ? -exponent : exponent);
    for (int i = 0; i < length; i++)
        add(text, tail[i]);
}

/* The shorter of both, with `precision` significant digits and no zeros at the end. */
static void general(struct Text *text, struct Decimal *decimal, const struct Conversion *conversion,
                    int precision)
{
    if (precision == 0)
        precision = 1;
    decimal_round(decimal, precision);
    int exponent = decimal->count ? decimal->point - 1 : 0;
    int digits = conversion->alternate ? precision : decimal->count ? decimal->count : 1;
    while (!conversion->alternate && digits > 1 && decimal->digits[digits - 1] == '0')
        digits--;
    if (exponent < -4 || exponent >= precision) {
        scientific(text, decimal, digits - 1, conversion->alternate, conversion->type - 2);
        return;
    }
    int fraction = digits - 1 - exponent;
    fixed(text, decimal, fraction > 0 ? fraction : 0, conversion->alternate);
}

static void finite(struct Text *text, const struct Conversion *conversion, double value)
{
    struct Decimal decimal;
    int precision = conversion->precision < 0 ? 6 : conversion->precision;

    decimal_from_double(&decimal, value);
    switch (conversion->type | 32) {
    case 'f':
        decimal_round(&decimal, decimal.point + precision);
        fixed(text, &decimal, precision, conversion->alternate);
        return;
    case 'e':
        decimal_round(&decimal, precision + 1);
        scientific(text, &decimal, precision, conversion->alternate, conversion->type);
        return;
    }
    general(text, &decimal, conversion, precision);
}

void put_double(struct Sink *sink, const struct Conversion *conversion, double value)
{
    struct Text text = {.size = 0};
    int capital = !(conversion->type & 32), negative = __builtin_signbit(value) != 0;
    const char *sign = negative ? "-" : conversion->plus ? "+" : conversion->space ? " " : "";

    if (negative)
        value = -value;
    if (value != value || value == __builtin_inf()) {
        struct Conversion words = *conversion;
        const char *word = value != value ? (capital ? "NAN" : "nan") : (capital ? "INF" : "inf");
        words.zero = 0;
        sink_padded(sink, &words, sign, 0, word, 3);
        return;
    }
    finite(&text, conversion, value);
    int zeros = conversion->width - (int)strlen(sign) - text.size;
    zeros = conversion->zero && !conversion->left && zeros > 0 ? zeros : 0;
    sink_padded(sink, conversion, sign, zeros, text.text, text.size);
}
