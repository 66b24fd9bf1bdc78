"""Integer arithmetic of SSSE3 and SSE4, in MMX and vector registers."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.host_sse cimport *


cdef inline xmm_t phaddw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add neighbouring words.

    66 0F 38 01 /r   PHADDW Vdq, Wdq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PHADDW.
    """
    return op2(PHADDW, dst, src)


cdef inline xmm_t phaddw_mmx(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add neighbouring words.

    NP 0F 38 01 /r   PHADDW Pq, Qq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PHADDW.
    """
    cdef xmm_t both = join(dst, src)
    return op2(PHADDW, both, both)


cdef inline xmm_t phaddd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add neighbouring doublewords.

    66 0F 38 02 /r   PHADDD Vdq, Wdq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PHADDD.
    """
    return op2(PHADDD, dst, src)


cdef inline xmm_t phaddd_mmx(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add neighbouring doublewords.

    NP 0F 38 02 /r   PHADDD Pq, Qq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PHADDD.
    """
    cdef xmm_t both = join(dst, src)
    return op2(PHADDD, both, both)


cdef inline xmm_t phaddsw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add neighbouring words with saturation.

    66 0F 38 03 /r   PHADDSW Vdq, Wdq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PHADDSW.
    """
    return op2(PHADDSW, dst, src)


cdef inline xmm_t phaddsw_mmx(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add neighbouring words with saturation.

    NP 0F 38 03 /r   PHADDSW Pq, Qq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PHADDSW.
    """
    cdef xmm_t both = join(dst, src)
    return op2(PHADDSW, both, both)


cdef inline xmm_t phsubw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract neighbouring words.

    66 0F 38 05 /r   PHSUBW Vdq, Wdq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PHSUBW.
    """
    return op2(PHSUBW, dst, src)


cdef inline xmm_t phsubw_mmx(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract neighbouring words.

    NP 0F 38 05 /r   PHSUBW Pq, Qq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PHSUBW.
    """
    cdef xmm_t both = join(dst, src)
    return op2(PHSUBW, both, both)


cdef inline xmm_t phsubd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract neighbouring doublewords.

    66 0F 38 06 /r   PHSUBD Vdq, Wdq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PHSUBD.
    """
    return op2(PHSUBD, dst, src)


cdef inline xmm_t phsubd_mmx(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract neighbouring doublewords.

    NP 0F 38 06 /r   PHSUBD Pq, Qq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PHSUBD.
    """
    cdef xmm_t both = join(dst, src)
    return op2(PHSUBD, both, both)


cdef inline xmm_t phsubsw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract neighbouring words with saturation.

    66 0F 38 07 /r   PHSUBSW Vdq, Wdq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PHSUBSW.
    """
    return op2(PHSUBSW, dst, src)


cdef inline xmm_t phsubsw_mmx(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract neighbouring words with saturation.

    NP 0F 38 07 /r   PHSUBSW Pq, Qq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PHSUBSW.
    """
    cdef xmm_t both = join(dst, src)
    return op2(PHSUBSW, both, both)


cdef inline xmm_t pmaddubsw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Multiply unsigned by signed bytes and add neighbours with saturation.

    NP 0F 38 04 /r   PMADDUBSW Pq, Qq     SSSE3
    66 0F 38 04 /r   PMADDUBSW Vdq, Wdq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PMADDUBSW.
    """
    return op2(PMADDUBSW, dst, src)


cdef inline xmm_t psignb(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Negate, clear or keep bytes by the signs of the source.

    NP 0F 38 08 /r   PSIGNB Pq, Qq     SSSE3
    66 0F 38 08 /r   PSIGNB Vdq, Wdq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PSIGNB.
    """
    return op2(PSIGNB, dst, src)


cdef inline xmm_t psignw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Negate, clear or keep words by the signs of the source.

    NP 0F 38 09 /r   PSIGNW Pq, Qq     SSSE3
    66 0F 38 09 /r   PSIGNW Vdq, Wdq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PSIGNW.
    """
    return op2(PSIGNW, dst, src)


cdef inline xmm_t psignd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Negate, clear or keep doublewords by the signs of the source.

    NP 0F 38 0A /r   PSIGND Pq, Qq     SSSE3
    66 0F 38 0A /r   PSIGND Vdq, Wdq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PSIGND.
    """
    return op2(PSIGND, dst, src)


cdef inline xmm_t pmulhrsw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Multiply packed signed words; keep the rounded high halves.

    NP 0F 38 0B /r   PMULHRSW Pq, Qq     SSSE3
    66 0F 38 0B /r   PMULHRSW Vdq, Wdq   SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PMULHRSW.
    """
    return op2(PMULHRSW, dst, src)


cdef inline xmm_t pabsb(Cpu* cpu, xmm_t src) noexcept nogil:
    """Take the absolute value of packed bytes.

    NP 0F 38 1C /r   PABSB Pq, Qq     nodst SSSE3
    66 0F 38 1C /r   PABSB Vdq, Wdq   nodst SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PABSB.
    """
    return op1(PABSB, src)


cdef inline xmm_t pabsw(Cpu* cpu, xmm_t src) noexcept nogil:
    """Take the absolute value of packed words.

    NP 0F 38 1D /r   PABSW Pq, Qq     nodst SSSE3
    66 0F 38 1D /r   PABSW Vdq, Wdq   nodst SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PABSW.
    """
    return op1(PABSW, src)


cdef inline xmm_t pabsd(Cpu* cpu, xmm_t src) noexcept nogil:
    """Take the absolute value of packed doublewords.

    NP 0F 38 1E /r   PABSD Pq, Qq     nodst SSSE3
    66 0F 38 1E /r   PABSD Vdq, Wdq   nodst SSSE3

    Flags: none.
    Source: SDM Vol. 2B, PABSD.
    """
    return op1(PABSD, src)


cdef inline xmm_t pmuldq(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Multiply the even signed doublewords.

    66 0F 38 28 /r   PMULDQ Vdq, Wdq   SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMULDQ.
    """
    return op2(PMULDQ, dst, src)


cdef inline xmm_t pmulld(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Multiply packed doublewords; keep the low halves.

    66 0F 38 40 /r   PMULLD Vdq, Wdq   SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMULLD.
    """
    return op2(PMULLD, dst, src)


cdef inline xmm_t pminsb(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the lesser signed bytes.

    66 0F 38 38 /r   PMINSB Vdq, Wdq   SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMINSB.
    """
    return op2(PMINSB, dst, src)


cdef inline xmm_t pminsd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the lesser signed doublewords.

    66 0F 38 39 /r   PMINSD Vdq, Wdq   SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMINSD.
    """
    return op2(PMINSD, dst, src)


cdef inline xmm_t pminuw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the lesser unsigned words.

    66 0F 38 3A /r   PMINUW Vdq, Wdq   SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMINUW.
    """
    return op2(PMINUW, dst, src)


cdef inline xmm_t pminud(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the lesser unsigned doublewords.

    66 0F 38 3B /r   PMINUD Vdq, Wdq   SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMINUD.
    """
    return op2(PMINUD, dst, src)


cdef inline xmm_t pmaxsb(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the greater signed bytes.

    66 0F 38 3C /r   PMAXSB Vdq, Wdq   SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMAXSB.
    """
    return op2(PMAXSB, dst, src)


cdef inline xmm_t pmaxsd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the greater signed doublewords.

    66 0F 38 3D /r   PMAXSD Vdq, Wdq   SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMAXSD.
    """
    return op2(PMAXSD, dst, src)


cdef inline xmm_t pmaxuw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the greater unsigned words.

    66 0F 38 3E /r   PMAXUW Vdq, Wdq   SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMAXUW.
    """
    return op2(PMAXUW, dst, src)


cdef inline xmm_t pmaxud(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the greater unsigned doublewords.

    66 0F 38 3F /r   PMAXUD Vdq, Wdq   SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMAXUD.
    """
    return op2(PMAXUD, dst, src)


cdef inline xmm_t phminposuw(Cpu* cpu, xmm_t src) noexcept nogil:
    """Find the least unsigned word and its place.

    66 0F 38 41 /r   PHMINPOSUW Vdq, Wdq   nodst SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PHMINPOSUW.
    """
    return op1(PHMINPOSUW, src)


cdef inline xmm_t mpsadbw(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Sum absolute differences of a block of four bytes at eight places.

    66 0F 3A 42 /r ib   MPSADBW Vdq, Wdq, Ib   SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, MPSADBW.
    """
    return host_mpsadbw(dst, src, imm)


cdef inline xmm_t pmovsxbw(Cpu* cpu, xmm_t src) noexcept nogil:
    """Sign-extend packed bytes to words.

    66 0F 38 20 /r   PMOVSXBW Vdq, Wq   nodst SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMOVSXBW.
    """
    return op1(PMOVSXBW, src)


cdef inline xmm_t pmovsxbd(Cpu* cpu, xmm_t src) noexcept nogil:
    """Sign-extend packed bytes to doublewords.

    66 0F 38 21 /r   PMOVSXBD Vdq, Wd   nodst SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMOVSXBD.
    """
    return op1(PMOVSXBD, src)


cdef inline xmm_t pmovsxbq(Cpu* cpu, xmm_t src) noexcept nogil:
    """Sign-extend packed bytes to quadwords.

    66 0F 38 22 /r   PMOVSXBQ Vdq, Ww   nodst SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMOVSXBQ.
    """
    return op1(PMOVSXBQ, src)


cdef inline xmm_t pmovsxwd(Cpu* cpu, xmm_t src) noexcept nogil:
    """Sign-extend packed words to doublewords.

    66 0F 38 23 /r   PMOVSXWD Vdq, Wq   nodst SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMOVSXWD.
    """
    return op1(PMOVSXWD, src)


cdef inline xmm_t pmovsxwq(Cpu* cpu, xmm_t src) noexcept nogil:
    """Sign-extend packed words to quadwords.

    66 0F 38 24 /r   PMOVSXWQ Vdq, Wd   nodst SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMOVSXWQ.
    """
    return op1(PMOVSXWQ, src)


cdef inline xmm_t pmovsxdq(Cpu* cpu, xmm_t src) noexcept nogil:
    """Sign-extend packed doublewords to quadwords.

    66 0F 38 25 /r   PMOVSXDQ Vdq, Wq   nodst SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMOVSXDQ.
    """
    return op1(PMOVSXDQ, src)


cdef inline xmm_t pmovzxbw(Cpu* cpu, xmm_t src) noexcept nogil:
    """Zero-extend packed bytes to words.

    66 0F 38 30 /r   PMOVZXBW Vdq, Wq   nodst SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMOVZXBW.
    """
    return op1(PMOVZXBW, src)


cdef inline xmm_t pmovzxbd(Cpu* cpu, xmm_t src) noexcept nogil:
    """Zero-extend packed bytes to doublewords.

    66 0F 38 31 /r   PMOVZXBD Vdq, Wd   nodst SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMOVZXBD.
    """
    return op1(PMOVZXBD, src)


cdef inline xmm_t pmovzxbq(Cpu* cpu, xmm_t src) noexcept nogil:
    """Zero-extend packed bytes to quadwords.

    66 0F 38 32 /r   PMOVZXBQ Vdq, Ww   nodst SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMOVZXBQ.
    """
    return op1(PMOVZXBQ, src)


cdef inline xmm_t pmovzxwd(Cpu* cpu, xmm_t src) noexcept nogil:
    """Zero-extend packed words to doublewords.

    66 0F 38 33 /r   PMOVZXWD Vdq, Wq   nodst SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMOVZXWD.
    """
    return op1(PMOVZXWD, src)


cdef inline xmm_t pmovzxwq(Cpu* cpu, xmm_t src) noexcept nogil:
    """Zero-extend packed words to quadwords.

    66 0F 38 34 /r   PMOVZXWQ Vdq, Wd   nodst SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMOVZXWQ.
    """
    return op1(PMOVZXWQ, src)


cdef inline xmm_t pmovzxdq(Cpu* cpu, xmm_t src) noexcept nogil:
    """Zero-extend packed doublewords to quadwords.

    66 0F 38 35 /r   PMOVZXDQ Vdq, Wq   nodst SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PMOVZXDQ.
    """
    return op1(PMOVZXDQ, src)
