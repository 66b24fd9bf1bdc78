"""Comparison, logic and selection of floating-point vectors: SSE, SSE2, SSE4.1."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport *
from pykern_c.host_sse cimport *


cdef inline xmm_t andps(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Bitwise AND.

    NP 0F 54 /r   ANDPS Vps, Wps   SSE
    66 0F 54 /r   ANDPD Vpd, Wpd   SSE2

    Flags: none.
    Source: SDM Vol. 2A, ANDPS.
    """
    return op2(ANDPS, dst, src)


cdef inline xmm_t andnps(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Bitwise AND of the source and the inverted destination.

    NP 0F 55 /r   ANDNPS Vps, Wps   SSE
    66 0F 55 /r   ANDNPD Vpd, Wpd   SSE2

    Flags: none.
    Source: SDM Vol. 2A, ANDNPS.
    """
    return op2(ANDNPS, dst, src)


cdef inline xmm_t orps(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Bitwise OR.

    NP 0F 56 /r   ORPS Vps, Wps   SSE
    66 0F 56 /r   ORPD Vpd, Wpd   SSE2

    Flags: none.
    Source: SDM Vol. 2B, ORPS.
    """
    return op2(ORPS, dst, src)


cdef inline xmm_t xorps(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Bitwise exclusive OR.

    NP 0F 57 /r   XORPS Vps, Wps   SSE
    66 0F 57 /r   XORPD Vpd, Wpd   SSE2

    Flags: none.
    Source: SDM Vol. 2C, XORPS.
    """
    return op2(XORPS, dst, src)


cdef inline xmm_t cmpps(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Compare by the predicate in the immediate: all ones where it holds.

    NP 0F C2 /r ib   CMPPS Vps, Wps, Ib   fp SSE

    Flags: none.
    Source: SDM Vol. 2A, CMPPS.
    """
    return host_cmpps(dst, src, imm)


cdef inline xmm_t cmppd(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Compare by the predicate in the immediate: all ones where it holds.

    66 0F C2 /r ib   CMPPD Vpd, Wpd, Ib   fp SSE2

    Flags: none.
    Source: SDM Vol. 2A, CMPPD.
    """
    return host_cmppd(dst, src, imm)


cdef inline xmm_t cmpss(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Compare by the predicate in the immediate: all ones where it holds.

    F3 0F C2 /r ib   CMPSS Vss, Wss, Ib   fp SSE

    Flags: none.
    Source: SDM Vol. 2A, CMPSS.
    """
    return host_cmpss(dst, src, imm)


cdef inline xmm_t cmpsd(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Compare by the predicate in the immediate: all ones where it holds.

    F2 0F C2 /r ib   CMPSD Vsd, Wsd, Ib   fp SSE2

    Flags: none.
    Source: SDM Vol. 2A, CMPSD.
    """
    return host_cmpsd(dst, src, imm)


cdef inline u64 _set_flags_compare(Cpu* cpu, u32 zpc) noexcept nogil:
    """Set ZF, PF and CF from bits 0, 1 and 2; clear the others."""
    cdef u64 zf = zpc & 1, pf = zpc >> 1 & 1, cf = zpc >> 2
    cpu.cc_res = 1 - zf                         # parity of 0: even, of 1: odd
    cpu.cc_aux = (AUX_CF | AUX_C1 if cf else 0) | (zf ^ pf) << AUX_PD_SHIFT
    return 0


cdef inline u64 ucomiss(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Compare the lowest elements; a signalling NaN is invalid.

    NP 0F 2E /r   UCOMISS Vss, Wss   nowrite fp SSE

    Flags: ZPC; O, S and A are cleared.
    Source: SDM Vol. 2B, UCOMISS.
    """
    return _set_flags_compare(cpu, compare(UCOMISS, dst, src))


cdef inline u64 comiss(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Compare the lowest elements; any NaN is invalid.

    NP 0F 2F /r   COMISS Vss, Wss   nowrite fp SSE

    Flags: ZPC; O, S and A are cleared.
    Source: SDM Vol. 2A, COMISS.
    """
    return _set_flags_compare(cpu, compare(COMISS, dst, src))


cdef inline u64 ucomisd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Compare the lowest elements; a signalling NaN is invalid.

    66 0F 2E /r   UCOMISD Vsd, Wsd   nowrite fp SSE2

    Flags: ZPC; O, S and A are cleared.
    Source: SDM Vol. 2B, UCOMISD.
    """
    return _set_flags_compare(cpu, compare(UCOMISD, dst, src))


cdef inline u64 comisd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Compare the lowest elements; any NaN is invalid.

    66 0F 2F /r   COMISD Vsd, Wsd   nowrite fp SSE2

    Flags: ZPC; O, S and A are cleared.
    Source: SDM Vol. 2A, COMISD.
    """
    return _set_flags_compare(cpu, compare(COMISD, dst, src))


cdef inline xmm_t shufps(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Take two singles of each operand.

    NP 0F C6 /r ib   SHUFPS Vps, Wps, Ib   SSE

    Flags: none.
    Source: SDM Vol. 2B, SHUFPS.
    """
    return from_d(dst.d[imm & 3], dst.d[imm >> 2 & 3], src.d[imm >> 4 & 3], src.d[imm >> 6 & 3])


cdef inline xmm_t shufpd(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Take a double of each operand.

    66 0F C6 /r ib   SHUFPD Vpd, Wpd, Ib   SSE2

    Flags: none.
    Source: SDM Vol. 2B, SHUFPD.
    """
    return from_qq(dst.q[imm & 1], src.q[imm >> 1 & 1])


cdef inline xmm_t unpcklps(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Interleave the low singles.

    NP 0F 14 /r   UNPCKLPS Vps, Wps   SSE

    Flags: none.
    Source: SDM Vol. 2B, UNPCKLPS.
    """
    return op2(UNPCKLPS, dst, src)


cdef inline xmm_t unpckhps(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Interleave the high singles.

    NP 0F 15 /r   UNPCKHPS Vps, Wps   SSE

    Flags: none.
    Source: SDM Vol. 2B, UNPCKHPS.
    """
    return op2(UNPCKHPS, dst, src)


cdef inline xmm_t unpcklpd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Interleave the low doubles.

    66 0F 14 /r   UNPCKLPD Vpd, Wpd   SSE2

    Flags: none.
    Source: SDM Vol. 2B, UNPCKLPD.
    """
    return op2(UNPCKLPD, dst, src)


cdef inline xmm_t unpckhpd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Interleave the high doubles.

    66 0F 15 /r   UNPCKHPD Vpd, Wpd   SSE2

    Flags: none.
    Source: SDM Vol. 2B, UNPCKHPD.
    """
    return op2(UNPCKHPD, dst, src)


cdef inline xmm_t _select_words(xmm_t dst, xmm_t src, u32 words) noexcept nogil:
    """Replace the words of `dst` that `words` has a bit for."""
    cdef int i
    for i in range(8):
        if words >> i & 1:
            dst.w[i] = src.w[i]
    return dst


cdef inline u32 _spread(u32 bits, int count, int width) noexcept nogil:
    """Repeat each of `count` bits `width` times."""
    cdef u32 out = 0
    cdef int i
    for i in range(count):
        if bits >> i & 1:
            out |= ((1U << width) - 1) << (i * width)
    return out


cdef inline xmm_t blendps(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Replace the singles that the immediate selects.

    66 0F 3A 0C /r ib   BLENDPS Vps, Wps, Ib   SSE4_1

    Flags: none.
    Source: SDM Vol. 2A, BLENDPS.
    """
    return _select_words(dst, src, _spread(imm, 4, 2))


cdef inline xmm_t blendpd(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Replace the doubles that the immediate selects.

    66 0F 3A 0D /r ib   BLENDPD Vpd, Wpd, Ib   SSE4_1

    Flags: none.
    Source: SDM Vol. 2A, BLENDPD.
    """
    return _select_words(dst, src, _spread(imm, 2, 4))


cdef inline xmm_t pblendw(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Replace the words that the immediate selects.

    66 0F 3A 0E /r ib   PBLENDW Vdq, Wdq, Ib   SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PBLENDW.
    """
    return _select_words(dst, src, imm)


cdef inline xmm_t blendvps(Cpu* cpu, xmm_t dst, xmm_t src, xmm_t mask) noexcept nogil:
    """Replace the singles that XMM0 has a sign for.

    66 0F 38 14 /r   BLENDVPS Vps, Wps, XMM0   SSE4_1

    Flags: none.
    Source: SDM Vol. 2A, BLENDVPS.
    """
    return op3(BLENDVPS, dst, src, mask)


cdef inline xmm_t blendvpd(Cpu* cpu, xmm_t dst, xmm_t src, xmm_t mask) noexcept nogil:
    """Replace the doubles that XMM0 has a sign for.

    66 0F 38 15 /r   BLENDVPD Vpd, Wpd, XMM0   SSE4_1

    Flags: none.
    Source: SDM Vol. 2A, BLENDVPD.
    """
    return op3(BLENDVPD, dst, src, mask)


cdef inline xmm_t pblendvb(Cpu* cpu, xmm_t dst, xmm_t src, xmm_t mask) noexcept nogil:
    """Replace the bytes that XMM0 has a sign for.

    66 0F 38 10 /r   PBLENDVB Vdq, Wdq, XMM0   SSE4_1

    Flags: none.
    Source: SDM Vol. 2B, PBLENDVB.
    """
    return op3(PBLENDVB, dst, src, mask)


cdef inline xmm_t _insert(xmm_t dst, u32 single, int imm) noexcept nogil:
    """Put a single where bits 5 and 4 say, then clear what bits 3 to 0 say."""
    cdef int i
    dst.d[imm >> 4 & 3] = single
    for i in range(4):
        if imm >> i & 1:
            dst.d[i] = 0
    return dst


cdef inline xmm_t insertps(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Insert a single of a register, and clear others.

    66 0F 3A 21 /r ib   INSERTPS Vps, Ups, Ib   SSE4_1

    Flags: none.
    Source: SDM Vol. 2A, INSERTPS.
    """
    return _insert(dst, src.d[imm >> 6 & 3], imm)


cdef inline xmm_t insertps_memory(Cpu* cpu, xmm_t dst, u64 src, int imm) noexcept nogil:
    """Insert a single of memory, and clear others.

    66 0F 3A 21 /r ib   INSERTPS Vps, Md, Ib   SSE4_1

    Flags: none.
    Source: SDM Vol. 2A, INSERTPS.
    """
    return _insert(dst, <u32>src, imm)


cdef inline u64 extractps(Cpu* cpu, xmm_t src, int imm) noexcept nogil:
    """Move a single to a general register or memory.

    66 0F 3A 17 /r ib   EXTRACTPS Ed, Vps, Ib   nodst SSE4_1

    Flags: none.
    Source: SDM Vol. 2A, EXTRACTPS.
    """
    return src.d[imm & 3]
