#pragma once

#include <stdint.h>

/* Linux, struct sysinfo. */
struct sysinfo {
    int64_t uptime; /* seconds */
    uint64_t loads[3]; /* 16 bits after the point */
    uint64_t totalram, freeram, sharedram, bufferram, totalswap, freeswap; /* in mem_unit */
    uint16_t procs;
    uint64_t totalhigh, freehigh;
    uint32_t mem_unit;
    char padding[4];
};

int sysinfo(struct sysinfo *info);
