#pragma once

#include <sys/types.h>

#define RLIMIT_NPROC 6
#define RLIM_INFINITY (~0UL)

struct rlimit {
    uint64_t rlim_cur, rlim_max;
};

int getrlimit(int resource, struct rlimit *limit);
int setrlimit(int resource, const struct rlimit *limit);
