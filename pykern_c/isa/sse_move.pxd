"""Moves of vectors and their parts: MMX, SSE, SSE2, SSE3, SSE4.1."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.operands cimport *
from pykern_c.mmu cimport MemRef, ref_read, ref_write
from pykern_c.vector cimport enter_mmx, get_mmx_xmm, get_xmm
from pykern_c.host_sse cimport *


cdef inline xmm_t movaps(Cpu* cpu, xmm_t src) noexcept nogil:
    """Move a vector; memory is aligned.

    NP 0F 28 /r   MOVAPS Vps, Wps   nodst SSE
    NP 0F 29 /r   MOVAPS Wps, Vps   nodst SSE
    66 0F 28 /r   MOVAPD Vpd, Wpd   nodst SSE2
    66 0F 29 /r   MOVAPD Wpd, Vpd   nodst SSE2
    66 0F 6F /r   MOVDQA Vdq, Wdq   nodst SSE2
    66 0F 7F /r   MOVDQA Wdq, Vdq   nodst SSE2

    Flags: none.
    Source: SDM Vol. 2B, MOVAPS.
    """
    return src


cdef inline xmm_t movups(Cpu* cpu, xmm_t src) noexcept nogil:
    """Move a vector; memory may be misaligned.

    NP 0F 10 /r   MOVUPS Vps, Wps   nodst noalign SSE
    NP 0F 11 /r   MOVUPS Wps, Vps   nodst noalign SSE
    66 0F 10 /r   MOVUPD Vpd, Wpd   nodst noalign SSE2
    66 0F 11 /r   MOVUPD Wpd, Vpd   nodst noalign SSE2
    F3 0F 6F /r   MOVDQU Vdq, Wdq   nodst noalign SSE2
    F3 0F 7F /r   MOVDQU Wdq, Vdq   nodst noalign SSE2
    F2 0F F0 /r   LDDQU Vdq, Mdq    nodst SSE3

    Flags: none.
    Source: SDM Vol. 2B, MOVUPS.
    """
    return src


cdef inline xmm_t movntps(Cpu* cpu, xmm_t src) noexcept nogil:
    """Move a vector with a non-temporal hint, which means nothing here.

    NP 0F 2B /r      MOVNTPS Mps, Vps    nodst align SSE
    66 0F 2B /r      MOVNTPD Mpd, Vpd    nodst align SSE2
    66 0F E7 /r      MOVNTDQ Mdq, Vdq    nodst align SSE2
    66 0F 38 2A /r   MOVNTDQA Vdq, Mdq   nodst align SSE4_1
    NP 0F E7 /r      MOVNTQ Mq, Pq       nodst SSE

    Flags: none.
    Source: SDM Vol. 2B, MOVNTPS.
    """
    return src


cdef inline xmm_t movss_load(Cpu* cpu, xmm_t src) noexcept nogil:
    """Load a scalar and clear the rest of the register.

    F3 0F 10 /r   MOVSS Vss, Mss   nodst SSE
    F2 0F 10 /r   MOVSD Vsd, Msd   nodst SSE2
    F3 0F 7E /r   MOVQ Vq, Wq      nodst SSE2
    66 0F D6 /r   MOVQ Wq, Vq      nodst SSE2

    Flags: none.
    Source: SDM Vol. 2B, MOVSS.
    """
    return low_q(src)


cdef inline xmm_t movss_store(Cpu* cpu, xmm_t src) noexcept nogil:
    """Store a scalar.

    F3 0F 11 /r   MOVSS Mss, Vss   nodst SSE
    F2 0F 11 /r   MOVSD Msd, Vsd   nodst SSE2

    Flags: none.
    Source: SDM Vol. 2B, MOVSS.
    """
    return src


cdef inline xmm_t movss(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Replace the lowest single of a register.

    F3 0F 10 /r   MOVSS Vss, Uss   SSE
    F3 0F 11 /r   MOVSS Uss, Vss   SSE

    Flags: none.
    Source: SDM Vol. 2B, MOVSS.
    """
    return op2(MOVSS, dst, src)


cdef inline xmm_t movsd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Replace the low double of a register.

    F2 0F 10 /r   MOVSD Vsd, Usd   SSE2
    F2 0F 11 /r   MOVSD Usd, Vsd   SSE2
    NP 0F 12 /r   MOVLPS Vq, Mq    SSE
    66 0F 12 /r   MOVLPD Vq, Mq    SSE2

    Flags: none.
    Source: SDM Vol. 2B, MOVSD.
    """
    return op2(MOVSD, dst, src)


cdef inline xmm_t movlps_store(Cpu* cpu, xmm_t src) noexcept nogil:
    """Store the low half.

    NP 0F 13 /r   MOVLPS Mq, Vq   nodst SSE
    66 0F 13 /r   MOVLPD Mq, Vq   nodst SSE2

    Flags: none.
    Source: SDM Vol. 2B, MOVLPS.
    """
    return src


cdef inline xmm_t movhlps(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Move the high half to the low half.

    NP 0F 12 /r   MOVHLPS Vq, Uq   SSE

    Flags: none.
    Source: SDM Vol. 2B, MOVHLPS.
    """
    return op2(MOVHLPS, dst, src)


cdef inline xmm_t movlhps(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Move a low half, or memory, to the high half.

    NP 0F 16 /r   MOVLHPS Vq, Uq   SSE
    NP 0F 16 /r   MOVHPS Vq, Mq    SSE
    66 0F 16 /r   MOVHPD Vq, Mq    SSE2

    Flags: none.
    Source: SDM Vol. 2B, MOVLHPS.
    """
    return op2(MOVLHPS, dst, src)


cdef inline xmm_t movhps_store(Cpu* cpu, xmm_t src) noexcept nogil:
    """Store the high half.

    NP 0F 17 /r   MOVHPS Mq, Vq   nodst SSE
    66 0F 17 /r   MOVHPD Mq, Vq   nodst SSE2

    Flags: none.
    Source: SDM Vol. 2B, MOVHPS.
    """
    return op2(PUNPCKHQDQ, src, src)


cdef inline xmm_t movsldup(Cpu* cpu, xmm_t src) noexcept nogil:
    """Duplicate the even singles.

    F3 0F 12 /r   MOVSLDUP Vps, Wps   nodst SSE3

    Flags: none.
    Source: SDM Vol. 2B, MOVSLDUP.
    """
    return op1(MOVSLDUP, src)


cdef inline xmm_t movshdup(Cpu* cpu, xmm_t src) noexcept nogil:
    """Duplicate the odd singles.

    F3 0F 16 /r   MOVSHDUP Vps, Wps   nodst SSE3

    Flags: none.
    Source: SDM Vol. 2B, MOVSHDUP.
    """
    return op1(MOVSHDUP, src)


cdef inline xmm_t movddup(Cpu* cpu, xmm_t src) noexcept nogil:
    """Duplicate the low double.

    F2 0F 12 /r   MOVDDUP Vpd, Wq   nodst SSE3

    Flags: none.
    Source: SDM Vol. 2B, MOVDDUP.
    """
    return op1(MOVDDUP, src)


cdef inline xmm_t movd_from_E(Cpu* cpu, u64 src) noexcept nogil:
    """Move a general register or memory into a vector register, zero-extended.

    66 W0 0F 6E /r      MOVD Vdq, Ed   nodst SSE2
    66 REX.W 0F 6E /r   MOVQ Vdq, Eq   nodst SSE2
    NP W0 0F 6E /r      MOVD Pq, Ed    nodst MMX
    NP REX.W 0F 6E /r   MOVQ Pq, Eq    nodst MMX

    Flags: none.
    Source: SDM Vol. 2B, MOVD.
    """
    return from_q(src)


cdef inline u64 movd_to_E(Cpu* cpu, xmm_t src) noexcept nogil:
    """Move the low part of a vector register to a general register or memory.

    66 W0 0F 7E /r      MOVD Ed, Vdq   nodst SSE2
    66 REX.W 0F 7E /r   MOVQ Eq, Vdq   nodst SSE2
    NP W0 0F 7E /r      MOVD Ed, Pq    nodst MMX
    NP REX.W 0F 7E /r   MOVQ Eq, Pq    nodst MMX

    Flags: none.
    Source: SDM Vol. 2B, MOVD.
    """
    return src.q[0]


cdef inline xmm_t movq_mmx(Cpu* cpu, xmm_t src) noexcept nogil:
    """Move 64 bits from and to MMX registers.

    NP 0F 6F /r   MOVQ Pq, Qq       nodst MMX
    NP 0F 7F /r   MOVQ Qq, Pq       nodst MMX
    F3 0F D6 /r   MOVQ2DQ Vdq, Nq   nodst SSE2
    F2 0F D6 /r   MOVDQ2Q Pq, Uq    nodst SSE2

    Flags: none.
    Source: SDM Vol. 2B, MOVQ.
    """
    return low_q(src)


cdef inline u64 movmskps(Cpu* cpu, xmm_t src) noexcept nogil:
    """Collect the signs of four singles.

    NP 0F 50 /r   MOVMSKPS Gy, Ups   nodst SSE

    Flags: none.
    Source: SDM Vol. 2B, MOVMSKPS.
    """
    return to_d(MOVMSKPS, src)


cdef inline u64 movmskpd(Cpu* cpu, xmm_t src) noexcept nogil:
    """Collect the signs of two doubles.

    66 0F 50 /r   MOVMSKPD Gy, Upd   nodst SSE2

    Flags: none.
    Source: SDM Vol. 2B, MOVMSKPD.
    """
    return to_d(MOVMSKPD, src)


cdef inline u64 pmovmskb(Cpu* cpu, xmm_t src) noexcept nogil:
    """Collect the signs of bytes.

    66 0F D7 /r   PMOVMSKB Gy, Udq   nodst SSE2
    NP 0F D7 /r   PMOVMSKB Gy, Nq    nodst SSE

    Flags: none.
    Source: SDM Vol. 2B, PMOVMSKB.
    """
    return to_d(PMOVMSKB, src)


cdef inline int _store_masked(Cpu* cpu, Insn* insn, int size, const u8* data,
                              const u8* mask) noexcept nogil:
    """Store the bytes whose mask byte has its sign set at DS:rDI; all of them are checked."""
    cdef MemRef ref
    cdef u8 old[16]
    cdef int i
    if open_rw(cpu, insn.seg, trunc(cpu.regs[RDI], address_bits(insn)), size, &ref):
        return FAULT
    ref_read(cpu, &ref, size, old)
    for i in range(size):
        if mask[i] & 0x80:
            old[i] = data[i]
    ref_write(cpu, &ref, size, old)
    return NEXT


cdef inline int maskmovdqu(Cpu* cpu, Insn* insn) noexcept nogil:
    """Store selected bytes of a vector.

    66 0F F7 /r   MASKMOVDQU Vdq, Udq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, MASKMOVDQU.
    """
    cdef xmm_t data = get_xmm(cpu, insn.r)
    cdef xmm_t mask = get_xmm(cpu, insn.b)
    return _store_masked(cpu, insn, 16, data.b, mask.b)


cdef inline int maskmovq(Cpu* cpu, Insn* insn) noexcept nogil:
    """Store selected bytes of an MMX register.

    NP 0F F7 /r   MASKMOVQ Pq, Nq   SSE

    Flags: none.
    Source: SDM Vol. 2B, MASKMOVQ.
    """
    cdef xmm_t data = get_mmx_xmm(cpu, insn.r)
    cdef xmm_t mask = get_mmx_xmm(cpu, insn.b)
    enter_mmx(cpu)                                  # even if the store faults
    return _store_masked(cpu, insn, 8, data.b, mask.b)
