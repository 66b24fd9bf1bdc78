/* A double as all of its decimal digits; private to printf. */
#pragma once

#define DECIMAL_DIGITS 1200

struct Decimal {
    int count;                   /* digits that follow, no zeros before or after them */
    int point;                   /* the value is 0.DIGITS × 10^point */
    char digits[DECIMAL_DIGITS]; /* '0' to '9' */
};

/* Precondition: the value is finite and not negative. */
void decimal_from_double(struct Decimal *decimal, double value);

/* Keep that many digits (maybe none), rounding to nearest, halves to even. */
void decimal_round(struct Decimal *decimal, int count);
