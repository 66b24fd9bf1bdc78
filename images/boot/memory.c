/* What memory there is, and which of it the loader uses: kernel at 1 MiB, the rest from the end.
 *
 *   100000            kernel           ...usable...   tables, answers, stack   files     end
 *
 * Reference: ACPI Specification, INT 15H, E820H - Query System Address Map.
 */
#include "loader.h"

#define SMAP 0x534D4150u
#define FOUR_GIB 0x100000000ull

struct e820 {
    u64 base, length;
    u32 type, attributes;
} __attribute__((packed));

struct range ranges[MOST_RANGES];
u32 range_count;
static u32 main_end, files_bottom, top;

void memory_add(u64 base, u64 length, u32 type)
{
    if (range_count == MOST_RANGES)
        fail("the memory map has more than 64 ranges", 0);
    u32 i = range_count++;
    for (; i && ranges[i - 1].base > base; i--)
        ranges[i] = ranges[i - 1];
    ranges[i] = (struct range){base, length, type};
}

static void add_usable(u64 base, u64 end)
{
    base = (base + PAGE - 1) & ~(u64)(PAGE - 1);
    end &= ~(u64)(PAGE - 1);
    if (base < PAGE)
        base = PAGE; /* the real-mode vectors are never usable */
    if (base < end)
        memory_add(base, end - base, USABLE);
}

static void add_e820(const struct e820 *entry)
{
    static const u8 types[] = {RESERVED, USABLE, RESERVED, ACPI_RECLAIMABLE, ACPI_NVS, BAD};
    u32 type = entry->type < sizeof types ? types[entry->type] : RESERVED;
    if (!entry->length)
        return;
    if (type == USABLE)
        add_usable(entry->base, entry->base + entry->length);
    else
        memory_add(entry->base, entry->length, type);
}

static struct range *main_range(void)
{
    for (u32 i = 0; i < range_count; i++)
        if (ranges[i].type == USABLE && ranges[i].base <= KERNEL_PADDR &&
            ranges[i].base + ranges[i].length > KERNEL_PADDR)
            return &ranges[i];
    fail("no usable memory at 1 MiB", 0);
}

void memory_init(void)
{
    struct e820 *entry = (struct e820 *)BUFFER;
    u32 next = 0;
    do {
        entry->attributes = 1;
        bios.eax = 0xE820;
        bios.ebx = next;
        bios.ecx = sizeof *entry;
        bios.edx = SMAP;
        bios.es = BUFFER >> 4;
        bios.edi = BUFFER & 15;
        bios_interrupt(0x15);
        if (bios.eax != SMAP || bios.eflags & CARRY)
            break; /* some say so only behind the last entry */
        next = bios.ebx;
        if (bios.ecx < 24 || entry->attributes & 1)
            add_e820(entry);
    } while (next);
    if (!range_count)
        fail("the BIOS does not know INT 15h, EAX = E820h", 0);
    struct range *range = main_range();
    u64 end = range->base + range->length;
    main_end = end < FOUR_GIB ? (u32)end : (u32)(FOUR_GIB - PAGE);
    top = main_end;
}

void *allocate(u32 size)
{
    u32 pages = (size + PAGE - 1) & ~(PAGE - 1);
    if (pages > top - KERNEL_PADDR)
        fail("out of memory; give the machine more", 0);
    top -= pages;
    return memset((void *)top, 0, pages);
}

void files_are_loaded(void)
{
    files_bottom = top;
}

void memory_check(u32 kernel_size)
{
    if (kernel_size > top - KERNEL_PADDR)
        fail("the kernel does not fit into memory; give the machine more", 0);
}

void memory_finish(u32 kernel_size)
{
    struct range *range = main_range();
    u64 before = range->base, end = range->base + range->length;
    u32 kernel_end = KERNEL_PADDR + ((kernel_size + PAGE - 1) & ~(PAGE - 1));
    if (kernel_end > top)
        fail("out of memory; give the machine more", 0);
    for (range_count--; range < ranges + range_count; range++)
        range[0] = range[1];
    if (before < KERNEL_PADDR)
        memory_add(before, KERNEL_PADDR - before, USABLE);
    memory_add(KERNEL_PADDR, kernel_end - KERNEL_PADDR, KERNEL);
    if (kernel_end < top)
        memory_add(kernel_end, top - kernel_end, USABLE);
    memory_add(top, files_bottom - top, LOADER);
    memory_add(files_bottom, main_end - files_bottom, KERNEL);
    if (main_end < end)
        memory_add(main_end, end - main_end, USABLE);
}
