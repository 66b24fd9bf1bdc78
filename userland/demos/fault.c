/* fault: do what a program must not do, and be stopped by the kernel. */
#include <err.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void null_pointer(void)
{
    *(volatile int *)0 = 1;
}

static volatile char never = 1;

static int deeper(int depth)
{
    volatile char frame[1024] = {depth};

    return never ? deeper(depth + 1) + frame[0] : 0; /* not a tail call */
}

static void stack_overflow(void)
{
    deeper(0);
}

static void execute_data(void)
{
    static unsigned char ret[] = {0xc3};
    void (*function)(void);

    *(void **)&function = ret;
    function();
}

static void execute_stack(void)
{
    volatile unsigned char ret[] = {0xc3};
    void (*function)(void);

    *(void **)&function = (void *)ret;
    function();
}

static void write_text(void)
{
    *(volatile char *)(uintptr_t)execute_stack = 0;
}

static void divide_by_zero(void)
{
    __asm__ volatile("xor %%ecx, %%ecx; mov $1, %%eax; cltd; idivl %%ecx" : : : "eax", "ecx", "edx");
}

static void kernel_memory(void)
{
    *(volatile char *)0xffffffff80000000 = 1;
}

static void not_canonical(void)
{
    __asm__ volatile("movb $0, (%0)" : : "r"(0x8000000000000000) : "memory");
}

static void undefined_opcode(void)
{
    __asm__ volatile("ud2");
}

static void privileged(void)
{
    __asm__ volatile("hlt");
}

static void port_access(void)
{
    __asm__ volatile("outb %%al, $0x80" : : "a"(0));
}

static void breakpoint(void)
{
    __asm__ volatile("int3");
}

static void bad_pointer(void) /* of a system call: no fault, but EFAULT */
{
    if (write(STDOUT_FILENO, (void *)0xffff800000000000, 1) < 0)
        err(3, "write");
}

static const struct {
    const char *name;
    void (*run)(void);
} faults[] = {
    {"null", null_pointer},       {"stack", stack_overflow}, {"nx-data", execute_data},
    {"nx-stack", execute_stack},  {"text", write_text},      {"div", divide_by_zero},
    {"kernel", kernel_memory},    {"noncanonical", not_canonical}, {"ud", undefined_opcode},
    {"privileged", privileged},   {"port", port_access},     {"int3", breakpoint},
    {"efault", bad_pointer},
};

int main(int argc, char *argv[])
{
    for (size_t i = 0; argc > 1 && i < sizeof faults / sizeof *faults; i++)
        if (!strcmp(argv[1], faults[i].name)) {
            faults[i].run();
            errx(1, "%s: nothing stopped us", argv[1]);
        }
    fputs("usage: fault", stderr);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        fprintf(stderr, " %s%s", i ? "| " : "", faults[i].name);
    fputc('\n', stderr);
    return 2;
}
