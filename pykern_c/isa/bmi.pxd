"""Bit manipulation on general registers: BMI1 and BMI2, encoded with VEX.

Undefined flags are what AMD processors make of them.
"""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport *
from pykern_c.operands cimport *
from pykern_c.isa.muldiv cimport mulh


# -------------------------------------------------------------------------------------------------
# BMI1

cdef inline void set_flags_bits(Cpu* cpu, int w, u64 result, u64 cf) noexcept nogil:
    """Set S and Z from the result, C as given; clear O."""
    set_flags_logic(cpu, w, result)
    set_cf_of(cpu, cf, 0)


cdef inline u64 andn(Cpu* cpu, int w, u64 mask_, u64 src) noexcept nogil:
    """AND with the complement of the first source.

    VEX.LZ.0F38 F2 /r   ANDN Gy, By, Ey   nodst BMI1 undef=AP

    Flags: OSZAPC.
    Source: SDM Vol. 2A, ANDN.
    """
    set_flags_logic(cpu, w, ~mask_ & src)
    return ~mask_ & src


cdef inline u64 bextr(Cpu* cpu, int w, u64 src, u64 control) noexcept nogil:
    """Extract a bit field; the control register holds start and length.

    VEX.LZ.0F38 F7 /r   BEXTR Gy, Ey, By   nodst BMI1 undef=SAP

    Flags: OSZAPC.
    Source: SDM Vol. 2A, BEXTR.
    """
    cdef u32 start = control & 0xFF, length = (control >> 8) & 0xFF
    cdef u64 result = src >> start if start < <u32>w else 0
    if length < <u32>w:
        result &= (<u64>1 << length) - 1
    cpu.cc_aux = AUX_AF
    cpu.cc_res = result & 0xFF | 0x100 if result else 0         # SF stays clear
    return result


cdef inline u64 blsi(Cpu* cpu, int w, u64 src) noexcept nogil:
    """Isolate the lowest set bit.

    VEX.LZ.0F38 F3 /3   BLSI By, Ey   nodst BMI1 undef=AP

    Flags: OSZAPC.
    Source: SDM Vol. 2A, BLSI.
    """
    set_flags_bits(cpu, w, src & -src, src != 0)
    return src & -src


cdef inline u64 blsmsk(Cpu* cpu, int w, u64 src) noexcept nogil:
    """Make a mask up to the lowest set bit.

    VEX.LZ.0F38 F3 /2   BLSMSK By, Ey   nodst BMI1 undef=AP

    Flags: OSZAPC.
    Source: SDM Vol. 2A, BLSMSK.
    """
    set_flags_bits(cpu, w, trunc(src ^ (src - 1), w), src == 0)
    return src ^ (src - 1)


cdef inline u64 blsr(Cpu* cpu, int w, u64 src) noexcept nogil:
    """Reset the lowest set bit.

    VEX.LZ.0F38 F3 /1   BLSR By, Ey   nodst BMI1 undef=AP

    Flags: OSZAPC.
    Source: SDM Vol. 2A, BLSR.
    """
    set_flags_bits(cpu, w, src & (src - 1), src == 0)
    return src & (src - 1)


# -------------------------------------------------------------------------------------------------
# BMI2

cdef inline u64 bzhi(Cpu* cpu, int w, u64 src, u64 control) noexcept nogil:
    """Zero the high bits, from the one whose number is in the control register.

    VEX.LZ.0F38 F5 /r   BZHI Gy, Ey, By   nodst BMI2 undef=AP

    Flags: OSZAPC.
    Source: SDM Vol. 2A, BZHI.
    """
    cdef u32 start = control & 0xFF
    cdef u64 result = src & ((<u64>1 << start) - 1) if start < <u32>w else src
    set_flags_bits(cpu, w, result, start >= <u32>w)
    return result


cdef inline int mulx(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Multiply rDX, unsigned, without flags; if both destinations are one, it gets the high half.

    VEX.LZ.F2.0F38 F6 /r   MULX Gy, By, Ey   BMI2 fast=mulx_fast

    Flags: none.
    Source: SDM Vol. 2B, MULX.
    """
    cdef u64 src
    if read_E(cpu, insn, w, &src):
        return FAULT
    multiply(cpu, insn, w, src)
    return NEXT


cdef inline void multiply(Cpu* cpu, Insn* insn, int w, u64 src) noexcept nogil:
    """Write both halves of rDX times a value."""
    cdef u64 factor = trunc(cpu.regs[RDX], w), low = factor * src
    set_reg(cpu, w, vvvv(insn), low)
    set_reg(cpu, w, insn.r, mulh(factor, src) if w == 64 else low >> w)


cdef inline bint mulx_fast(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """MULX of a register."""
    multiply(cpu, insn, w, get_reg(cpu, w, insn.b))
    return True


cdef inline u64 pdep(Cpu* cpu, int w, u64 src, u64 places) noexcept nogil:
    """Deposit the low bits of the source where the mask has ones.

    VEX.LZ.F2.0F38 F5 /r   PDEP Gy, By, Ey   nodst BMI2

    Flags: none.
    Liveness: clear.
    Source: SDM Vol. 2B, PDEP.
    """
    cdef u64 result = 0
    while places:
        if src & 1:
            result |= places & -places
        src >>= 1
        places &= places - 1
    return result


cdef inline u64 pext(Cpu* cpu, int w, u64 src, u64 places) noexcept nogil:
    """Gather the bits of the source where the mask has ones.

    VEX.LZ.F3.0F38 F5 /r   PEXT Gy, By, Ey   nodst BMI2

    Flags: none.
    Liveness: clear.
    Source: SDM Vol. 2B, PEXT.
    """
    cdef u64 result = 0, bit = 1
    while places:
        if src & places & -places:
            result |= bit
        bit <<= 1
        places &= places - 1
    return result


cdef inline u64 rorx(Cpu* cpu, int w, u64 src, u64 count) noexcept nogil:
    """Rotate right without flags.

    VEX.LZ.F2.0F3A F0 /r ib   RORX Gy, Ey, Ib   nodst BMI2

    Flags: none.
    Liveness: clear.
    Source: SDM Vol. 2B, RORX.
    """
    count &= w - 1
    return src >> count | src << ((w - count) & (w - 1))


cdef inline u64 sarx(Cpu* cpu, int w, u64 src, u64 count) noexcept nogil:
    """Shift right, filling with the sign, without flags.

    VEX.LZ.F3.0F38 F7 /r   SARX Gy, Ey, By   nodst BMI2

    Flags: none.
    Liveness: clear.
    Source: SDM Vol. 2B, SARX/SHLX/SHRX.
    """
    return <u64>(<i64>sext(src, w) >> (count & (w - 1)))


cdef inline u64 shlx(Cpu* cpu, int w, u64 src, u64 count) noexcept nogil:
    """Shift left without flags.

    VEX.LZ.66.0F38 F7 /r   SHLX Gy, Ey, By   nodst BMI2

    Flags: none.
    Liveness: clear.
    Source: SDM Vol. 2B, SARX/SHLX/SHRX.
    """
    return src << (count & (w - 1))


cdef inline u64 shrx(Cpu* cpu, int w, u64 src, u64 count) noexcept nogil:
    """Shift right, filling with zeros, without flags.

    VEX.LZ.F2.0F38 F7 /r   SHRX Gy, Ey, By   nodst BMI2

    Flags: none.
    Liveness: clear.
    Source: SDM Vol. 2B, SARX/SHLX/SHRX.
    """
    return src >> (count & (w - 1))
