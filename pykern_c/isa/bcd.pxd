"""Decimal adjustment, for binary-coded decimals; invalid in 64-bit mode."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport *
from pykern_c.operands cimport *


cdef inline u64 get_al(Cpu* cpu) noexcept nogil:
    return cpu.regs[RAX] & 0xFF


cdef inline int ascii_adjust(Cpu* cpu, u64 delta) noexcept nogil:
    """AAA and AAS: `delta` is what is added to AX to correct a digit above 9."""
    cdef u64 adjust = (cpu.regs[RAX] & 15) > 9 or flag_af(cpu)
    if adjust:
        set_reg(cpu, 16, RAX, cpu.regs[RAX] + delta)
    set_reg(cpu, 8, 0, cpu.regs[RAX] & 15)
    set_flags_logic(cpu, 8, get_al(cpu))
    set_cf_of(cpu, adjust, 0)
    set_af(cpu, adjust)
    return NEXT


cdef inline int aaa(Cpu* cpu, Insn* insn) noexcept nogil:
    """ASCII adjust AL after addition.

    37         AAA    i64 undef=OSZP

    Flags: OSZAPC.
    Source: SDM Vol. 2A, AAA.
    """
    return ascii_adjust(cpu, 0x106)


cdef inline int aas(Cpu* cpu, Insn* insn) noexcept nogil:
    """ASCII adjust AL after subtraction.

    3F         AAS    i64 undef=OSZP

    Flags: OSZAPC.
    Source: SDM Vol. 2A, AAS.
    """
    return ascii_adjust(cpu, -<u64>0x106)


cdef inline int aam(Cpu* cpu, Insn* insn) noexcept nogil:
    """ASCII adjust AX after multiplication, in any base.

    D4 ib      AAM Ib    i64 undef=OAC

    Flags: OSZAPC.
    Source: SDM Vol. 2A, AAM.
    """
    cdef u64 base = insn.imm & 0xFF
    if base == 0:
        return raise_fault(cpu, DE)
    set_reg(cpu, 16, RAX, (get_al(cpu) // base) << 8 | get_al(cpu) % base)
    set_flags_logic(cpu, 8, get_al(cpu))
    return NEXT


cdef inline int aad(Cpu* cpu, Insn* insn) noexcept nogil:
    """ASCII adjust AX before division, in any base.

    D5 ib      AAD Ib    i64 undef=OAC

    Flags: OSZAPC.
    Source: SDM Vol. 2A, AAD.
    """
    cdef u64 high = (cpu.regs[RAX] >> 8 & 0xFF) * (insn.imm & 0xFF)
    set_reg(cpu, 16, RAX, (get_al(cpu) + high) & 0xFF)
    set_flags_logic(cpu, 8, get_al(cpu))
    return NEXT


cdef inline int decimal_adjust(Cpu* cpu, bint subtract) noexcept nogil:
    """DAA and DAS."""
    cdef u64 before = get_al(cpu), cf = flag_cf(cpu), delta = 0
    cdef u64 low = (before & 15) > 9 or flag_af(cpu)
    cdef u64 high = before > 0x99 or cf
    if low:
        delta = 6
        if subtract:
            cf = cf or before < 6           # the borrow of the low digit counts, the carry does not
    if high:
        delta += 0x60
        cf = 1
    elif not subtract:
        cf = 0
    set_reg(cpu, 8, 0, before - delta if subtract else before + delta)
    set_flags_logic(cpu, 8, get_al(cpu))
    set_cf_of(cpu, cf, 0)
    set_af(cpu, low)
    return NEXT


cdef inline int daa(Cpu* cpu, Insn* insn) noexcept nogil:
    """Decimal adjust AL after addition.

    27         DAA    i64 undef=O

    Flags: OSZAPC.
    Source: SDM Vol. 2A, DAA.
    """
    return decimal_adjust(cpu, False)


cdef inline int das(Cpu* cpu, Insn* insn) noexcept nogil:
    """Decimal adjust AL after subtraction.

    2F         DAS    i64 undef=O

    Flags: OSZAPC.
    Source: SDM Vol. 2A, DAS.
    """
    return decimal_adjust(cpu, True)
