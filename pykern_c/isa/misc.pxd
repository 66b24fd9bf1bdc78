"""Table look-up, BOUND, cache control and fences, non-temporal stores."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport *
from pykern_c.operands cimport *
from pykern_c.mmu cimport probe_slow, ACCESS_READ


cdef inline int xlat(Cpu* cpu, Insn* insn) noexcept nogil:
    """Table look-up: AL becomes byte AL of the table at rBX.

    D7         XLAT

    Flags: none.
    Source: SDM Vol. 2C, XLAT/XLATB.
    """
    cdef u64 value = 0
    cdef u64 offset = trunc(cpu.regs[RBX] + (cpu.regs[RAX] & 0xFF), address_bits(insn))
    if load(cpu, insn.seg, offset, 1, &value):
        return FAULT
    set_reg(cpu, 8, 0, value)
    return NEXT


cdef inline int bound(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Check an array index against its bounds, which are signed.

    62 /r      BOUND Gv, Ma    i64

    Flags: none.
    Source: SDM Vol. 2A, BOUND.
    """
    cdef u64 lower = 0, upper = 0, offset = effective_address(cpu, insn)
    cdef i64 index = <i64>sext(get_reg(cpu, w, insn.r), w)
    if load(cpu, insn.seg, offset, w >> 3, &lower):
        return FAULT
    if load(cpu, insn.seg, trunc(offset + (w >> 3), address_bits(insn)), w >> 3, &upper):
        return FAULT
    if index < <i64>sext(lower, w) or index > <i64>sext(upper, w):
        return raise_fault(cpu, BR)
    return NEXT


cdef inline int salc(Cpu* cpu, Insn* insn) noexcept nogil:
    """Set AL from the carry: FFH or 0.

    D6         SALC    i64

    Flags: none.
    Source: AMD64 Architecture Programmer's Manual Vol. 3, Opcode Map (undocumented by Intel).
    """
    set_reg(cpu, 8, 0, -flag_cf(cpu))
    return NEXT


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
