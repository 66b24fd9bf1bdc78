"""Packing, unpacking and shuffling of packed integers, in MMX and vector registers."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.host_sse cimport *


cdef inline xmm_t packsswb(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Narrow signed words to signed bytes with saturation.

    66 0F 63 /r   PACKSSWB Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PACKSSWB.
    """
    return op2(PACKSSWB, dst, src)


cdef inline xmm_t packsswb_mmx(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Narrow signed words to signed bytes with saturation.

    NP 0F 63 /r   PACKSSWB Pq, Qq   MMX

    Flags: none.
    Source: SDM Vol. 2B, PACKSSWB.
    """
    cdef xmm_t both = join(dst, src)
    return op2(PACKSSWB, both, both)


cdef inline xmm_t packuswb(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Narrow signed words to unsigned bytes with saturation.

    66 0F 67 /r   PACKUSWB Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PACKUSWB.
    """
    return op2(PACKUSWB, dst, src)


cdef inline xmm_t packuswb_mmx(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Narrow signed words to unsigned bytes with saturation.

    NP 0F 67 /r   PACKUSWB Pq, Qq   MMX

    Flags: none.
    Source: SDM Vol. 2B, PACKUSWB.
    """
    cdef xmm_t both = join(dst, src)
    return op2(PACKUSWB, both, both)


cdef inline xmm_t packssdw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Narrow signed doublewords to signed words with saturation.

    66 0F 6B /r   PACKSSDW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PACKSSDW.
    """
    return op2(PACKSSDW, dst, src)


cdef inline xmm_t packssdw_mmx(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Narrow signed doublewords to signed words with saturation.

    NP 0F 6B /r   PACKSSDW Pq, Qq   MMX

    Flags: none.
    Source: SDM Vol. 2B, PACKSSDW.
    """
    cdef xmm_t both = join(dst, src)
    return op2(PACKSSDW, both, both)


cdef inline xmm_t packusdw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Narrow signed doublewords to unsigned words with saturation.

    66 0F 38 2B /r   PACKUSDW Vdq, Wdq   SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PACKUSDW.
    """
    return op2(PACKUSDW, dst, src)


cdef inline xmm_t punpcklbw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Interleave the low bytes.

    NP 0F 60 /r   PUNPCKLBW Pq, Qd     MMX
    66 0F 60 /r   PUNPCKLBW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PUNPCKLBW.
    """
    return op2(PUNPCKLBW, dst, src)


cdef inline xmm_t punpcklwd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Interleave the low words.

    NP 0F 61 /r   PUNPCKLWD Pq, Qd     MMX
    66 0F 61 /r   PUNPCKLWD Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PUNPCKLWD.
    """
    return op2(PUNPCKLWD, dst, src)


cdef inline xmm_t punpckldq(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Interleave the low doublewords.

    NP 0F 62 /r   PUNPCKLDQ Pq, Qd     MMX
    66 0F 62 /r   PUNPCKLDQ Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PUNPCKLDQ.
    """
    return op2(PUNPCKLDQ, dst, src)


cdef inline xmm_t punpcklqdq(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Interleave the low quadwords.

    66 0F 6C /r   PUNPCKLQDQ Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PUNPCKLQDQ.
    """
    return op2(PUNPCKLQDQ, dst, src)


cdef inline xmm_t punpckhbw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Interleave the high bytes.

    66 0F 68 /r   PUNPCKHBW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PUNPCKHBW.
    """
    return op2(PUNPCKHBW, dst, src)


cdef inline xmm_t punpckhbw_mmx(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Interleave the high bytes.

    NP 0F 68 /r   PUNPCKHBW Pq, Qq   MMX

    Flags: none.
    Source: SDM Vol. 2B, PUNPCKHBW.
    """
    return high_q(op2(PUNPCKLBW, dst, src))


cdef inline xmm_t punpckhwd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Interleave the high words.

    66 0F 69 /r   PUNPCKHWD Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PUNPCKHWD.
    """
    return op2(PUNPCKHWD, dst, src)


cdef inline xmm_t punpckhwd_mmx(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Interleave the high words.

    NP 0F 69 /r   PUNPCKHWD Pq, Qq   MMX

    Flags: none.
    Source: SDM Vol. 2B, PUNPCKHWD.
    """
    return high_q(op2(PUNPCKLWD, dst, src))


cdef inline xmm_t punpckhdq(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Interleave the high doublewords.

    66 0F 6A /r   PUNPCKHDQ Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PUNPCKHDQ.
    """
    return op2(PUNPCKHDQ, dst, src)


cdef inline xmm_t punpckhdq_mmx(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Interleave the high doublewords.

    NP 0F 6A /r   PUNPCKHDQ Pq, Qq   MMX

    Flags: none.
    Source: SDM Vol. 2B, PUNPCKHDQ.
    """
    return high_q(op2(PUNPCKLDQ, dst, src))


cdef inline xmm_t punpckhqdq(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Interleave the high quadwords.

    66 0F 6D /r   PUNPCKHQDQ Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PUNPCKHQDQ.
    """
    return op2(PUNPCKHQDQ, dst, src)


cdef inline xmm_t pshufb(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take bytes by their numbers, or zero where the sign is set.

    66 0F 38 00 /r   PSHUFB Vdq, Wdq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PSHUFB.
    """
    return op2(PSHUFB, dst, src)


cdef inline xmm_t pshufb_mmx(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take bytes by their numbers, or zero where the sign is set.

    NP 0F 38 00 /r   PSHUFB Pq, Qq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PSHUFB.
    """
    return op2(PSHUFB, join(dst, dst), src)


cdef inline xmm_t pshufd(Cpu* cpu, xmm_t src, int imm) noexcept nogil:
    """Take four doublewords.

    66 0F 70 /r ib   PSHUFD Vdq, Wdq, Ib   nodst SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSHUFD.
    """
    return from_d(src.d[imm & 3], src.d[imm >> 2 & 3], src.d[imm >> 4 & 3], src.d[imm >> 6 & 3])


cdef inline u64 _shuffle_words(const u16* words, int imm) noexcept nogil:
    """Take four words of four."""
    return (<u64>words[imm & 3] | <u64>words[imm >> 2 & 3] << 16
            | <u64>words[imm >> 4 & 3] << 32 | <u64>words[imm >> 6 & 3] << 48)


cdef inline xmm_t pshuflw(Cpu* cpu, xmm_t src, int imm) noexcept nogil:
    """Shuffle the low words.

    F2 0F 70 /r ib   PSHUFLW Vdq, Wdq, Ib   nodst SSE2
    NP 0F 70 /r ib   PSHUFW Pq, Qq, Ib      nodst SSE

    Flags: none.
    Source: SDM Vol. 2B, PSHUFLW.
    """
    return from_qq(_shuffle_words(src.w, imm), src.q[1])


cdef inline xmm_t pshufhw(Cpu* cpu, xmm_t src, int imm) noexcept nogil:
    """Shuffle the high words.

    F3 0F 70 /r ib   PSHUFHW Vdq, Wdq, Ib   nodst SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSHUFHW.
    """
    return from_qq(src.q[0], _shuffle_words(&src.w[4], imm))


cdef inline u64 pextrb(Cpu* cpu, xmm_t src, int imm) noexcept nogil:
    """Extract a byte.

    66 0F 3A 14 /r ib   PEXTRB Rd, Vdq, Ib   nodst SSE4_1
    66 0F 3A 14 /r ib   PEXTRB Mb, Vdq, Ib   nodst SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PEXTRB.
    """
    return src.b[imm & 15]


cdef inline u64 pextrw(Cpu* cpu, xmm_t src, int imm) noexcept nogil:
    """Extract a word.

    66 0F 3A 15 /r ib   PEXTRW Rd, Vdq, Ib   nodst SSE4_1
    66 0F 3A 15 /r ib   PEXTRW Mw, Vdq, Ib   nodst SSE4_1
    66 0F C5 /r ib      PEXTRW Gy, Udq, Ib   nodst SSE2

    Flags: none.
    Source: SDM Vol. 2B, PEXTRW.
    """
    return src.w[imm & 7]


cdef inline u64 pextrw_mmx(Cpu* cpu, xmm_t src, int imm) noexcept nogil:
    """Extract a word of an MMX register.

    NP 0F C5 /r ib   PEXTRW Gy, Nq, Ib   nodst SSE

    Flags: none.
    Source: SDM Vol. 2B, PEXTRW.
    """
    return src.w[imm & 3]


cdef inline u64 pextrd(Cpu* cpu, xmm_t src, int imm) noexcept nogil:
    """Extract a doubleword.

    66 W0 0F 3A 16 /r ib   PEXTRD Ed, Vdq, Ib   nodst SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PEXTRD.
    """
    return src.d[imm & 3]


cdef inline u64 pextrq(Cpu* cpu, xmm_t src, int imm) noexcept nogil:
    """Extract a quadword.

    66 REX.W 0F 3A 16 /r ib   PEXTRQ Eq, Vdq, Ib   nodst SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PEXTRQ.
    """
    return src.q[imm & 1]


cdef inline xmm_t pinsrb(Cpu* cpu, xmm_t dst, u64 src, int imm) noexcept nogil:
    """Insert a byte.

    66 0F 3A 20 /r ib   PINSRB Vdq, Rd, Ib   SSE4_1
    66 0F 3A 20 /r ib   PINSRB Vdq, Mb, Ib   SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PINSRB.
    """
    dst.b[imm & 15] = <u8>src
    return dst


cdef inline xmm_t pinsrw(Cpu* cpu, xmm_t dst, u64 src, int imm) noexcept nogil:
    """Insert a word.

    66 0F C4 /r ib   PINSRW Vdq, Rd, Ib   SSE2
    66 0F C4 /r ib   PINSRW Vdq, Mw, Ib   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PINSRW.
    """
    dst.w[imm & 7] = <u16>src
    return dst


cdef inline xmm_t pinsrw_mmx(Cpu* cpu, xmm_t dst, u64 src, int imm) noexcept nogil:
    """Insert a word into an MMX register.

    NP 0F C4 /r ib   PINSRW Pq, Rd, Ib   SSE
    NP 0F C4 /r ib   PINSRW Pq, Mw, Ib   SSE

    Flags: none.
    Source: SDM Vol. 2B, PINSRW.
    """
    dst.w[imm & 3] = <u16>src
    return dst


cdef inline xmm_t pinsrd(Cpu* cpu, xmm_t dst, u64 src, int imm) noexcept nogil:
    """Insert a doubleword.

    66 W0 0F 3A 22 /r ib   PINSRD Vdq, Ed, Ib   SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PINSRD.
    """
    dst.d[imm & 3] = <u32>src
    return dst


cdef inline xmm_t pinsrq(Cpu* cpu, xmm_t dst, u64 src, int imm) noexcept nogil:
    """Insert a quadword.

    66 REX.W 0F 3A 22 /r ib   PINSRQ Vdq, Eq, Ib   SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PINSRQ.
    """
    dst.q[imm & 1] = src
    return dst
