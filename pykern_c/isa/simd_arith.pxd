"""Integer arithmetic on packed elements, in MMX and vector registers."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.host_sse cimport *


cdef inline xmm_t paddb(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add packed bytes.

    NP 0F FC /r   PADDB Pq, Qq     MMX
    66 0F FC /r   PADDB Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PADDB.
    """
    return op2(PADDB, dst, src)


cdef inline xmm_t paddw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add packed words.

    NP 0F FD /r   PADDW Pq, Qq     MMX
    66 0F FD /r   PADDW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PADDW.
    """
    return op2(PADDW, dst, src)


cdef inline xmm_t paddd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add packed doublewords.

    NP 0F FE /r   PADDD Pq, Qq     MMX
    66 0F FE /r   PADDD Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PADDD.
    """
    return op2(PADDD, dst, src)


cdef inline xmm_t paddq(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add packed quadwords.

    NP 0F D4 /r   PADDQ Pq, Qq     SSE2
    66 0F D4 /r   PADDQ Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PADDQ.
    """
    return op2(PADDQ, dst, src)


cdef inline xmm_t psubb(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract packed bytes.

    NP 0F F8 /r   PSUBB Pq, Qq     MMX
    66 0F F8 /r   PSUBB Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSUBB.
    """
    return op2(PSUBB, dst, src)


cdef inline xmm_t psubw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract packed words.

    NP 0F F9 /r   PSUBW Pq, Qq     MMX
    66 0F F9 /r   PSUBW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSUBW.
    """
    return op2(PSUBW, dst, src)


cdef inline xmm_t psubd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract packed doublewords.

    NP 0F FA /r   PSUBD Pq, Qq     MMX
    66 0F FA /r   PSUBD Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSUBD.
    """
    return op2(PSUBD, dst, src)


cdef inline xmm_t psubq(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract packed quadwords.

    NP 0F FB /r   PSUBQ Pq, Qq     SSE2
    66 0F FB /r   PSUBQ Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSUBQ.
    """
    return op2(PSUBQ, dst, src)


cdef inline xmm_t paddsb(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add packed signed bytes with saturation.

    NP 0F EC /r   PADDSB Pq, Qq     MMX
    66 0F EC /r   PADDSB Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PADDSB.
    """
    return op2(PADDSB, dst, src)


cdef inline xmm_t paddsw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add packed signed words with saturation.

    NP 0F ED /r   PADDSW Pq, Qq     MMX
    66 0F ED /r   PADDSW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PADDSW.
    """
    return op2(PADDSW, dst, src)


cdef inline xmm_t paddusb(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add packed unsigned bytes with saturation.

    NP 0F DC /r   PADDUSB Pq, Qq     MMX
    66 0F DC /r   PADDUSB Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PADDUSB.
    """
    return op2(PADDUSB, dst, src)


cdef inline xmm_t paddusw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add packed unsigned words with saturation.

    NP 0F DD /r   PADDUSW Pq, Qq     MMX
    66 0F DD /r   PADDUSW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PADDUSW.
    """
    return op2(PADDUSW, dst, src)


cdef inline xmm_t psubsb(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract packed signed bytes with saturation.

    NP 0F E8 /r   PSUBSB Pq, Qq     MMX
    66 0F E8 /r   PSUBSB Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSUBSB.
    """
    return op2(PSUBSB, dst, src)


cdef inline xmm_t psubsw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract packed signed words with saturation.

    NP 0F E9 /r   PSUBSW Pq, Qq     MMX
    66 0F E9 /r   PSUBSW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSUBSW.
    """
    return op2(PSUBSW, dst, src)


cdef inline xmm_t psubusb(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract packed unsigned bytes with saturation.

    NP 0F D8 /r   PSUBUSB Pq, Qq     MMX
    66 0F D8 /r   PSUBUSB Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSUBUSB.
    """
    return op2(PSUBUSB, dst, src)


cdef inline xmm_t psubusw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract packed unsigned words with saturation.

    NP 0F D9 /r   PSUBUSW Pq, Qq     MMX
    66 0F D9 /r   PSUBUSW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSUBUSW.
    """
    return op2(PSUBUSW, dst, src)


cdef inline xmm_t pmullw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Multiply packed words; keep the low halves.

    NP 0F D5 /r   PMULLW Pq, Qq     MMX
    66 0F D5 /r   PMULLW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PMULLW.
    """
    return op2(PMULLW, dst, src)


cdef inline xmm_t pmulhw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Multiply packed signed words; keep the high halves.

    NP 0F E5 /r   PMULHW Pq, Qq     MMX
    66 0F E5 /r   PMULHW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PMULHW.
    """
    return op2(PMULHW, dst, src)


cdef inline xmm_t pmulhuw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Multiply packed unsigned words; keep the high halves.

    NP 0F E4 /r   PMULHUW Pq, Qq     SSE
    66 0F E4 /r   PMULHUW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PMULHUW.
    """
    return op2(PMULHUW, dst, src)


cdef inline xmm_t pmuludq(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Multiply the even unsigned doublewords.

    NP 0F F4 /r   PMULUDQ Pq, Qq     SSE2
    66 0F F4 /r   PMULUDQ Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PMULUDQ.
    """
    return op2(PMULUDQ, dst, src)


cdef inline xmm_t pmaddwd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Multiply packed signed words and add neighbours.

    NP 0F F5 /r   PMADDWD Pq, Qq     MMX
    66 0F F5 /r   PMADDWD Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PMADDWD.
    """
    return op2(PMADDWD, dst, src)


cdef inline xmm_t psadbw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Sum the absolute differences of unsigned bytes.

    NP 0F F6 /r   PSADBW Pq, Qq     SSE
    66 0F F6 /r   PSADBW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PSADBW.
    """
    return op2(PSADBW, dst, src)


cdef inline xmm_t pavgb(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Average packed unsigned bytes, rounding up.

    NP 0F E0 /r   PAVGB Pq, Qq     SSE
    66 0F E0 /r   PAVGB Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PAVGB.
    """
    return op2(PAVGB, dst, src)


cdef inline xmm_t pavgw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Average packed unsigned words, rounding up.

    NP 0F E3 /r   PAVGW Pq, Qq     SSE
    66 0F E3 /r   PAVGW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PAVGW.
    """
    return op2(PAVGW, dst, src)


cdef inline xmm_t pminub(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the lesser unsigned bytes.

    NP 0F DA /r   PMINUB Pq, Qq     SSE
    66 0F DA /r   PMINUB Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PMINUB.
    """
    return op2(PMINUB, dst, src)


cdef inline xmm_t pmaxub(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the greater unsigned bytes.

    NP 0F DE /r   PMAXUB Pq, Qq     SSE
    66 0F DE /r   PMAXUB Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PMAXUB.
    """
    return op2(PMAXUB, dst, src)


cdef inline xmm_t pminsw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the lesser signed words.

    NP 0F EA /r   PMINSW Pq, Qq     SSE
    66 0F EA /r   PMINSW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PMINSW.
    """
    return op2(PMINSW, dst, src)


cdef inline xmm_t pmaxsw(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the greater signed words.

    NP 0F EE /r   PMAXSW Pq, Qq     SSE
    66 0F EE /r   PMAXSW Vdq, Wdq   SSE2

    Flags: none.
    Source: SDM Vol. 2B, PMAXSW.
    """
    return op2(PMAXSW, dst, src)
