"""Floating-point arithmetic on singles and doubles: SSE, SSE2, SSE3, SSE4.1."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.host_sse cimport *


cdef inline xmm_t addps(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add packed singles.

    NP 0F 58 /r   ADDPS Vps, Wps   fp tiny=add SSE

    Flags: none.
    Source: SDM Vol. 2A, ADDPS.
    """
    return op2(ADDPS, dst, src)


cdef inline xmm_t addpd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add packed doubles.

    66 0F 58 /r   ADDPD Vpd, Wpd   fp tiny=add SSE2

    Flags: none.
    Source: SDM Vol. 2A, ADDPD.
    """
    return op2(ADDPD, dst, src)


cdef inline xmm_t addss(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add the lowest singles.

    F3 0F 58 /r   ADDSS Vss, Wss   fp tiny=add SSE

    Flags: none.
    Source: SDM Vol. 2A, ADDSS.
    """
    return op2(ADDSS, dst, src)


cdef inline xmm_t addsd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add the low doubles.

    F2 0F 58 /r   ADDSD Vsd, Wsd   fp tiny=add SSE2

    Flags: none.
    Source: SDM Vol. 2A, ADDSD.
    """
    return op2(ADDSD, dst, src)


cdef inline xmm_t mulps(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Multiply packed singles.

    NP 0F 59 /r   MULPS Vps, Wps   fp tiny=mul SSE

    Flags: none.
    Source: SDM Vol. 2B, MULPS.
    """
    return op2(MULPS, dst, src)


cdef inline xmm_t mulpd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Multiply packed doubles.

    66 0F 59 /r   MULPD Vpd, Wpd   fp tiny=mul SSE2

    Flags: none.
    Source: SDM Vol. 2B, MULPD.
    """
    return op2(MULPD, dst, src)


cdef inline xmm_t mulss(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Multiply the lowest singles.

    F3 0F 59 /r   MULSS Vss, Wss   fp tiny=mul SSE

    Flags: none.
    Source: SDM Vol. 2B, MULSS.
    """
    return op2(MULSS, dst, src)


cdef inline xmm_t mulsd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Multiply the low doubles.

    F2 0F 59 /r   MULSD Vsd, Wsd   fp tiny=mul SSE2

    Flags: none.
    Source: SDM Vol. 2B, MULSD.
    """
    return op2(MULSD, dst, src)


cdef inline xmm_t subps(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract packed singles.

    NP 0F 5C /r   SUBPS Vps, Wps   fp tiny=sub SSE

    Flags: none.
    Source: SDM Vol. 2B, SUBPS.
    """
    return op2(SUBPS, dst, src)


cdef inline xmm_t subpd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract packed doubles.

    66 0F 5C /r   SUBPD Vpd, Wpd   fp tiny=sub SSE2

    Flags: none.
    Source: SDM Vol. 2B, SUBPD.
    """
    return op2(SUBPD, dst, src)


cdef inline xmm_t subss(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract the lowest singles.

    F3 0F 5C /r   SUBSS Vss, Wss   fp tiny=sub SSE

    Flags: none.
    Source: SDM Vol. 2B, SUBSS.
    """
    return op2(SUBSS, dst, src)


cdef inline xmm_t subsd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract the low doubles.

    F2 0F 5C /r   SUBSD Vsd, Wsd   fp tiny=sub SSE2

    Flags: none.
    Source: SDM Vol. 2B, SUBSD.
    """
    return op2(SUBSD, dst, src)


cdef inline xmm_t divps(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Divide packed singles.

    NP 0F 5E /r   DIVPS Vps, Wps   fp tiny=div SSE

    Flags: none.
    Source: SDM Vol. 2A, DIVPS.
    """
    return op2(DIVPS, dst, src)


cdef inline xmm_t divpd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Divide packed doubles.

    66 0F 5E /r   DIVPD Vpd, Wpd   fp tiny=div SSE2

    Flags: none.
    Source: SDM Vol. 2A, DIVPD.
    """
    return op2(DIVPD, dst, src)


cdef inline xmm_t divss(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Divide the lowest singles.

    F3 0F 5E /r   DIVSS Vss, Wss   fp tiny=div SSE

    Flags: none.
    Source: SDM Vol. 2A, DIVSS.
    """
    return op2(DIVSS, dst, src)


cdef inline xmm_t divsd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Divide the low doubles.

    F2 0F 5E /r   DIVSD Vsd, Wsd   fp tiny=div SSE2

    Flags: none.
    Source: SDM Vol. 2A, DIVSD.
    """
    return op2(DIVSD, dst, src)


cdef inline xmm_t minps(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the lesser of packed singles; the source if they are both zero or one is a NaN.

    NP 0F 5D /r   MINPS Vps, Wps   fp SSE

    Flags: none.
    Source: SDM Vol. 2B, MINPS.
    """
    return op2(MINPS, dst, src)


cdef inline xmm_t minpd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the lesser of packed doubles; the source if they are both zero or one is a NaN.

    66 0F 5D /r   MINPD Vpd, Wpd   fp SSE2

    Flags: none.
    Source: SDM Vol. 2B, MINPD.
    """
    return op2(MINPD, dst, src)


cdef inline xmm_t minss(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the lesser of the lowest singles; the source if they are both zero or one is a NaN.

    F3 0F 5D /r   MINSS Vss, Wss   fp SSE

    Flags: none.
    Source: SDM Vol. 2B, MINSS.
    """
    return op2(MINSS, dst, src)


cdef inline xmm_t minsd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the lesser of the low doubles; the source if they are both zero or one is a NaN.

    F2 0F 5D /r   MINSD Vsd, Wsd   fp SSE2

    Flags: none.
    Source: SDM Vol. 2B, MINSD.
    """
    return op2(MINSD, dst, src)


cdef inline xmm_t maxps(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the greater of packed singles; the source if they are both zero or one is a NaN.

    NP 0F 5F /r   MAXPS Vps, Wps   fp SSE

    Flags: none.
    Source: SDM Vol. 2B, MAXPS.
    """
    return op2(MAXPS, dst, src)


cdef inline xmm_t maxpd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the greater of packed doubles; the source if they are both zero or one is a NaN.

    66 0F 5F /r   MAXPD Vpd, Wpd   fp SSE2

    Flags: none.
    Source: SDM Vol. 2B, MAXPD.
    """
    return op2(MAXPD, dst, src)


cdef inline xmm_t maxss(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the greater of the lowest singles; the source if they are both zero or one is a NaN.

    F3 0F 5F /r   MAXSS Vss, Wss   fp SSE

    Flags: none.
    Source: SDM Vol. 2B, MAXSS.
    """
    return op2(MAXSS, dst, src)


cdef inline xmm_t maxsd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the greater of the low doubles; the source if they are both zero or one is a NaN.

    F2 0F 5F /r   MAXSD Vsd, Wsd   fp SSE2

    Flags: none.
    Source: SDM Vol. 2B, MAXSD.
    """
    return op2(MAXSD, dst, src)


cdef inline xmm_t sqrtps(Cpu* cpu, xmm_t src) noexcept nogil:
    """Take the square root of packed singles.

    NP 0F 51 /r   SQRTPS Vps, Wps   nodst fp SSE

    Flags: none.
    Source: SDM Vol. 2B, SQRTPS.
    """
    return op1(SQRTPS, src)


cdef inline xmm_t sqrtpd(Cpu* cpu, xmm_t src) noexcept nogil:
    """Take the square root of packed doubles.

    66 0F 51 /r   SQRTPD Vpd, Wpd   nodst fp SSE2

    Flags: none.
    Source: SDM Vol. 2B, SQRTPD.
    """
    return op1(SQRTPD, src)


cdef inline xmm_t sqrtss(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the square root of the lowest single.

    F3 0F 51 /r   SQRTSS Vss, Wss   fp SSE

    Flags: none.
    Source: SDM Vol. 2B, SQRTSS.
    """
    return op2(SQRTSS, dst, src)


cdef inline xmm_t sqrtsd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Take the square root of the low double.

    F2 0F 51 /r   SQRTSD Vsd, Wsd   fp SSE2

    Flags: none.
    Source: SDM Vol. 2B, SQRTSD.
    """
    return op2(SQRTSD, dst, src)


cdef inline xmm_t rsqrtps(Cpu* cpu, xmm_t src) noexcept nogil:
    """Approximate the reciprocal of the square root of packed singles, as the host does.

    NP 0F 52 /r   RSQRTPS Vps, Wps   nodst SSE

    Flags: none.
    Source: SDM Vol. 2B, RSQRTPS.
    """
    return op1(RSQRTPS, src)


cdef inline xmm_t rsqrtss(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Approximate the reciprocal of the square root of the lowest single, as the host does.

    F3 0F 52 /r   RSQRTSS Vss, Wss   SSE

    Flags: none.
    Source: SDM Vol. 2B, RSQRTSS.
    """
    return op2(RSQRTSS, dst, src)


cdef inline xmm_t rcpps(Cpu* cpu, xmm_t src) noexcept nogil:
    """Approximate the reciprocal of packed singles, as the host does.

    NP 0F 53 /r   RCPPS Vps, Wps   nodst SSE

    Flags: none.
    Source: SDM Vol. 2B, RCPPS.
    """
    return op1(RCPPS, src)


cdef inline xmm_t rcpss(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Approximate the reciprocal of the lowest single, as the host does.

    F3 0F 53 /r   RCPSS Vss, Wss   SSE

    Flags: none.
    Source: SDM Vol. 2B, RCPSS.
    """
    return op2(RCPSS, dst, src)


cdef inline xmm_t haddps(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add neighbours: packed singles.

    F2 0F 7C /r   HADDPS Vps, Wps   fp tiny=hadd SSE3

    Flags: none.
    Source: SDM Vol. 2A, HADDPS.
    """
    return op2(HADDPS, dst, src)


cdef inline xmm_t haddpd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Add neighbours: packed doubles.

    66 0F 7C /r   HADDPD Vpd, Wpd   fp tiny=hadd SSE3

    Flags: none.
    Source: SDM Vol. 2A, HADDPD.
    """
    return op2(HADDPD, dst, src)


cdef inline xmm_t hsubps(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract neighbours: packed singles.

    F2 0F 7D /r   HSUBPS Vps, Wps   fp tiny=hsub SSE3

    Flags: none.
    Source: SDM Vol. 2A, HSUBPS.
    """
    return op2(HSUBPS, dst, src)


cdef inline xmm_t hsubpd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract neighbours: packed doubles.

    66 0F 7D /r   HSUBPD Vpd, Wpd   fp tiny=hsub SSE3

    Flags: none.
    Source: SDM Vol. 2A, HSUBPD.
    """
    return op2(HSUBPD, dst, src)


cdef inline xmm_t addsubps(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract the even and add the odd packed singles.

    F2 0F D0 /r   ADDSUBPS Vps, Wps   fp tiny=addsub SSE3

    Flags: none.
    Source: SDM Vol. 2A, ADDSUBPS.
    """
    return op2(ADDSUBPS, dst, src)


cdef inline xmm_t addsubpd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Subtract the even and add the odd packed doubles.

    66 0F D0 /r   ADDSUBPD Vpd, Wpd   fp tiny=addsub SSE3

    Flags: none.
    Source: SDM Vol. 2A, ADDSUBPD.
    """
    return op2(ADDSUBPD, dst, src)


cdef inline xmm_t dpps(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Dot product of singles; the immediate says which factors and which results.

    66 0F 3A 40 /r ib   DPPS Vps, Wps, Ib   fp tiny=dot SSE4_1

    Flags: none.
    Source: SDM Vol. 2A, DPPS.
    """
    return host_dpps(dst, src, imm)


cdef inline xmm_t dppd(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Dot product of doubles.

    66 0F 3A 41 /r ib   DPPD Vpd, Wpd, Ib   fp tiny=dot SSE4_1

    Flags: none.
    Source: SDM Vol. 2A, DPPD.
    """
    return host_dppd(dst, src, imm)


cdef inline xmm_t roundps(Cpu* cpu, xmm_t src, int imm) noexcept nogil:
    """Round to integers in the mode of the immediate or of MXCSR.

    66 0F 3A 08 /r ib   ROUNDPS Vps, Wps, Ib   nodst fp SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, ROUNDPS.
    """
    return host_roundps(src, src, imm)


cdef inline xmm_t roundpd(Cpu* cpu, xmm_t src, int imm) noexcept nogil:
    """Round to integers in the mode of the immediate or of MXCSR.

    66 0F 3A 09 /r ib   ROUNDPD Vpd, Wpd, Ib   nodst fp SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, ROUNDPD.
    """
    return host_roundpd(src, src, imm)


cdef inline xmm_t roundss(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Round to integers in the mode of the immediate or of MXCSR.

    66 0F 3A 0A /r ib   ROUNDSS Vss, Wss, Ib   fp SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, ROUNDSS.
    """
    return host_roundss(dst, src, imm)


cdef inline xmm_t roundsd(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Round to integers in the mode of the immediate or of MXCSR.

    66 0F 3A 0B /r ib   ROUNDSD Vsd, Wsd, Ib   fp SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, ROUNDSD.
    """
    return host_roundsd(dst, src, imm)
