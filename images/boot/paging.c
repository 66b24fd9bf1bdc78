/* The page tables a kernel is entered with: all memory twice, the kernel with its rights.
 *
 *   0                    identity, 2 MiB pages     \ the same tables: 4 GiB, and what of the
 *   FFFF800000000000     direct map                / memory map lies above them
 *   FFFFFFFF80000000 …   kernel, 4 KiB pages; write and execute as its segments say
 *
 * Reference: SDM Vol. 3A, 4-Level Paging; the Limine boot protocol, Entry memory layout.
 */
#include "elf.h"
#include "loader.h"

#define P 1ull
#define W 2ull
#define PS 0x80ull
#define NX (1ull << 63)
#define ADDRESS 0x000FFFFFFFFFF000ull
#define GIB_SHIFT 30
#define MOST_GIB 512u

static u64 *table_of(u64 *entry)
{
    if (!(*entry & P))
        *entry = (u32)allocate(PAGE) | P | W;
    return (u64 *)(u32)(*entry & ADDRESS);
}

static void map_gib(u64 *pdpt, u32 gib)
{
    if (pdpt[gib] & P)
        return;
    u64 *directory = table_of(&pdpt[gib]);
    for (u32 i = 0; i < 512; i++)
        directory[i] = (u64)gib << GIB_SHIFT | (u64)i << 21 | P | W | PS;
}

static void map_page(u64 *pml4, u64 laddr, u64 paddr, u64 flags)
{
    u64 *table = pml4;
    for (u32 shift = 39; shift > 12; shift -= 9)
        table = table_of(&table[laddr >> shift & 511]);
    u64 *entry = &table[laddr >> 12 & 511];
    if (*entry & P) /* two segments share a page: it gets the rights of both */
        flags = (flags | (*entry & W)) & (*entry | ~NX);
    *entry = paddr | flags;
}

static void map_segment(u64 *pml4, const struct kernel *kernel, const struct elf_phdr *phdr, int nx)
{
    u64 flags = P | (phdr->p_flags & PF_W ? W : 0) | (nx && !(phdr->p_flags & PF_X) ? NX : 0);
    u64 page = phdr->p_vaddr & ~(u64)(PAGE - 1), last = phdr->p_vaddr + phdr->p_memsz - 1;
    for (; page <= last && page >= HIGH_HALF; page += PAGE)
        map_page(pml4, page, KERNEL_PADDR + (page - kernel->base), flags);
}

u32 paging_build(const struct kernel *kernel)
{
    u64 *pml4 = allocate(PAGE), *pdpt = table_of(&pml4[0]);
    const struct elf_ehdr *ehdr = kernel->file;
    int nx = has_nx();
    pml4[256] = pml4[0];
    for (u32 gib = 0; gib < 4; gib++)
        map_gib(pdpt, gib);
    for (u32 i = 0; i < range_count; i++) {
        u64 last = ranges[i].base + ranges[i].length - 1;
        if (ranges[i].type == RESERVED || ranges[i].type == BAD)
            continue;
        for (u64 gib = ranges[i].base >> GIB_SHIFT; gib <= last >> GIB_SHIFT; gib++)
            if (gib < MOST_GIB)
                map_gib(pdpt, (u32)gib);
    }
    for (u32 i = 0; i < ehdr->e_phnum; i++) {
        const struct elf_phdr *phdr = elf_phdr(kernel->file, i);
        if (phdr->p_type == PT_LOAD && phdr->p_memsz)
            map_segment(pml4, kernel, phdr, nx);
    }
    return (u32)pml4;
}
