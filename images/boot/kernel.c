/* The kernel's ELF file: check it, and place its segments from 1 MiB on.
 *
 * Reference: System V Application Binary Interface, Program Loading.
 */
#include "elf.h"
#include "loader.h"

#define LARGEST_KERNEL 0x20000000u

static const struct elf_phdr *checked_phdr(const struct kernel *kernel, u32 number)
{
    const struct elf_phdr *phdr = elf_phdr(kernel->file, number);
    if (phdr->p_type != PT_LOAD || !phdr->p_memsz)
        return 0;
    if (phdr->p_offset > kernel->file_size ||
        phdr->p_filesz > kernel->file_size - phdr->p_offset)
        fail("a PT_LOAD segment reaches beyond the end of the file", kernel->path);
    if (phdr->p_filesz > phdr->p_memsz)
        fail("p_filesz of a PT_LOAD segment exceeds p_memsz", kernel->path);
    if (phdr->p_vaddr < HIGH_HALF || phdr->p_vaddr + phdr->p_memsz < phdr->p_vaddr)
        fail("a PT_LOAD segment is not above 0xffffffff80000000", kernel->path);
    return phdr;
}

static void check_header(const struct kernel *kernel)
{
    const struct elf_ehdr *ehdr = kernel->file;
    if (kernel->file_size < sizeof *ehdr || memcmp(ehdr->e_ident, "\x7f" "ELF\2\1", 6))
        fail("no 64-bit little-endian ELF file", kernel->path);
    if (ehdr->e_machine != EM_X86_64 || ehdr->e_type != ET_EXEC)
        fail("no x86-64 executable with fixed addresses", kernel->path);
    if (ehdr->e_phentsize < sizeof(struct elf_phdr) || ehdr->e_phoff > kernel->file_size ||
        (u32)ehdr->e_phnum * ehdr->e_phentsize > kernel->file_size - ehdr->e_phoff)
        fail("the program headers reach beyond the end of the file", kernel->path);
}

void kernel_load(struct kernel *kernel)
{
    const struct elf_ehdr *ehdr = kernel->file;
    const struct elf_phdr *phdr;
    u64 low = ~0ull, high = 0;
    check_header(kernel);
    for (u32 i = 0; i < ehdr->e_phnum; i++) {
        if (!(phdr = checked_phdr(kernel, i)))
            continue;
        if (phdr->p_vaddr < low)
            low = phdr->p_vaddr;
        if (phdr->p_vaddr + phdr->p_memsz > high)
            high = phdr->p_vaddr + phdr->p_memsz;
    }
    kernel->base = low & ~(u64)(PAGE - 1);
    if (low >= high || high - kernel->base > LARGEST_KERNEL)
        fail("PT_LOAD segments span nothing, or more than 512 MiB", kernel->path);
    kernel->size = (u32)(high - kernel->base);
    kernel->entry = ehdr->e_entry;
    memory_check(kernel->size);
    memset((void *)KERNEL_PADDR, 0, kernel->size);
    for (u32 i = 0; i < ehdr->e_phnum; i++)
        if ((phdr = checked_phdr(kernel, i)))
            memcpy((u8 *)KERNEL_PADDR + (u32)(phdr->p_vaddr - kernel->base),
                   (u8 *)kernel->file + (u32)phdr->p_offset, (u32)phdr->p_filesz);
}
