"""Control and debug registers, TLB and cache control."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.apic_registers cimport apic_read_cr8, apic_write_cr8
from pykern_c.creg cimport write_cr0, write_cr3, write_cr4
from pykern_c.descriptors cimport canonical_address
from pykern_c.mmu cimport context_changed, tlb_flush, tlb_invalidate
from pykern_c.operands cimport *
from pykern_c.vector cimport segment_base

cdef enum:
    DR6_WRITABLE = 0xE00F           # B0-B3, BD, BS, BT
    DR7_ONES = 1 << 10
    DR7_GENERAL_DETECT = 1 << 13
    DR7_ENABLES = 0xFF
    DR6_GENERAL_DETECT = 1 << 13

cdef enum:
    DR6_ONES = 0xFFFF0FF0U
    DR7_WRITABLE = 0xFFFF23FFU


# ---------------------------------------------------------------------------------------------
# Control registers

cdef inline int mov_from_cr(Cpu* cpu, Insn* insn) noexcept nogil:
    """Read a control register.

    0F 20 /r   MOV Rv, Cd    f64

    Flags: none.
    Source: SDM Vol. 2B, MOV, Move to/from Control Registers.
    """
    cdef u64 value
    if insn.r == 0:
        value = cpu.cr0
    elif insn.r == 2:
        value = cpu.cr2
    elif insn.r == 3:
        value = cpu.cr3
    elif insn.r == 4:
        value = cpu.cr4
    elif insn.r == 8:
        value = apic_read_cr8(&cpu.lapic)
    else:
        return raise_fault(cpu, UD)
    if cpu.cpl:
        return raise_gp(cpu, 0)
    set_reg(cpu, 64 if in_64bit(cpu) else 32, insn.b, value)
    return NEXT


cdef inline int write_cr8(Cpu* cpu, u64 value) noexcept nogil:
    """Set the task priority."""
    if value >> 4:
        return raise_gp(cpu, 0)
    apic_write_cr8(&cpu.lapic, value)
    return 0


cdef inline int mov_to_cr(Cpu* cpu, Insn* insn) noexcept nogil:
    """Write a control register.

    0F 22 /r   MOV Cd, Rv    f64 ends

    Flags: none.
    Source: SDM Vol. 2B, MOV, Move to/from Control Registers.
    """
    cdef u64 value = get_reg(cpu, 64 if in_64bit(cpu) else 32, insn.b)
    cdef int status = 0
    if insn.r > 8 or insn.r == 1 or (insn.r > 4 and insn.r < 8):
        return raise_fault(cpu, UD)
    if cpu.cpl:
        return raise_gp(cpu, 0)
    if insn.r == 0:
        status = write_cr0(cpu, value)
    elif insn.r == 2:
        cpu.cr2 = value
    elif insn.r == 3:
        status = write_cr3(cpu, value)
    elif insn.r == 4:
        status = write_cr4(cpu, value)
    else:
        status = write_cr8(cpu, value)
    return FAULT if status else STOP


cdef inline int clts(Cpu* cpu, Insn* insn) noexcept nogil:
    """Clear CR0.TS.

    0F 06      CLTS    cpl0 ends

    Flags: none.
    Source: SDM Vol. 2A, CLTS.
    """
    cpu.cr0 &= ~<u64>CR0_TS
    context_changed(cpu)
    return STOP


# ---------------------------------------------------------------------------------------------
# Debug registers

cdef inline int debug_register(Cpu* cpu, Insn* insn, u32* number) noexcept nogil:
    """Check an access to a debug register; DR4 and DR5 are DR6 and DR7 without CR4.DE.

    Source: SDM Vol. 3B, Debug Registers.
    """
    number[0] = insn.r
    if insn.r > 7 or (cpu.cr4 & CR4_DE and (insn.r == 4 or insn.r == 5)):
        return raise_fault(cpu, UD)
    if cpu.cpl:
        return raise_gp(cpu, 0)
    if cpu.dr[7] & DR7_GENERAL_DETECT:
        raise_fault(cpu, DB)
        cpu.fault.dr6 = DR6_GENERAL_DETECT
        return FAULT
    if insn.r == 4 or insn.r == 5:
        number[0] += 2
    return 0


cdef inline int mov_from_dr(Cpu* cpu, Insn* insn) noexcept nogil:
    """Read a debug register.

    0F 21 /r   MOV Rv, Dd    f64

    Flags: none.
    Source: SDM Vol. 2B, MOV, Move to/from Debug Registers.
    """
    cdef u32 number
    if debug_register(cpu, insn, &number):
        return FAULT
    set_reg(cpu, 64 if in_64bit(cpu) else 32, insn.b, cpu.dr[number])
    return NEXT


cdef inline int mov_to_dr(Cpu* cpu, Insn* insn) noexcept nogil:
    """Write a debug register; pages with a breakpoint stay out of the TLB.

    0F 23 /r   MOV Dd, Rv    f64 ends

    Flags: none.
    Source: SDM Vol. 2B, MOV, Move to/from Debug Registers.
    """
    cdef u32 number
    cdef u64 value = get_reg(cpu, 64 if in_64bit(cpu) else 32, insn.b)
    cdef u64 enabled = cpu.dr[7]
    if debug_register(cpu, insn, &number):
        return FAULT
    if number >= 6 and value >> 32:
        return raise_gp(cpu, 0)
    if number == 6:
        value = (value & DR6_WRITABLE) | DR6_ONES
    elif number == 7:
        value = (value & DR7_WRITABLE) | DR7_ONES
    cpu.dr[number] = value
    if number != 6 and (enabled | cpu.dr[7]) & DR7_ENABLES:
        tlb_flush(cpu, True)
    return STOP


# ---------------------------------------------------------------------------------------------
# TLB and caches

cdef inline int invlpg(Cpu* cpu, Insn* insn) noexcept nogil:
    """Invalidate the translations of a page.

    0F 01 /7   INVLPG M    cpl0 ends ptr=byte

    Flags: none.
    Source: SDM Vol. 2A, INVLPG.
    """
    cdef u64 laddr = effective_address(cpu, insn) + segment_base(cpu, insn)
    if not in_64bit(cpu):
        laddr = <u32>laddr
    if canonical_address(laddr):
        tlb_invalidate(cpu, laddr)
    return STOP


cdef inline int invpcid(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Invalidate translations by process-context identifier.

    66 0F 38 82 /r   INVPCID Gy, Mdq    INVPCID cpl0 ends f64 ptr=none

    Flags: none.
    Source: SDM Vol. 2A, INVPCID.
    """
    cdef u64 descriptor[2]
    cdef u64 type = get_reg(cpu, 64 if in_64bit(cpu) else 32, insn.r)
    cdef bint current
    if load_ea(cpu, insn, 16, descriptor):
        return FAULT
    if type > 3:
        return raise_gp(cpu, 0)
    if descriptor[0] >> 12 or (type < 2 and descriptor[0] and not cpu.cr4 & CR4_PCIDE):
        return raise_gp(cpu, 0)
    if type == 0 and not canonical_address(descriptor[1]):
        return raise_gp(cpu, 0)
    current = not cpu.cr4 & CR4_PCIDE or descriptor[0] == cpu.cr3 & 0xFFF
    if type == 0 and current:
        tlb_invalidate(cpu, descriptor[1])
    elif type == 2 or type == 3 or current:
        tlb_flush(cpu, type == 2)
    return STOP


cdef inline int invd(Cpu* cpu, Insn* insn) noexcept nogil:
    """Invalidate or write back the caches: there are none.

    0F 08      INVD      cpl0
    0F 09      WBINVD    cpl0

    Flags: none.
    Source: SDM Vol. 2A, INVD; Vol. 2D, WBINVD.
    """
    return NEXT
