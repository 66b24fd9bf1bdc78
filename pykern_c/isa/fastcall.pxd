"""Fast system calls and the FS and GS bases: SYSCALL, SYSENTER, SWAPGS and their like."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.descriptors cimport canonical_address
from pykern_c.flags cimport *
from pykern_c.mmu cimport context_changed
from pykern_c.operands cimport *

# Attributes of the flat segments that these instructions load without reading a descriptor.
cdef enum:
    FLAT_CODE64 = 0xA09B
    FLAT_CODE32 = 0xC09B
    FLAT_DATA = 0xC093
    DPL3 = 0x60
    SYSRET_FLAGS = 0x3C7FD7


cdef inline void flat_segment(Cpu* cpu, int seg, u32 sel, u32 attr) noexcept nogil:
    cdef Seg* s = &cpu.seg[seg]
    s.sel = <u16>sel
    s.base = 0
    s.limit = 0xFFFFFFFFU
    s.attr = attr


cdef inline int enter_flat(Cpu* cpu, u32 cs, u32 ss, u32 code, u32 cpl) noexcept nogil:
    """Load CS and SS and go to privilege level 0 or 3."""
    cdef u32 dpl = DPL3 if cpl == 3 else 0
    flat_segment(cpu, CS, (cs & 0xFFFC) | cpl, code | dpl)
    flat_segment(cpu, SS, (ss & 0xFFFC) | cpl, FLAT_DATA | dpl)
    cpu.cpl = <u8>cpl
    context_changed(cpu)
    return JUMP


cdef inline int syscall(Cpu* cpu, Insn* insn) noexcept nogil:
    """Call the system at IA32_LSTAR.

    0F 05      SYSCALL    SYSCALL o64 ends

    Flags: all.
    Source: SDM Vol. 2B, SYSCALL.
    """
    if not cpu.efer & EFER_SCE:
        return raise_fault(cpu, UD)
    cpu.regs[RCX] = next_ip(cpu, insn)
    cpu.regs[11] = get_rflags(cpu) & ~<u64>FLAG_RF
    cpu.rip = cpu.lstar
    set_arith_flags(cpu, cpu.regs[11] & ~cpu.fmask)
    cpu.rflags = cpu.rflags & ~(cpu.fmask | FLAG_RF)
    return enter_flat(cpu, <u32>(cpu.star >> 32) & 0xFFFF, (<u32>(cpu.star >> 32) & 0xFFFF) + 8,
                      FLAT_CODE64, 0)


cdef inline int sysret(Cpu* cpu, Insn* insn) noexcept nogil:
    """Return from SYSCALL; without REX.W to compatibility mode.

    0F 07      SYSRET    SYSCALL o64 ends by=long

    Flags: all.
    Source: SDM Vol. 2B, SYSRET.
    """
    cdef bint wide = operand_bits(insn) == 64
    cdef u32 base = <u32>(cpu.star >> 48)
    if not cpu.efer & EFER_SCE:
        return raise_fault(cpu, UD)
    if cpu.cpl or (wide and not canonical_address(cpu.regs[RCX])):
        return raise_gp(cpu, 0)
    cpu.rip = cpu.regs[RCX] if wide else <u32>cpu.regs[RCX]
    set_arith_flags(cpu, cpu.regs[11])
    cpu.rflags = cpu.regs[11] & SYSRET_FLAGS
    return enter_flat(cpu, base + 16 if wide else base, base + 8,
                      FLAT_CODE64 if wide else FLAT_CODE32, 3)


cdef inline int sysenter(Cpu* cpu, Insn* insn) noexcept nogil:
    """Call the system at IA32_SYSENTER_EIP.

    0F 34      SYSENTER    SEP ends

    Flags: I VM.
    Source: SDM Vol. 2B, SYSENTER.
    """
    cdef u32 cs = <u32>cpu.sysenter_cs
    cdef bint wide = long_mode(cpu)
    if not cpu.cr0 & CR0_PE or cs & 0xFFFC == 0:
        return raise_gp(cpu, 0)
    cpu.rflags &= ~<u64>(FLAG_VM | FLAG_IF | FLAG_RF)
    cpu.regs[RSP] = cpu.sysenter_esp if wide else <u32>cpu.sysenter_esp
    cpu.rip = cpu.sysenter_eip if wide else <u32>cpu.sysenter_eip
    return enter_flat(cpu, cs, (cs & 0xFFFC) + 8, FLAT_CODE64 if wide else FLAT_CODE32, 0)


cdef inline int sysexit(Cpu* cpu, Insn* insn) noexcept nogil:
    """Return from SYSENTER to RDX with the stack at RCX.

    0F 35      SYSEXIT    SEP ends by=long

    Flags: none.
    Source: SDM Vol. 2B, SYSEXIT.
    """
    cdef u32 cs = <u32>cpu.sysenter_cs & 0xFFFC
    cdef bint wide = in_64bit(cpu) and operand_bits(insn) == 64
    if not cpu.cr0 & CR0_PE or cs == 0 or cpu.cpl:
        return raise_gp(cpu, 0)
    if wide and not (canonical_address(cpu.regs[RDX]) and canonical_address(cpu.regs[RCX])):
        return raise_gp(cpu, 0)
    cpu.rip = cpu.regs[RDX] if wide else <u32>cpu.regs[RDX]
    cpu.regs[RSP] = cpu.regs[RCX] if wide else <u32>cpu.regs[RCX]
    return enter_flat(cpu, cs + (32 if wide else 16), cs + (40 if wide else 24),
                      FLAT_CODE64 if wide else FLAT_CODE32, 3)


# ---------------------------------------------------------------------------------------------
# FS and GS

cdef inline int swapgs(Cpu* cpu, Insn* insn) noexcept nogil:
    """Exchange GS.base and IA32_KERNEL_GS_BASE.

    0F 01 F8   SWAPGS    cpl0 o64

    Flags: none.
    Source: SDM Vol. 2B, SWAPGS.
    """
    cdef u64 base = cpu.seg[GS].base
    cpu.seg[GS].base = cpu.kernel_gs_base
    cpu.kernel_gs_base = base
    return NEXT


cdef inline int read_base(Cpu* cpu, Insn* insn, int seg) noexcept nogil:
    if not cpu.cr4 & CR4_FSGSBASE:
        return raise_fault(cpu, UD)
    set_reg(cpu, 64 if operand_bits(insn) == 64 else 32, insn.b, cpu.seg[seg].base)
    return NEXT


cdef inline int write_base(Cpu* cpu, Insn* insn, int seg) noexcept nogil:
    cdef u64 base = get_reg(cpu, 64 if operand_bits(insn) == 64 else 32, insn.b)
    if not cpu.cr4 & CR4_FSGSBASE:
        return raise_fault(cpu, UD)
    if not canonical_address(base):
        return raise_gp(cpu, 0)
    cpu.seg[seg].base = base
    return NEXT


cdef inline int rdfsbase(Cpu* cpu, Insn* insn) noexcept nogil:
    """Read the base of FS.

    F3 0F AE /0   RDFSBASE Ry    FSGSBASE o64

    Flags: none.
    Source: SDM Vol. 2B, RDFSBASE/RDGSBASE.
    """
    return read_base(cpu, insn, FS)


cdef inline int rdgsbase(Cpu* cpu, Insn* insn) noexcept nogil:
    """Read the base of GS.

    F3 0F AE /1   RDGSBASE Ry    FSGSBASE o64

    Flags: none.
    Source: SDM Vol. 2B, RDFSBASE/RDGSBASE.
    """
    return read_base(cpu, insn, GS)


cdef inline int wrfsbase(Cpu* cpu, Insn* insn) noexcept nogil:
    """Write the base of FS.

    F3 0F AE /2   WRFSBASE Ry    FSGSBASE o64

    Flags: none.
    Source: SDM Vol. 2D, WRFSBASE/WRGSBASE.
    """
    return write_base(cpu, insn, FS)


cdef inline int wrgsbase(Cpu* cpu, Insn* insn) noexcept nogil:
    """Write the base of GS.

    F3 0F AE /3   WRGSBASE Ry    FSGSBASE o64

    Flags: none.
    Source: SDM Vol. 2D, WRFSBASE/WRGSBASE.
    """
    return write_base(cpu, insn, GS)
