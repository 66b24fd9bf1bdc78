"""Shifts and rotates, single and double.

The SDM leaves AF, and for most counts OF, undefined. Here they are what current processors make of
them: OF as if the last of `count` single steps had set it, AF one.
"""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport *


cdef inline u32 masked_count(int w, u64 count) noexcept nogil:
    """Return a count as the processor sees it: modulo 32, or 64 for 64-bit operands."""
    return <u32>count & (63 if w == 64 else 31)


cdef inline void set_flags_shift(Cpu* cpu, int w, u64 result, u64 cf, u64 of) noexcept nogil:
    """Set SZP from the result, C and O as given, A."""
    cpu.cc_res = sext(result, w)
    cpu.cc_aux = cf << 63 | (cf ^ of) << 62 | AUX_AF


cdef inline u64 top_differs(int w, u64 value) noexcept nogil:
    """Return whether the two highest bits differ: OF of every shift and rotate to the right."""
    return sign_bit(value ^ (value << 1), w)


# -------------------------------------------------------------------------------------------------
# Shifts

cdef inline u64 shl(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Shift left; /6 is an alias that every processor decodes.

    C0 /4 ib   SHL Eb, Ib    undef=OA
    C1 /4 ib   SHL Ev, Ib    undef=OA hot=reg64
    D0 /4      SHL Eb, 1     undef=A
    D1 /4      SHL Ev, 1     undef=A
    D2 /4      SHL Eb, CL    undef=OAC
    D3 /4      SHL Ev, CL    undef=OAC
    C0 /6 ib   SHL Eb, Ib    undef=OA
    C1 /6 ib   SHL Ev, Ib    undef=OA
    D0 /6      SHL Eb, 1     undef=A
    D1 /6      SHL Ev, 1     undef=A
    D2 /6      SHL Eb, CL    undef=OAC
    D3 /6      SHL Ev, CL    undef=OAC

    Flags: OSZAPC unless the count is 0.
    Source: SDM Vol. 2B, SAL/SAR/SHL/SHR; /6 as AMD64 Architecture Programmer's Manual
    Vol. 3, Opcode Map.
    """
    cdef u32 count = masked_count(w, src)
    cdef u64 cf, result
    if count == 0:
        return dst
    result = trunc(dst << count, w)
    cf = 0 if count > <u32>w else (dst >> (w - count)) & 1
    set_flags_shift(cpu, w, result, cf, cf ^ sign_bit(result, w))
    return result


cdef inline u64 shr(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Shift right, filling with zeros.

    C0 /5 ib   SHR Eb, Ib    undef=OA
    C1 /5 ib   SHR Ev, Ib    undef=OA hot=reg64
    D0 /5      SHR Eb, 1     undef=A
    D1 /5      SHR Ev, 1     undef=A
    D2 /5      SHR Eb, CL    undef=OAC
    D3 /5      SHR Ev, CL    undef=OAC

    Flags: OSZAPC unless the count is 0.
    Source: SDM Vol. 2B, SAL/SAR/SHL/SHR.
    """
    cdef u32 count = masked_count(w, src)
    cdef u64 result
    if count == 0:
        return dst
    result = dst >> count
    set_flags_shift(cpu, w, result, (dst >> (count - 1)) & 1, top_differs(w, result))
    return result


cdef inline u64 sar(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Shift right, filling with the sign.

    C0 /7 ib   SAR Eb, Ib    undef=A
    C1 /7 ib   SAR Ev, Ib    undef=A hot=reg64
    D0 /7      SAR Eb, 1     undef=A
    D1 /7      SAR Ev, 1     undef=A
    D2 /7      SAR Eb, CL    undef=A
    D3 /7      SAR Ev, CL    undef=A

    Flags: OSZAPC unless the count is 0.
    Source: SDM Vol. 2B, SAL/SAR/SHL/SHR.
    """
    cdef u32 count = masked_count(w, src)
    cdef i64 value = <i64>sext(dst, w)
    cdef u64 result
    if count == 0:
        return dst
    result = trunc(<u64>(value >> count), w)
    set_flags_shift(cpu, w, result, <u64>(value >> (count - 1)) & 1, 0)
    return result


# -------------------------------------------------------------------------------------------------
# Rotates

cdef inline u64 rol(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Rotate left.

    C0 /0 ib   ROL Eb, Ib    undef=O
    C1 /0 ib   ROL Ev, Ib    undef=O
    D0 /0      ROL Eb, 1
    D1 /0      ROL Ev, 1
    D2 /0      ROL Eb, CL    undef=O
    D3 /0      ROL Ev, CL    undef=O

    Flags: OC unless the count is 0.
    Source: SDM Vol. 2B, RCL/RCR/ROL/ROR.
    """
    cdef u32 count = masked_count(w, src), turn = count & (w - 1)
    cdef u64 result
    if count == 0:
        return dst
    result = trunc(dst << turn | dst >> ((w - turn) & (w - 1)), w)
    set_cf_of(cpu, result & 1, (result & 1) ^ sign_bit(result, w))
    return result


cdef inline u64 ror(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Rotate right.

    C0 /1 ib   ROR Eb, Ib    undef=O
    C1 /1 ib   ROR Ev, Ib    undef=O
    D0 /1      ROR Eb, 1
    D1 /1      ROR Ev, 1
    D2 /1      ROR Eb, CL    undef=O
    D3 /1      ROR Ev, CL    undef=O

    Flags: OC unless the count is 0.
    Source: SDM Vol. 2B, RCL/RCR/ROL/ROR.
    """
    cdef u32 count = masked_count(w, src), turn = count & (w - 1)
    cdef u64 result
    if count == 0:
        return dst
    result = trunc(dst >> turn | dst << ((w - turn) & (w - 1)), w)
    set_cf_of(cpu, sign_bit(result, w), top_differs(w, result))
    return result


cdef inline u32 carry_count(int w, u32 count) noexcept nogil:
    """Return a masked count modulo the width with the carry."""
    if w == 8:
        return count % 9
    return count % 17 if w == 16 else count


cdef inline u64 rcl(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Rotate left through the carry.

    C0 /2 ib   RCL Eb, Ib    undef=O
    C1 /2 ib   RCL Ev, Ib    undef=O
    D0 /2      RCL Eb, 1
    D1 /2      RCL Ev, 1
    D2 /2      RCL Eb, CL    undef=O
    D3 /2      RCL Ev, CL    undef=O

    Flags: OC unless the count is 0.
    Source: SDM Vol. 2B, RCL/RCR/ROL/ROR.
    """
    cdef u32 count = masked_count(w, src), turn = carry_count(w, count)
    cdef u64 cf = flag_cf(cpu), result = dst
    if count == 0:
        return dst
    if turn:
        # Two shifts where one might be by the whole width of a C integer.
        result = trunc(dst << (turn - 1) << 1 | cf << (turn - 1) | dst >> 1 >> (w - turn), w)
        cf = (dst >> (w - turn)) & 1
    set_cf_of(cpu, cf, cf ^ sign_bit(result, w))
    return result


cdef inline u64 rcr(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Rotate right through the carry.

    C0 /3 ib   RCR Eb, Ib    undef=O
    C1 /3 ib   RCR Ev, Ib    undef=O
    D0 /3      RCR Eb, 1
    D1 /3      RCR Ev, 1
    D2 /3      RCR Eb, CL    undef=O
    D3 /3      RCR Ev, CL    undef=O

    Flags: OC unless the count is 0.
    Source: SDM Vol. 2B, RCL/RCR/ROL/ROR.
    """
    cdef u32 count = masked_count(w, src), turn = carry_count(w, count)
    cdef u64 cf = flag_cf(cpu), result = dst
    if count == 0:
        return dst
    if turn:
        result = trunc(dst >> (turn - 1) >> 1 | cf << (w - turn) | dst << 1 << (w - turn), w)
        cf = (dst >> (turn - 1)) & 1
    set_cf_of(cpu, cf, top_differs(w, result))
    return result


# -------------------------------------------------------------------------------------------------
# Double shifts. A 16-bit operand and a count above 16 is undefined; processors then shift the
# source in a second time.

cdef inline u64 shld(Cpu* cpu, int w, u64 dst, u64 src, u64 bits) noexcept nogil:
    """Shift left, taking new bits from the top of the source.

    0F A4 /r ib   SHLD Ev, Gv, Ib   undef=OA
    0F A5 /r      SHLD Ev, Gv, CL   undef=OA

    Flags: OSZAPC unless the count is 0.
    Source: SDM Vol. 2B, SHLD.
    """
    cdef u32 count = masked_count(w, bits), turn = count & (w - 1)
    cdef u64 shifted, result, cf
    if count == 0:
        return dst
    shifted = trunc(dst << count, w)
    cf = 0 if count > <u32>w else (dst >> (w - count)) & 1
    if turn == 0:
        result = src
    elif count > <u32>w:
        result = trunc(src << turn | src >> (w - turn), w)
    else:
        result = shifted | src >> (w - turn)
    set_flags_shift(cpu, w, result, cf, cf ^ sign_bit(shifted, w))
    return result


cdef inline u64 shrd(Cpu* cpu, int w, u64 dst, u64 src, u64 bits) noexcept nogil:
    """Shift right, taking new bits from the bottom of the source.

    0F AC /r ib   SHRD Ev, Gv, Ib   undef=OA
    0F AD /r      SHRD Ev, Gv, CL   undef=OA

    Flags: OSZAPC unless the count is 0.
    Source: SDM Vol. 2B, SHRD.
    """
    cdef u32 count = masked_count(w, bits), turn = count & (w - 1)
    cdef u64 result
    if count == 0:
        return dst
    if turn == 0:
        result = src
    elif count > <u32>w:
        result = trunc(src >> turn | src << (w - turn), w)
    else:
        result = trunc(dst >> turn | src << (w - turn), w)
    set_flags_shift(cpu, w, result, (dst >> (count - 1)) & 1, top_differs(w, result))
    return result
