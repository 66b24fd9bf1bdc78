/* Bytes, text, and what is said when booting ends here. */
#include "loader.h"

void *memcpy(void *to, const void *from, u32 size)
{
    void *target = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return target;
}

void *memset(void *to, int value, u32 size)
{
    void *target = to;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
    return target;
}

int memcmp(const void *one, const void *other, u32 size)
{
    const u8 *a = one, *b = other;
    for (; size; size--, a++, b++)
        if (*a != *b)
            return *a - *b;
    return 0;
}

u32 strlen(const char *text)
{
    u32 size = 0;
    while (text[size])
        size++;
    return size;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

int same_text(const char *one, const char *other, u32 size, int fold_case)
{
    for (u32 i = 0; i < size; i++)
        if (fold_case ? lower(one[i]) != lower(other[i]) : one[i] != other[i])
            return 0;
    return 1;
}

static void put(char c)
{
    bios.eax = 0x0E00 | (u8)c; /* INT 10h, AH = 0Eh: teletype output */
    bios.ebx = 7;
    bios_interrupt(0x10);
}

void print(const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            put('\r');
        put(*text);
    }
}

static void serial_print(const char *text)
{
    for (; *text; text++) {
        for (int patience = 1 << 16; patience && !(inb(0x3FD) & 0x20); patience--)
            ;
        outb(0x3F8, (u8)*text);
    }
}

void fail(const char *what, const char *name)
{
    const char *parts[] = {"pykern: ", name ? name : "", name ? ": " : "", what, "\n"};
    for (u32 i = 0; i < sizeof parts / sizeof *parts; i++) {
        print(parts[i]);
        serial_print(parts[i]);
    }
    for (;;)
        __asm__ volatile("cli; hlt");
}
