"""Stale TLB entries, and the report of their use."""

from pykern_c.types cimport u32, u64
from pykern_c.cpu cimport Cpu, Platform
from pykern_c.paging cimport Walk

cdef enum:
    INFO_GLOBAL = 1     # in Tlb.info: INVLPG drops the entry, MOV CR3 does not

# Forget stale entries of a region, or all, because software has invalidated them.
cdef void drop_stale(Cpu* cpu, u64 laddr, u64 region, bint globals_too) noexcept nogil
# A page that holds paging entries was written: note which TLB entries have become stale.
cdef void table_written(Platform* p) noexcept nogil
# The tables just walked: their writes must be seen.
cdef void watch_tables(Cpu* cpu, Walk* walk) noexcept nogil
# An access has missed the TLB: say so if it would have found a stale entry.
cdef void report_stale(Cpu* cpu, u32 which, u64 laddr) noexcept nogil
