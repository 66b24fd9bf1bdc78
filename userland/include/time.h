#pragma once

#include <sys/types.h>

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1

struct timespec {
    time_t tv_sec;
    long tv_nsec;
};

struct tm {
    int tm_sec, tm_min, tm_hour;
    int tm_mday, tm_mon, tm_year;
    int tm_wday, tm_yday, tm_isdst;
};

time_t time(time_t *result);
int clock_gettime(int clock, struct timespec *result);
int nanosleep(const struct timespec *duration, struct timespec *left);

/* There are no time zones: local time is UTC. */
struct tm *gmtime(const time_t *when);
struct tm *localtime(const time_t *when);
time_t timegm(const struct tm *fields);
size_t strftime(char *restrict s, size_t size, const char *restrict format,
                const struct tm *restrict fields);
