/* init: the user test of Myria OS; it says by its exit code that all was as it must be (MYR-20). */
#include "lib/myria.h"

static volatile uint64_t data = 0x1234;
static volatile uint64_t bss[16];

/* The segment registers are ring 3's, data can be written, and a system call keeps registers. */
static int registers_are_kept(void)
{
    uint64_t cs, rbx = 0x5ca1ab1e, r15 = 0xfee1900d;

    __asm__ volatile("mov %%cs, %0" : "=r"(cs));
    __asm__ volatile("mov %0, %%rbx\n\tmov %1, %%r15\n\tmov %2, %%eax\n\tsyscall\n\t"
                     "mov %%rbx, %0\n\tmov %%r15, %1"
                     : "+m"(rbx), "+m"(r15)
                     : "i"(SYS_getpid)
                     : "rax", "rbx", "rcx", "r11", "r15", "memory");
    return (cs & 3) == 3 && rbx == 0x5ca1ab1e && r15 == 0xfee1900d;
}

int main(void)
{
    data++;
    bss[15] = data;
    return registers_are_kept() && bss[15] == 0x1235 && !bss[0] ? SUCCESS : 1;
}
