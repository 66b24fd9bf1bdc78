/* printf: the format is taken apart here, the pieces go into a sink. */
#include "printf.h"

#include "file.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void sink_put(struct Sink *sink, const char *text, size_t size)
{
    sink->put(sink, text, size);
    sink->total += size;
}

void sink_repeat(struct Sink *sink, char c, int count)
{
    while (count-- > 0)
        sink_put(sink, &c, 1);
}

void sink_padded(struct Sink *sink, const struct Conversion *conversion, const char *prefix,
                 int zeros, const char *text, int size)
{
    int padding = conversion->width - (int)strlen(prefix) - zeros - size;

    if (!conversion->left)
        sink_repeat(sink, ' ', padding);
    sink_put(sink, prefix, strlen(prefix));
    sink_repeat(sink, '0', zeros);
    sink_put(sink, text, size);
    if (conversion->left)
        sink_repeat(sink, ' ', padding);
}

static void put_integer(struct Sink *sink, const struct Conversion *conversion, const char *prefix,
                        uint64_t value, unsigned base)
{
    const char *digits = conversion->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[24], *at = text + sizeof text;

    for (uint64_t left = value; left; left /= base)
        *--at = digits[left % base];
    int size = text + sizeof text - at;
    int zeros = (conversion->precision < 0 ? 1 : conversion->precision) - size;
    if (conversion->type == 'o' && conversion->alternate && zeros < 1)
        zeros = 1;
    int width = conversion->width - (int)strlen(prefix) - size;
    if (conversion->zero && !conversion->left && conversion->precision < 0 && zeros < width)
        zeros = width;
    sink_padded(sink, conversion, prefix, zeros > 0 ? zeros : 0, at, size);
}

static void put_signed(struct Sink *sink, const struct Conversion *conversion, int64_t value)
{
    const char *sign = value < 0 ? "-" : conversion->plus ? "+" : conversion->space ? " " : "";

    put_integer(sink, conversion, sign, value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
}

static void put_unsigned(struct Sink *sink, const struct Conversion *conversion, uint64_t value)
{
    const char *prefix = "";

    if (conversion->alternate && value && (conversion->type | 32) == 'x')
        prefix = conversion->type == 'x' ? "0x" : "0X";
    unsigned base = conversion->type == 'u' ? 10 : conversion->type == 'o' ? 8 : 16;
    put_integer(sink, conversion, prefix, value, base);
}

static void put_string(struct Sink *sink, const struct Conversion *conversion, const char *s)
{
    if (!s)
        s = "(null)";
    size_t size = conversion->precision < 0 ? strlen(s) : strnlen(s, conversion->precision);
    sink_padded(sink, conversion, "", 0, s, size);
}

static int64_t shortened(int64_t value, char length, int is_signed)
{
    switch (length) {
    case 'l': return value;
    case 'h': return is_signed ? (int64_t)(int16_t)value : (uint16_t)value;
    case 'H': return is_signed ? (int64_t)(int8_t)value : (uint8_t)value;
    }
    return is_signed ? (int64_t)(int32_t)value : (uint32_t)value;
}

static int number_or_star(const char **format, va_list *arguments)
{
    int value = 0;

    if (**format == '*') {
        ++*format;
        return va_arg(*arguments, int);
    }
    for (; isdigit(**format); ++*format)
        value = value * 10 + (**format - '0');
    return value;
}

static void parse_flags(const char **format, struct Conversion *conversion)
{
    for (;; ++*format)
        switch (**format) {
        case '-': conversion->left = 1; break;
        case '+': conversion->plus = 1; break;
        case ' ': conversion->space = 1; break;
        case '#': conversion->alternate = 1; break;
        case '0': conversion->zero = 1; break;
        default: return;
        }
}

/* Parse what follows a percent sign. */
static struct Conversion parse(const char **format, va_list *arguments)
{
    struct Conversion conversion = {.precision = -1};

    parse_flags(format, &conversion);
    conversion.width = number_or_star(format, arguments);
    if (conversion.width < 0) {
        conversion.left = 1;
        conversion.width = -conversion.width;
    }
    if (**format == '.') {
        ++*format;
        conversion.precision = number_or_star(format, arguments);
    }
    while (**format && strchr("hlLjzt", **format)) {
        char c = *(*format)++;
        conversion.length = c == 'h' ? (conversion.length == 'h' ? 'H' : 'h') : c == 'L' ? 'L' : 'l';
    }
    conversion.type = **format ? *(*format)++ : 0;
    return conversion;
}

static void convert(struct Sink *sink, struct Conversion *conversion, va_list *arguments)
{
    char c;

    switch (conversion->type) {
    case 'd': case 'i':
        put_signed(sink, conversion, shortened(va_arg(*arguments, long), conversion->length, 1));
        return;
    case 'u': case 'x': case 'X': case 'o':
        put_unsigned(sink, conversion, shortened(va_arg(*arguments, long), conversion->length, 0));
        return;
    case 'p':
        conversion->alternate = 1;
        conversion->type = 'x';
        put_unsigned(sink, conversion, va_arg(*arguments, uint64_t));
        return;
    case 'c':
        c = va_arg(*arguments, int);
        sink_padded(sink, conversion, "", 0, &c, 1);
        return;
    case 's':
        put_string(sink, conversion, va_arg(*arguments, const char *));
        return;
    case 'f': case 'F': case 'e': case 'E': case 'g': case 'G':
        if (conversion->length == 'L')
            put_double(sink, conversion, va_arg(*arguments, long double));
        else
            put_double(sink, conversion, va_arg(*arguments, double));
        return;
    case '%':
        sink_put(sink, "%", 1);
        return;
    }
}

static void format_into(struct Sink *sink, const char *format, va_list *arguments)
{
    while (*format) {
        size_t plain = strcspn(format, "%");
        sink_put(sink, format, plain);
        format += plain;
        if (*format) {
            format++;
            struct Conversion conversion = parse(&format, arguments);
            convert(sink, &conversion, arguments);
        }
    }
}

struct FileSink {
    struct Sink sink;
    FILE *file;
    int newline, failed;
};

static void put_into_file(struct Sink *sink, const char *text, size_t size)
{
    struct FileSink *to = (struct FileSink *)sink;

    to->newline |= memchr(text, '\n', size) != NULL;
    to->failed |= file_put(to->file, text, size);
}

int vfprintf(FILE *restrict file, const char *restrict format, va_list arguments)
{
    struct FileSink to = {.sink = {.put = put_into_file}, .file = file};
    va_list copy;

    va_copy(copy, arguments);
    format_into(&to.sink, format, &copy);
    va_end(copy);
    return to.failed | file_settle(file, to.newline) ? -1 : (int)to.sink.total;
}

struct BufferSink {
    struct Sink sink;
    char *buffer;
    size_t size;
};

static void put_into_buffer(struct Sink *sink, const char *text, size_t size)
{
    struct BufferSink *to = (struct BufferSink *)sink;
    size_t room = sink->total < to->size ? to->size - sink->total : 0;

    if (room)
        memcpy(to->buffer + sink->total, text, size < room ? size : room);
}

int vsnprintf(char *restrict s, size_t size, const char *restrict format, va_list arguments)
{
    struct BufferSink to = {.sink = {.put = put_into_buffer}, .buffer = s, .size = size};
    va_list copy;

    va_copy(copy, arguments);
    format_into(&to.sink, format, &copy);
    va_end(copy);
    if (size)
        s[to.sink.total < size ? to.sink.total : size - 1] = 0;
    return to.sink.total;
}
