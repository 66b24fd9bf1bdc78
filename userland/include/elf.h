/* The auxiliary vector of a new process (x86-64 psABI, Process Initialization). */
#pragma once

#include <stdint.h>

#define AT_NULL 0
#define AT_PHDR 3
#define AT_PHNUM 5
#define AT_PAGESZ 6
#define AT_ENTRY 9
#define AT_RANDOM 25

typedef struct {
    uint64_t a_type;
    uint64_t a_val;
} Elf64_auxv_t;
