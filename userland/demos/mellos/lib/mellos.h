/* Programs of the MelloOS profile: five system calls, and nothing else. */
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline long int80(long number, long a, long b, long c)
{
    __asm__ volatile("int $0x80" : "+a"(number) : "D"(a), "S"(b), "d"(c) : "memory");
    return number;
}

#include <mellos/syscalls.h>

#define SERIAL 0

/* Write text to the serial console. */
#define print(text) sys_write(SERIAL, text, sizeof(text) - 1)

void print_number(const char *before, long number, const char *after);
