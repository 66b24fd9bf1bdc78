/* What firmware left in memory and registers: A20, RSDP, SMBIOS, the time of day.
 *
 * References: ACPI Specification, Finding the RSDP on IA-PC Systems; SMBIOS Reference
 * Specification, Table access methods; INT 15h, AX = 2401h; INT 1Ah, AH = 02h and 04h.
 */
#include "loader.h"

static int a20_is_open(void)
{
    volatile u32 *low = (volatile u32 *)0x7C00, *high = (volatile u32 *)0x107C00;
    u32 saved = *high;
    *high = ~*low; /* the same cell if address line 20 is held at 0 */
    int open = *high != *low;
    if (open)
        *high = saved;
    else
        *low = ~*low;
    return open;
}

static void wait_for_keyboard_controller(void)
{
    for (int patience = 1 << 16; patience && inb(0x64) & 2; patience--)
        ;
}

void enable_a20(void)
{
    if (a20_is_open())
        return;
    bios.eax = 0x2401;
    bios_interrupt(0x15);
    if (a20_is_open())
        return;
    outb(0x92, (u8)((inb(0x92) | 2) & ~1)); /* system control port A */
    if (a20_is_open())
        return;
    wait_for_keyboard_controller();
    outb(0x64, 0xD1); /* write output port */
    wait_for_keyboard_controller();
    outb(0x60, 0xDF);
    for (int patience = 1 << 16; patience; patience--)
        if (a20_is_open())
            return;
    fail("address line A20 cannot be opened", 0);
}

static u32 cpuid(u32 leaf)
{
    u32 eax = leaf, ebx, ecx = 0, edx;
    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return leaf == 0x80000000 ? eax : edx;
}

int has_nx(void)
{
    u32 features = cpuid(0x80000000) > 0x80000000 ? cpuid(0x80000001) : 0;
    if (!(features & 1u << 29))
        fail("the processor has no long mode", 0);
    return !!(features & 1u << 20);
}

static int sums_to_zero(const u8 *data, u32 size)
{
    u8 sum = 0;
    while (size--)
        sum = (u8)(sum + *data++);
    return !sum;
}

static void *scan(u32 start, u32 end, const char *anchor, u32 anchor_size, u32 size)
{
    for (u8 *at = (u8 *)start; at + size <= (u8 *)end; at += 16)
        if (!memcmp(at, anchor, anchor_size) && sums_to_zero(at, size))
            return at;
    return 0;
}

static u16 bios_data_word(u32 address)
{
    __asm__("" : "+r"(address)); /* the compiler takes objects below 4 KiB for mistakes */
    return *(volatile u16 *)address;
}

void *find_rsdp(void)
{
    u32 ebda = (u32)bios_data_word(0x40E) << 4;
    void *found = 0;
    if (ebda >= 0x80000 && ebda < 0xA0000)
        found = scan(ebda, ebda + 1024, "RSD PTR ", 8, 20);
    return found ? found : scan(0xE0000, 0x100000, "RSD PTR ", 8, 20);
}

void *find_smbios(const char *anchor, u32 size)
{
    return scan(0xF0000, 0x100000, anchor, strlen(anchor), size);
}

static u32 binary(u32 bcd)
{
    return (bcd >> 4 & 15) * 10 + (bcd & 15);
}

/* Days from 1970-01-01 to a date of the Gregorian calendar, years 1970 to 2099. */
static u32 days(u32 year, u32 month, u32 day)
{
    static const u16 before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    u32 leap_days = (year - 1969) / 4 + (month > 2 && year % 4 == 0);
    return (year - 1970) * 365 + leap_days + before[(month - 1) % 12] + day - 1;
}

u64 boot_time(void)
{
    bios.eax = 0x0400;
    bios_interrupt(0x1A);
    if (bios.eflags & CARRY)
        return 0;
    u32 year = binary(bios.ecx >> 8) * 100 + binary(bios.ecx & 0xFF);
    u32 day = days(year, binary(bios.edx >> 8 & 0xFF), binary(bios.edx & 0xFF));
    bios.eax = 0x0200;
    bios_interrupt(0x1A);
    if (bios.eflags & CARRY || year < 1970)
        return 0;
    u32 minutes = binary(bios.ecx >> 8 & 0xFF) * 60 + binary(bios.ecx & 0xFF);
    return (u64)day * 86400 + minutes * 60 + binary(bios.edx >> 8 & 0xFF);
}
