"""Decoded code: blocks of instruction records, kept by physical page.

A block is a contiguous array of `Insn`; its last record leaves it. Blocks of one page are
invalidated together: every
record of the page is turned into "fetch again", so that a processor standing in the middle of one
finds out at its very next instruction.
"""

from pykern_c.types cimport u8, u16, u32, u64, i64, likely_
from pykern_c.cpu cimport Cpu, Hook, Insn, Platform, JumpEntry, JUMP_SIZE, CodeCache, CodePage


cdef CodeCache* code_cache_new() noexcept nogil
cdef void code_cache_free(CodeCache* cache) noexcept nogil
cdef void code_cache_empty(Platform* p) noexcept nogil
# Decode again what begins in a range of linear addresses, wherever it is mapped.
cdef void code_forget(Platform* p, u64 first, u64 last) noexcept nogil
# A write hit a page that has code.
cdef void code_written(Platform* p, u64 paddr, int size) noexcept nogil
# Find or decode the block at cpu.rip; NULL: a fault was raised while fetching.
# `limit`: at most so many instructions (they may come from a scratch buffer).
cdef Insn* block_at(Cpu* cpu, i64 limit) noexcept nogil


cdef bint hook_matches(Cpu* cpu, Hook* hook, u32 kinds, u64 first, u64 last) noexcept nogil


# Whether a record stands for an instruction, not for something the builder put there.
cdef bint is_instruction(Insn* insn) noexcept nogil


cdef enum:
    JUMP_SHIFT = 11         # of the jump cache's hash


# The decoded block at a linear address of a page used lately, entered into the jump cache, or NULL.
cdef Insn* code_lookup(Cpu* cpu, u64 laddr) noexcept nogil


cdef inline JumpEntry* jump_entry(Cpu* cpu, u64 laddr) noexcept nogil:
    return &cpu.jumps[(laddr ^ (laddr >> JUMP_SHIFT)) & (JUMP_SIZE - 1)]


cdef inline Insn* jump_lookup(Cpu* cpu, u64 laddr) noexcept nogil:
    """Return the block at a linear address if this processor was there lately, else NULL."""
    cdef JumpEntry* e = jump_entry(cpu, laddr)
    if (e.laddr ^ laddr) | (e.key ^ cpu.code_key):
        return NULL
    return e.insn


cdef inline Insn* find_block(Cpu* cpu, u64 laddr) noexcept nogil:
    """Return the block at a linear address of flat code if it has been decoded, else NULL."""
    cdef Insn* found = jump_lookup(cpu, laddr)
    if likely_(found != NULL):
        return found
    return code_lookup(cpu, laddr)
