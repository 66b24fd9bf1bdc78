/* Seconds since 1970 to year, month and day, and back; the Gregorian calendar, in UTC. */
#include <time.h>

#define DAY 86400
#define DAYS_TO_1970 719468 /* from 0000-03-01: a year that starts in March ends with its leap day */
#define DAYS_OF_ERA 146097  /* 400 years */

static int leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static long days_from_date(long year, int month, int day)
{
    year -= month <= 2;
    long era = (year >= 0 ? year : year - 399) / 400;
    long year_of_era = year - era * 400;
    long day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * DAYS_OF_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
           day_of_year - DAYS_TO_1970;
}

static void date_from_days(long days, struct tm *fields)
{
    days += DAYS_TO_1970;
    long era = (days >= 0 ? days : days - DAYS_OF_ERA + 1) / DAYS_OF_ERA;
    long day = days - era * DAYS_OF_ERA;
    long year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    long day_of_year = day - (365 * year + year / 4 - year / 100);
    int march_month = (5 * day_of_year + 2) / 153;
    int month = march_month < 10 ? march_month + 3 : march_month - 9;

    fields->tm_mday = day_of_year - (153 * march_month + 2) / 5 + 1;
    fields->tm_mon = month - 1;
    fields->tm_year = year + era * 400 + (month <= 2) - 1900;
    fields->tm_yday = march_month < 10 ? day_of_year + 59 + leap(fields->tm_year + 1900)
                                       : day_of_year - 306;
}

struct tm *gmtime(const time_t *when)
{
    static struct tm fields;
    long days = *when / DAY, seconds = *when % DAY;

    if (seconds < 0) {
        seconds += DAY;
        days--;
    }
    date_from_days(days, &fields);
    fields.tm_hour = seconds / 3600;
    fields.tm_min = seconds / 60 % 60;
    fields.tm_sec = seconds % 60;
    fields.tm_wday = ((days + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    fields.tm_isdst = 0;
    return &fields;
}

struct tm *localtime(const time_t *when)
{
    return gmtime(when);
}

time_t timegm(const struct tm *fields)
{
    long days = days_from_date(fields->tm_year + 1900, fields->tm_mon + 1, fields->tm_mday);

    return days * DAY + fields->tm_hour * 3600 + fields->tm_min * 60 + fields->tm_sec;
}
