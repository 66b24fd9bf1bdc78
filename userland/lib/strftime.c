/* Dates as text. */
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const weekdays[] = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
};
static const char *const months[] = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December",
};

static const char *composed(char conversion)
{
    switch (conversion) {
    case 'c': return "%a %b %e %H:%M:%S %Y";
    case 'D': return "%m/%d/%y";
    case 'F': return "%Y-%m-%d";
    case 'R': return "%H:%M";
    case 'T': return "%H:%M:%S";
    }
    return NULL;
}

static int number(char *s, size_t size, char conversion, const struct tm *fields)
{
    switch (conversion) {
    case 'Y': return snprintf(s, size, "%d", fields->tm_year + 1900);
    case 'y': return snprintf(s, size, "%02d", fields->tm_year % 100);
    case 'm': return snprintf(s, size, "%02d", fields->tm_mon + 1);
    case 'd': return snprintf(s, size, "%02d", fields->tm_mday);
    case 'e': return snprintf(s, size, "%2d", fields->tm_mday);
    case 'H': return snprintf(s, size, "%02d", fields->tm_hour);
    case 'I': return snprintf(s, size, "%02d", (fields->tm_hour + 11) % 12 + 1);
    case 'M': return snprintf(s, size, "%02d", fields->tm_min);
    case 'S': return snprintf(s, size, "%02d", fields->tm_sec);
    case 'j': return snprintf(s, size, "%03d", fields->tm_yday + 1);
    case 'u': return snprintf(s, size, "%d", (fields->tm_wday + 6) % 7 + 1);
    case 'w': return snprintf(s, size, "%d", fields->tm_wday);
    case 's': return snprintf(s, size, "%ld", (long)timegm(fields));
    }
    return snprintf(s, size, "%%%c", conversion);
}

static int one(char *s, size_t size, char conversion, const struct tm *fields)
{
    switch (conversion) {
    case 'a': return snprintf(s, size, "%.3s", weekdays[fields->tm_wday]);
    case 'A': return snprintf(s, size, "%s", weekdays[fields->tm_wday]);
    case 'b': return snprintf(s, size, "%.3s", months[fields->tm_mon]);
    case 'B': return snprintf(s, size, "%s", months[fields->tm_mon]);
    case 'p': return snprintf(s, size, "%s", fields->tm_hour < 12 ? "AM" : "PM");
    case 'Z': return snprintf(s, size, "UTC");
    case 'z': return snprintf(s, size, "+0000");
    case 'n': return snprintf(s, size, "\n");
    case 't': return snprintf(s, size, "\t");
    case '%': return snprintf(s, size, "%%");
    }
    if (composed(conversion))
        return strftime(s, size, composed(conversion), fields);
    return number(s, size, conversion, fields);
}

size_t strftime(char *restrict s, size_t size, const char *restrict format,
                const struct tm *restrict fields)
{
    size_t length = 0;

    for (; *format && length < size; format++) {
        if (*format == '%' && format[1])
            length += one(s + length, size - length, *++format, fields);
        else
            s[length++] = *format;
    }
    if (length >= size)
        return 0;
    s[length] = 0;
    return length;
}
