"""Logic, comparison and shifts of packed integers, in MMX and vector registers."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport *
from pykern_c.host_sse cimport *


cdef inline xmm_t pand(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Bitwise AND.

    NP 0F DB /r   PAND Pq, Qq     MMX
    66 0F DB /r   PAND Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PAND.
    """
    return op2(PAND, dst, src)


cdef inline xmm_t pandn(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Bitwise AND of the source and the inverted destination.

    NP 0F DF /r   PANDN Pq, Qq     MMX
    66 0F DF /r   PANDN Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PANDN.
    """
    return op2(PANDN, dst, src)


cdef inline xmm_t por(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Bitwise OR.

    NP 0F EB /r   POR Pq, Qq     MMX
    66 0F EB /r   POR Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, POR.
    """
    return op2(POR, dst, src)


cdef inline xmm_t pxor(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Bitwise exclusive OR.

    NP 0F EF /r   PXOR Pq, Qq     MMX
    66 0F EF /r   PXOR Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PXOR.
    """
    return op2(PXOR, dst, src)


cdef inline xmm_t pcmpeqb(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Compare packed bytes for equality.

    NP 0F 74 /r   PCMPEQB Pq, Qq     MMX
    66 0F 74 /r   PCMPEQB Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PCMPEQB.
    """
    return op2(PCMPEQB, dst, src)


cdef inline xmm_t pcmpeqw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Compare packed words for equality.

    NP 0F 75 /r   PCMPEQW Pq, Qq     MMX
    66 0F 75 /r   PCMPEQW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PCMPEQW.
    """
    return op2(PCMPEQW, dst, src)


cdef inline xmm_t pcmpeqd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Compare packed doublewords for equality.

    NP 0F 76 /r   PCMPEQD Pq, Qq     MMX
    66 0F 76 /r   PCMPEQD Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PCMPEQD.
    """
    return op2(PCMPEQD, dst, src)


cdef inline xmm_t pcmpgtb(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Compare packed signed bytes for greater.

    NP 0F 64 /r   PCMPGTB Pq, Qq     MMX
    66 0F 64 /r   PCMPGTB Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PCMPGTB.
    """
    return op2(PCMPGTB, dst, src)


cdef inline xmm_t pcmpgtw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Compare packed signed words for greater.

    NP 0F 65 /r   PCMPGTW Pq, Qq     MMX
    66 0F 65 /r   PCMPGTW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PCMPGTW.
    """
    return op2(PCMPGTW, dst, src)


cdef inline xmm_t pcmpgtd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Compare packed signed doublewords for greater.

    NP 0F 66 /r   PCMPGTD Pq, Qq     MMX
    66 0F 66 /r   PCMPGTD Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PCMPGTD.
    """
    return op2(PCMPGTD, dst, src)


cdef inline xmm_t pcmpeqq(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Compare packed quadwords for equality.

    66 0F 38 29 /r   PCMPEQQ Vdq, Wdq   SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PCMPEQQ.
    """
    return op2(PCMPEQQ, dst, src)


cdef inline xmm_t pcmpgtq(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Compare packed signed quadwords for greater.

    66 0F 38 37 /r   PCMPGTQ Vdq, Wdq   SSE4_2

    Flags: none.
    Source: SDM Vol. 2B, PCMPGTQ.
    """
    return op2(PCMPGTQ, dst, src)


cdef inline u64 ptest(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Set ZF if no bit of the source is in the destination, CF if all are.

    66 0F 38 17 /r   PTEST Vdq, Wdq   nowrite SSE4_1

    Flags: ZC; O, S, A and P are cleared.
    Source: SDM Vol. 2B, PTEST.
    """
    cdef u64 common = (dst.q[0] & src.q[0]) | (dst.q[1] & src.q[1])
    cdef u64 missing = (~dst.q[0] & src.q[0]) | (~dst.q[1] & src.q[1])
    set_arith_flags(cpu, (FLAG_ZF if common == 0 else 0) | (FLAG_CF if missing == 0 else 0))
    return 0


cdef inline xmm_t psrlw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Shift right: words.

    NP 0F D1 /r   PSRLW Pq, Qq     MMX
    66 0F D1 /r   PSRLW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSRLW.
    """
    return op2(PSRLW, dst, src)


cdef inline xmm_t psrlw_imm(Cpu* cpu, xmm_t dst, int imm) noexcept nogil:
    """Shift right: words, by an immediate.

    NP 0F 71 /2 ib   PSRLW Nq, Ib    MMX
    66 0F 71 /2 ib   PSRLW Udq, Ib   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSRLW.
    """
    return op2(PSRLW, dst, from_q(imm))


cdef inline xmm_t psrld(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Shift right: doublewords.

    NP 0F D2 /r   PSRLD Pq, Qq     MMX
    66 0F D2 /r   PSRLD Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSRLD.
    """
    return op2(PSRLD, dst, src)


cdef inline xmm_t psrld_imm(Cpu* cpu, xmm_t dst, int imm) noexcept nogil:
    """Shift right: doublewords, by an immediate.

    NP 0F 72 /2 ib   PSRLD Nq, Ib    MMX
    66 0F 72 /2 ib   PSRLD Udq, Ib   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSRLD.
    """
    return op2(PSRLD, dst, from_q(imm))


cdef inline xmm_t psrlq(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Shift right: quadwords.

    NP 0F D3 /r   PSRLQ Pq, Qq     MMX
    66 0F D3 /r   PSRLQ Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSRLQ.
    """
    return op2(PSRLQ, dst, src)


cdef inline xmm_t psrlq_imm(Cpu* cpu, xmm_t dst, int imm) noexcept nogil:
    """Shift right: quadwords, by an immediate.

    NP 0F 73 /2 ib   PSRLQ Nq, Ib    MMX
    66 0F 73 /2 ib   PSRLQ Udq, Ib   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSRLQ.
    """
    return op2(PSRLQ, dst, from_q(imm))


cdef inline xmm_t psraw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Shift right, keeping signs: words.

    NP 0F E1 /r   PSRAW Pq, Qq     MMX
    66 0F E1 /r   PSRAW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSRAW.
    """
    return op2(PSRAW, dst, src)


cdef inline xmm_t psraw_imm(Cpu* cpu, xmm_t dst, int imm) noexcept nogil:
    """Shift right, keeping signs: words, by an immediate.

    NP 0F 71 /4 ib   PSRAW Nq, Ib    MMX
    66 0F 71 /4 ib   PSRAW Udq, Ib   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSRAW.
    """
    return op2(PSRAW, dst, from_q(imm))


cdef inline xmm_t psrad(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Shift right, keeping signs: doublewords.

    NP 0F E2 /r   PSRAD Pq, Qq     MMX
    66 0F E2 /r   PSRAD Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSRAD.
    """
    return op2(PSRAD, dst, src)


cdef inline xmm_t psrad_imm(Cpu* cpu, xmm_t dst, int imm) noexcept nogil:
    """Shift right, keeping signs: doublewords, by an immediate.

    NP 0F 72 /4 ib   PSRAD Nq, Ib    MMX
    66 0F 72 /4 ib   PSRAD Udq, Ib   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSRAD.
    """
    return op2(PSRAD, dst, from_q(imm))


cdef inline xmm_t psllw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Shift left: words.

    NP 0F F1 /r   PSLLW Pq, Qq     MMX
    66 0F F1 /r   PSLLW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSLLW.
    """
    return op2(PSLLW, dst, src)


cdef inline xmm_t psllw_imm(Cpu* cpu, xmm_t dst, int imm) noexcept nogil:
    """Shift left: words, by an immediate.

    NP 0F 71 /6 ib   PSLLW Nq, Ib    MMX
    66 0F 71 /6 ib   PSLLW Udq, Ib   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSLLW.
    """
    return op2(PSLLW, dst, from_q(imm))


cdef inline xmm_t pslld(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Shift left: doublewords.

    NP 0F F2 /r   PSLLD Pq, Qq     MMX
    66 0F F2 /r   PSLLD Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSLLD.
    """
    return op2(PSLLD, dst, src)


cdef inline xmm_t pslld_imm(Cpu* cpu, xmm_t dst, int imm) noexcept nogil:
    """Shift left: doublewords, by an immediate.

    NP 0F 72 /6 ib   PSLLD Nq, Ib    MMX
    66 0F 72 /6 ib   PSLLD Udq, Ib   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSLLD.
    """
    return op2(PSLLD, dst, from_q(imm))


cdef inline xmm_t psllq(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Shift left: quadwords.

    NP 0F F3 /r   PSLLQ Pq, Qq     MMX
    66 0F F3 /r   PSLLQ Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSLLQ.
    """
    return op2(PSLLQ, dst, src)


cdef inline xmm_t psllq_imm(Cpu* cpu, xmm_t dst, int imm) noexcept nogil:
    """Shift left: quadwords, by an immediate.

    NP 0F 73 /6 ib   PSLLQ Nq, Ib    MMX
    66 0F 73 /6 ib   PSLLQ Udq, Ib   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSLLQ.
    """
    return op2(PSLLQ, dst, from_q(imm))


cdef inline xmm_t psrldq(Cpu* cpu, xmm_t dst, int imm) noexcept nogil:
    """Shift a vector right by bytes.

    66 0F 73 /3 ib   PSRLDQ Udq, Ib   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSRLDQ.
    """
    return window(dst, from_q(0), imm if imm < 16 else 16)


cdef inline xmm_t pslldq(Cpu* cpu, xmm_t dst, int imm) noexcept nogil:
    """Shift a vector left by bytes.

    66 0F 73 /7 ib   PSLLDQ Udq, Ib   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSLLDQ.
    """
    return window(from_q(0), dst, 16 - imm if imm < 16 else 0)


cdef inline xmm_t palignr(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Take a vector out of two, at a byte.

    66 0F 3A 0F /r ib   PALIGNR Vdq, Wdq, Ib   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PALIGNR.
    """
    if imm >= 16:
        return window(dst, from_q(0), imm - 16 if imm < 32 else 16)
    return window(src, dst, imm)


cdef inline xmm_t palignr_mmx(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Take 64 bits out of two MMX registers, at a byte.

    NP 0F 3A 0F /r ib   PALIGNR Pq, Qq, Ib   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PALIGNR.
    """
    return low_q(window(join(src, dst), from_q(0), imm if imm < 16 else 16))
