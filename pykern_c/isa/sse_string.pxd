"""String comparison: SSE4.2."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport set_arith_flags
from pykern_c.host_sse cimport *


cdef inline u64 _set_flags_strings(Cpu* cpu, u32 seen) noexcept nogil:
    """Take over flags as LAHF and SETO left them: OF in bit 0, the others in bits 15 to 8."""
    set_arith_flags(cpu, (seen >> 8 & (FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF | FLAG_CF))
                    | (seen & 1) << 11)
    return 0


cdef inline i32 _length(u64 value, bint wide) noexcept nogil:
    """Return an explicit length, saturated: more than 16 elements are as good as 16."""
    cdef i64 length = <i64>value if wide else <i64><i32>value
    if length > 16:
        return 16
    return -16 if length < -16 else <i32>length


cdef inline u64 pcmpistri(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Compare strings that end with a zero; index to ECX.

    66 0F 3A 63 /r ib   PCMPISTRI Vdq, Wdq, Ib   noalign nowrite SSE4_2

    Flags: OSZC; A and P are cleared.
    Source: SDM Vol. 2B, PCMPISTRI.
    """
    cdef u32 seen
    cpu.regs[RCX] = host_pcmpistri(dst, src, imm, &seen)
    return _set_flags_strings(cpu, seen)


cdef inline u64 pcmpistrm(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Compare strings that end with a zero; mask to XMM0.

    66 0F 3A 62 /r ib   PCMPISTRM Vdq, Wdq, Ib   noalign nowrite SSE4_2

    Flags: OSZC; A and P are cleared.
    Source: SDM Vol. 2B, PCMPISTRM.
    """
    cdef u32 seen
    cpu.xmm[0].lo = host_pcmpistrm(dst, src, imm, &seen)
    return _set_flags_strings(cpu, seen)


cdef inline u64 _explicit_index(Cpu* cpu, xmm_t dst, xmm_t src, int imm,
                                bint wide) noexcept nogil:
    cdef u32 seen
    cpu.regs[RCX] = host_pcmpestri(dst, _length(cpu.regs[RAX], wide),
                                   src, _length(cpu.regs[RDX], wide), imm, &seen)
    return _set_flags_strings(cpu, seen)


cdef inline u64 _explicit_mask(Cpu* cpu, xmm_t dst, xmm_t src, int imm,
                               bint wide) noexcept nogil:
    cdef u32 seen
    cpu.xmm[0].lo = host_pcmpestrm(dst, _length(cpu.regs[RAX], wide),
                                   src, _length(cpu.regs[RDX], wide), imm, &seen)
    return _set_flags_strings(cpu, seen)


cdef inline u64 pcmpestri(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Compare strings with their lengths in EAX and EDX; index to ECX.

    66 W0 0F 3A 61 /r ib   PCMPESTRI Vdq, Wdq, Ib   noalign nowrite SSE4_2

    Flags: OSZC; A and P are cleared.
    Source: SDM Vol. 2B, PCMPESTRI.
    """
    return _explicit_index(cpu, dst, src, imm, False)


cdef inline u64 pcmpestri_64(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Compare strings with their lengths in RAX and RDX; index to ECX.

    66 REX.W 0F 3A 61 /r ib   PCMPESTRI Vdq, Wdq, Ib   noalign nowrite SSE4_2

    Flags: OSZC; A and P are cleared.
    Source: SDM Vol. 2B, PCMPESTRI.
    """
    return _explicit_index(cpu, dst, src, imm, True)


cdef inline u64 pcmpestrm(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Compare strings with their lengths in EAX and EDX; mask to XMM0.

    66 W0 0F 3A 60 /r ib   PCMPESTRM Vdq, Wdq, Ib   noalign nowrite SSE4_2

    Flags: OSZC; A and P are cleared.
    Source: SDM Vol. 2B, PCMPESTRM.
    """
    return _explicit_mask(cpu, dst, src, imm, False)


cdef inline u64 pcmpestrm_64(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Compare strings with their lengths in RAX and RDX; mask to XMM0.

    66 REX.W 0F 3A 60 /r ib   PCMPESTRM Vdq, Wdq, Ib   noalign nowrite SSE4_2

    Flags: OSZC; A and P are cleared.
    Source: SDM Vol. 2B, PCMPESTRM.
    """
    return _explicit_mask(cpu, dst, src, imm, True)
