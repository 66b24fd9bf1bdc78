"""Cache control, fences, stores past the cache: there is no cache, so little is left to do."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.operands cimport *
from pykern_c.mmu cimport probe_slow, ACCESS_READ


cdef inline int clflush(Cpu* cpu, Insn* insn) noexcept nogil:
    """Flush or write back a cache line: nothing is to be seen of it, but it faults as a load does.

    NP 0F AE /7   CLFLUSH Mb      CLFSH
    66 0F AE /7   CLFLUSHOPT Mb   CLFLUSHOPT
    66 0F AE /6   CLWB Mb         CLWB

    Flags: none.
    Source: SDM Vol. 2A, CLFLUSH; CLFLUSHOPT; CLWB.
    """
    cdef u64 laddr
    if linear_address(cpu, insn.seg, effective_address(cpu, insn), 1, False, &laddr):
        return FAULT
    return FAULT if probe_slow(cpu, cpu.which, laddr, 1, ACCESS_READ) else NEXT


cdef inline int fence(Cpu* cpu, Insn* insn) noexcept nogil:
    """Memory fences: accesses happen in program order anyway.

    NP 0F AE E8+i   LFENCE    SSE2 fast=fence_fast
    NP 0F AE F0+i   MFENCE    SSE2 fast=fence_fast
    NP 0F AE F8+i   SFENCE    SSE fast=fence_fast

    Flags: none.
    Source: SDM Vol. 2A, LFENCE; Vol. 2B, MFENCE; SFENCE.
    """
    return NEXT


cdef inline bint fence_fast(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    return True


cdef inline u64 movnti(Cpu* cpu, int w, u64 src) noexcept nogil:
    """Store a register without caching it.

    NP 0F C3 /r   MOVNTI My, Gy   nodst SSE2

    Flags: none.
    Source: SDM Vol. 2B, MOVNTI.
    """
    return src
