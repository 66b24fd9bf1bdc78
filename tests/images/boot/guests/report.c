#include "report.h"

u64 state[24] = {1};
const u64 constant = 7;

static void outb(u16 port, u8 value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "dN"(port));
}

static u8 inb(u16 port)
{
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "dN"(port));
    return value;
}

static void put(char c)
{
    while (!(inb(0x3FD) & 0x20))
        ;
    outb(0x3F8, (u8)c);
}

static void text(const char *t)
{
    while (*t)
        put(*t++);
}

static void hex(u64 value)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        if (value >> shift || !shift)
            put("0123456789abcdef"[value >> shift & 15]);
}

void say(const char *name, u64 value)
{
    text(name);
    put(' ');
    hex(value);
    put('\n');
}

void say_text(const char *name, const char *t)
{
    text(name);
    put(' ');
    text(t);
    put('\n');
}

/* A checksum of CRC-32's kind would need a table; this is the FNV-1a hash. */
void say_bytes(const char *name, const void *data, u64 size)
{
    const u8 *bytes = data;
    u64 hash = 0xcbf29ce484222325ull;
    for (u64 i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3ull;
    say(name, hash);
}

void say_range(u64 base, u64 length, u64 type)
{
    text("range ");
    hex(base);
    put(' ');
    hex(length);
    put(' ');
    hex(type);
    put('\n');
}

/* What the page tables say of an address: the entry that maps it. */
static u64 entry_of(u64 laddr)
{
    u64 entry = state[13];
    for (int shift = 39; shift >= 12; shift -= 9) {
        u64 *table = (u64 *)(0xFFFF800000000000ull + (entry & 0x000FFFFFFFFFF000ull));
        entry = table[laddr >> shift & 511];
        if (!(entry & 1) || entry & 0x80)
            break;
    }
    return entry;
}

void report(void);

void say_machine(void)
{
    static const char *const names[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
                                        "r8", "r15", "return", "rflags", "cr0", "cr3", "cr4",
                                        "efer", "cs", "ss"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        say(names[i], state[i]);
    say("pic", state[20]);
    const u8 *gdtr = (const u8 *)&state[18];
    u64 gdt_base;
    __builtin_memcpy(&gdt_base, gdtr + 2, 8);
    say("gdt_limit", *(const u16 *)gdtr);
    say("gdt_base", gdt_base);
    say("gdt_code", ((const u64 *)gdt_base)[state[16] / 8]);
    say("pte_text", entry_of((u64)report));
    say("pte_rodata", entry_of((u64)&constant));
    say("pte_data", entry_of((u64)state));
}
