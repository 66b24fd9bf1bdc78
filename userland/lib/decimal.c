/* Exact conversion of a double to decimal: every double is a finite decimal fraction. */
#include "decimal.h"

#include <stdint.h>
#include <string.h>

#define BASE 1000000000u /* of one limb: nine digits */
#define LIMBS 130
#define INTEGER_LIMBS 36 /* 2^1024 has 309 digits */

/* limbs[0 … INTEGER_LIMBS - 1] before the point, the rest behind it, most significant first. */

static void times_power_of_two(uint32_t *limbs, int exponent)
{
    while (exponent > 0) {
        int shift = exponent < 29 ? exponent : 29;
        uint64_t carry = 0;
        for (int i = INTEGER_LIMBS - 1; i >= 0; i--) {
            uint64_t product = ((uint64_t)limbs[i] << shift) + carry;
            limbs[i] = product % BASE;
            carry = product / BASE;
        }
        exponent -= shift;
    }
}

/* BASE is a multiple of 2^9: nine bits at a time leave no fraction of a limb. */
static void divide_by_power_of_two(uint32_t *limbs, int count, int exponent)
{
    while (exponent > 0) {
        int shift = exponent < 9 ? exponent : 9;
        uint32_t carry = 0;
        for (int i = 0; i < count; i++) {
            uint32_t lost = limbs[i] & ((1u << shift) - 1);
            limbs[i] = (limbs[i] >> shift) + carry;
            carry = (BASE >> shift) * lost;
        }
        exponent -= shift;
    }
}

/* Write the limbs as digits, without the zeros around them. */
static void digits_from_limbs(struct Decimal *decimal, const uint32_t *limbs, int count)
{
    char *at = decimal->digits;
    int first = 0;

    while (first < count && !limbs[first])
        first++;
    decimal->point = 9 * (INTEGER_LIMBS - first);
    for (int i = first; i < count; i++) {
        uint32_t limb = limbs[i];
        for (int digit = 8; digit >= 0; digit--, limb /= 10)
            at[digit] = '0' + limb % 10;
        at += 9;
    }
    decimal->count = at - decimal->digits;
    while (decimal->count && decimal->digits[decimal->count - 1] == '0')
        decimal->count--;
    int zeros = 0;
    while (zeros < decimal->count && decimal->digits[zeros] == '0')
        zeros++;
    decimal->count -= zeros;
    decimal->point = decimal->count ? decimal->point - zeros : 0;
    memmove(decimal->digits, decimal->digits + zeros, decimal->count);
}

void decimal_from_double(struct Decimal *decimal, double value)
{
    uint32_t limbs[INTEGER_LIMBS + LIMBS] = {0};
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    int exponent = bits >> 52 & 0x7ff;
    uint64_t mantissa = bits & ((1UL << 52) - 1);

    if (exponent)
        mantissa |= 1UL << 52;
    else
        exponent = 1;
    exponent -= 1075; /* value = mantissa × 2^exponent */
    limbs[INTEGER_LIMBS - 1] = mantissa % BASE;
    limbs[INTEGER_LIMBS - 2] = mantissa / BASE;
    times_power_of_two(limbs, exponent);
    int fraction = exponent < 0 ? (-exponent + 8) / 9 : 0; /* each nine bits need a limb */
    divide_by_power_of_two(limbs, INTEGER_LIMBS + fraction, -exponent);
    digits_from_limbs(decimal, limbs, INTEGER_LIMBS + fraction);
}

static int rounds_up(const struct Decimal *decimal, int count)
{
    char next = decimal->digits[count];

    if (next != '5' || count + 1 < decimal->count)
        return next >= '5';
    return count > 0 && decimal->digits[count - 1] % 2; /* '0' is even */
}

void decimal_round(struct Decimal *decimal, int count)
{
    if (count >= decimal->count)
        return;
    int up = count >= 0 && rounds_up(decimal, count);
    decimal->count = count > 0 ? count : 0;
    while (up && decimal->count && decimal->digits[decimal->count - 1] == '9')
        decimal->count--;
    if (up && decimal->count)
        decimal->digits[decimal->count - 1]++;
    else if (up) {
        decimal->digits[decimal->count++] = '1';
        decimal->point++;
    }
}
