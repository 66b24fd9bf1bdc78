/* One conversion of a printf format; private to printf. */
#pragma once

#include <stddef.h>

struct Conversion {
    int left, plus, space, alternate, zero; /* - + space # 0 */
    int width;
    int precision; /* -1: not given */
    char length;   /* 0, 'l' (also j z t), 'h', 'H' for hh, 'L' */
    char type;
};

/* Where formatted text goes. */
struct Sink {
    void (*put)(struct Sink *sink, const char *text, size_t size);
    size_t total; /* what was put so far */
};

void sink_put(struct Sink *sink, const char *text, size_t size);
void sink_repeat(struct Sink *sink, char c, int count);

/* Sign or prefix, then `zeros` zeros, then the text; all of it padded to the width. */
void sink_padded(struct Sink *sink, const struct Conversion *conversion, const char *prefix,
                 int zeros, const char *text, int size);

/* %f %e %g and their capitals. */
void put_double(struct Sink *sink, const struct Conversion *conversion, double value);
