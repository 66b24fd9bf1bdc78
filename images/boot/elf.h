/* ELF-64 headers. Reference: System V Application Binary Interface, Object Files. */
#ifndef ELF_H
#define ELF_H

#include "loader.h"

enum { ET_EXEC = 2, EM_X86_64 = 62, PT_LOAD = 1, PF_X = 1, PF_W = 2 };

struct elf_ehdr {
    u8 e_ident[16];
    u16 e_type, e_machine;
    u32 e_version;
    u64 e_entry, e_phoff, e_shoff;
    u32 e_flags;
    u16 e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx;
} __attribute__((packed));

struct elf_phdr {
    u32 p_type, p_flags;
    u64 p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align;
} __attribute__((packed));

static inline const struct elf_phdr *elf_phdr(const void *file, u32 number)
{
    const struct elf_ehdr *ehdr = file;
    const u8 *table = (const u8 *)file + (u32)ehdr->e_phoff;
    return (const struct elf_phdr *)(table + number * ehdr->e_phentsize);
}

#endif
